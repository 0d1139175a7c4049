package require

import (
	"slices"
	"strings"
	"testing"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// FuzzValues makes two requirements of anything: nothing may panic, and together they must mean what both mean.
func FuzzValues(f *testing.F) {
	f.Add(byte(shape.In), "a,b", byte(shape.NotIn), "b", "a")
	f.Add(byte(shape.Gte), "5", byte(shape.Lte), "5", "005")
	f.Add(byte(shape.Gt), "9223372036854775807", byte(shape.Exists), "", "-0")
	f.Add(byte(shape.Lt), "x", byte(shape.DoesNotExist), "", "")
	f.Add(byte(shape.Gte), "-9223372036854775808", byte(shape.NotIn), "x", "any")
	f.Add(byte(200), "a", byte(shape.Lt), "", "any")
	f.Fuzz(func(t *testing.T, op1 byte, values1 string, op2 byte, values2, value string) {
		a := shape.Requirement{Key: "k", Operator: shape.Operator(op1), Values: split(values1)}
		b := shape.Requirement{Key: "k", Operator: shape.Operator(op2), Values: split(values2)}
		v, w := Of(a), Of(b)
		both := v.And(w)
		if got, want := both.Has(value), v.Has(value) && w.Has(value); got != want {
			t.Errorf("%v has %q: %t, want %t of %v and %v", both, value, got, want, v, w)
		}
		if got, want := both.HasAbsent(), v.HasAbsent() && w.HasAbsent(); got != want {
			t.Errorf("%v has absent: %t, want %t of %v and %v", both, got, want, v, w)
		}
		if v.Overlaps(w) == both.Empty() {
			t.Errorf("%v and %v overlap: %t, and %v is empty: %t", v, w, v.Overlaps(w), both, both.Empty())
		}
		some, ok := both.Some()
		if ok != both.HasSome() || ok && !both.Has(some) {
			t.Errorf("some value of %v: %q, %t", both, some, ok)
		}
		again := New(both.Requirements()).Get("k")
		if again.Has(value) != both.Has(value) || again.HasAbsent() != both.HasAbsent() {
			t.Errorf("%v became %v", both, again)
		}
		labels := []shape.Label{{Key: "k", Value: value}}
		if _, ok := New([]shape.Requirement{a, b}).HasLabels(labels); ok != both.Has(value) {
			t.Errorf("%v and %v for the label %q: %t", a, b, value, ok)
		}
	})
}

func split(text string) []string {
	if text == "" {
		return nil
	}
	out := strings.Split(text, ",")
	slices.Sort(out)
	return slices.Compact(out)
}
