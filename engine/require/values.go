package require

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Values is the set of values that one label may take. The zero Values is every
// value, absence included, of the label with the empty key; see [Any].
type Values struct {
	key string

	// finite means that list holds the members; otherwise list holds what is excluded
	// from all strings. list ascends without repeats and is shared, never written to.
	finite bool
	list   []string

	// low and high bound integers, both inclusive, when bounded is set. Values that are
	// no integers are then not members. A finite set has its bounds applied to list already.
	bounded   bool
	low, high int64

	// over and under say that low and high were written as Gt and Lt, of one less and one more. Only String asks.
	over, under bool

	// present rules out that the label is missing.
	present bool

	minValues int32
}

// Any is every value of a label, absence included.
func Any(key string) Values { return Values{key: key} }

// Only is the set of the one value.
func Only(key, value string) Values {
	return Values{key: key, finite: true, list: []string{value}, present: true}
}

// Missing is the set in which the label is absent.
func Missing(key string) Values { return Values{key: key, finite: true} }

// Of is the set that a requirement describes. A numeric operator whose value is no
// integer, and an operator that does not exist, describe the empty set: no node matches.
func Of(r shape.Requirement) Values {
	v := Values{key: r.Key, present: true, minValues: r.MinValues}
	switch r.Operator {
	case shape.In:
		v.finite, v.list = true, ascending(r.Values)
	case shape.NotIn:
		v.list, v.present = ascending(r.Values), false
	case shape.Exists:
	case shape.DoesNotExist:
		v.finite, v.present = true, false
	case shape.Gt, shape.Lt, shape.Gte, shape.Lte:
		v = v.compare(r)
	default:
		v.finite = true
	}
	return v
}

// compare applies one of the numeric operators.
func (v Values) compare(r shape.Requirement) Values {
	v.bounded, v.low, v.high = true, math.MinInt64, math.MaxInt64
	if len(r.Values) != 1 {
		return v.nothing()
	}
	n, err := strconv.ParseInt(r.Values[0], 10, 64)
	if err != nil {
		return v.nothing()
	}
	switch {
	case r.Operator == shape.Gte:
		v.low = n
	case r.Operator == shape.Lte:
		v.high = n
	case r.Operator == shape.Gt && n < math.MaxInt64:
		v.low, v.over = n+1, true
	case r.Operator == shape.Lt && n > math.MinInt64:
		v.high, v.under = n-1, true
	default:
		return v.nothing()
	}
	return v
}

func (v Values) nothing() Values {
	return Values{key: v.key, finite: true, present: true, minValues: v.minValues}
}

// ascending returns list itself if it is ascending and unique already.
func ascending(list []string) []string {
	for i := 1; i < len(list); i++ {
		if list[i-1] >= list[i] {
			out := slices.Clone(list)
			slices.Sort(out)
			return slices.Compact(out)
		}
	}
	return list
}

// Key is the label's key.
func (v Values) Key() string { return v.key }

// MinValues is how many different values a launch must keep, 0 for no such wish.
func (v Values) MinValues() int32 { return v.minValues }

// Has reports whether the label may have this value.
func (v Values) Has(value string) bool {
	_, found := slices.BinarySearch(v.list, value)
	if v.finite {
		return found
	}
	return !found && v.within(value)
}

func (v Values) within(value string) bool {
	if !v.bounded {
		return true
	}
	n, err := strconv.ParseInt(value, 10, 64)
	return err == nil && v.low <= n && n <= v.high
}

// HasAbsent reports whether the label may be missing.
func (v Values) HasAbsent() bool { return !v.present }

// Bounded reports whether the members are integers within bounds.
func (v Values) Bounded() bool { return v.bounded }

// List returns the members in ascending order; ok is false when the set excludes values
// instead of listing them. The slice must not be written to.
func (v Values) List() (members []string, ok bool) {
	if !v.finite {
		return nil, false
	}
	return v.list, true
}

// Empty reports that neither a value nor absence is possible.
func (v Values) Empty() bool { return v.present && !v.HasSome() }

// HasSome reports whether there is a value at all that the label may have.
func (v Values) HasSome() bool {
	if v.finite {
		return len(v.list) > 0
	}
	if !v.bounded {
		return true
	}
	if v.low > v.high {
		return false
	}
	// Each excluded value can rule out one integer; "007" and "7" are the same integer but
	// different strings, so a bounded set is never emptied by exclusions alone unless all
	// spellings were listed, which a finite list cannot do.
	return true
}

// And is the intersection of two sets of the same key.
func (v Values) And(w Values) Values {
	out := Values{
		key:       v.key,
		finite:    v.finite || w.finite,
		present:   v.present || w.present,
		minValues: max(v.minValues, w.minValues),
	}
	switch {
	case v.finite:
		out.list = keep(v.list, w.Has)
	case w.finite:
		out.list = keep(w.list, v.Has)
	default:
		out.list = union(v.list, w.list)
		out.bounded = v.bounded || w.bounded
		out.low, out.high = v.tighter(w)
		out.over = v.over && v.low == out.low || w.over && w.low == out.low
		out.under = v.under && v.high == out.high || w.under && w.high == out.high
	}
	return out
}

func (v Values) tighter(w Values) (low, high int64) {
	if !v.bounded {
		return w.low, w.high
	}
	if !w.bounded {
		return v.low, v.high
	}
	return max(v.low, w.low), min(v.high, w.high)
}

// keep returns the members that satisfy ok, and list itself when all do.
func keep(list []string, ok func(string) bool) []string {
	for i, s := range list {
		if ok(s) {
			continue
		}
		out := slices.Clone(list[:i])
		for _, s := range list[i+1:] {
			if ok(s) {
				out = append(out, s)
			}
		}
		return out
	}
	return list
}

func union(a, b []string) []string {
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	return ascending(slices.Concat(a, b))
}

// Overlaps reports whether the two sets share a possibility, absence included.
func (v Values) Overlaps(w Values) bool { return !v.And(w).Empty() }

// Some is a value that the label may have, the same one for equal sets: the first of
// the list, the lowest integer, or a short word that is not excluded.
func (v Values) Some() (value string, ok bool) {
	switch {
	case v.finite && len(v.list) > 0:
		return v.list[0], true
	case !v.HasSome():
		return "", false
	case v.bounded:
		return v.someInteger()
	}
	word := "any"
	for n := 1; !v.Has(word); n++ {
		word = "any-" + strconv.Itoa(n)
	}
	return word, true
}

// someInteger looks for the lowest integer that is not excluded; if all are, for one that is written differently.
func (v Values) someInteger() (string, bool) {
	from := v.low
	if from == math.MinInt64 {
		from = min(0, v.high)
	}
	for n := from; n <= v.high && n-from <= int64(len(v.list)); n++ {
		if s := strconv.FormatInt(n, 10); v.Has(s) {
			return s, true
		}
		if n == math.MaxInt64 {
			break
		}
	}
	sign, digits := "", strconv.FormatInt(from, 10)
	if from < 0 {
		sign, digits = "-", digits[1:]
	}
	for range len(v.list) + 1 {
		digits = "0" + digits
		if v.Has(sign + digits) {
			return sign + digits, true
		}
	}
	return "", false
}

// Requirements describe the set again, with as few requirements as there are operators
// for it. A set of everything needs none; the empty set is In without values.
func (v Values) Requirements() []shape.Requirement {
	one := func(o shape.Operator, values ...string) shape.Requirement {
		return shape.Requirement{Key: v.key, Operator: o, Values: values, MinValues: v.minValues}
	}
	if v.finite {
		if !v.present && len(v.list) == 0 {
			return []shape.Requirement{one(shape.DoesNotExist)}
		}
		return []shape.Requirement{one(shape.In, v.list...)}
	}
	var out []shape.Requirement
	if v.bounded && (v.low > math.MinInt64 || v.high == math.MaxInt64) {
		out = append(out, one(shape.Gte, strconv.FormatInt(v.low, 10)))
	}
	if v.bounded && v.high < math.MaxInt64 {
		out = append(out, one(shape.Lte, strconv.FormatInt(v.high, 10)))
	}
	if len(v.list) > 0 {
		out = append(out, one(shape.NotIn, v.list...))
	}
	if v.present && !v.bounded || v.minValues > 0 && len(out) == 0 {
		out = append(out, one(shape.Exists))
	}
	return out
}

// String is the set for people: "zone In a,b", "cpu Gte 4".
func (v Values) String() string {
	if v.finite && v.present && len(v.list) == 0 {
		return v.key + " of values that exclude each other"
	}
	var out []string
	for _, r := range v.Requirements() {
		switch {
		case r.Operator == shape.Gte && v.over:
			r.Operator, r.Values = shape.Gt, []string{strconv.FormatInt(v.low-1, 10)}
		case r.Operator == shape.Lte && v.under:
			r.Operator, r.Values = shape.Lt, []string{strconv.FormatInt(v.high+1, 10)}
		}
		words := []string{r.Key, r.Operator.String()}
		if len(r.Values) > 0 {
			words = append(words, strings.Join(r.Values, ","))
		}
		out = append(out, strings.Join(words, " "))
	}
	if len(out) == 0 {
		return v.key + " any"
	}
	return strings.Join(out, " and ")
}

// Named lists the values that the set spells out, as members or as exceptions.
func (v Values) Named() []string { return v.list }

// Spare is everything but the values that v spells out.
func (v Values) Spare() Values { return Values{key: v.key, list: v.list} }
