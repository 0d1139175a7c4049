package v1

import (
	"encoding/json"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
)

func TestNillableDurationKeepsItsText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"24h", "720h", "1h30m", "90s", "Never", "0s"} {
		var d NillableDuration
		if err := json.Unmarshal([]byte(`"`+text+`"`), &d); err != nil {
			t.Fatal(err)
		}
		written, err := json.Marshal(d)
		if err != nil || string(written) != `"`+text+`"` {
			t.Errorf("%s is written back as %s, %v: that looks like a change to deployment tools", text, written, err)
		}
		if d.IsNever() != (text == Never) {
			t.Errorf("%s: IsNever is %v", text, d.IsNever())
		}
	}
}

func TestNillableDurationFromCode(t *testing.T) {
	t.Parallel()
	if got := After(90 * time.Minute).String(); got != "1h30m0s" {
		t.Errorf("After(90m) reads %s", got)
	}
	if got := (NillableDuration{}).String(); got != Never {
		t.Errorf("the zero value reads %s, want Never", got)
	}
}

func TestNillableDurationForgetsOldValue(t *testing.T) {
	t.Parallel()
	d := After(time.Hour)
	if err := json.Unmarshal([]byte(`"Never"`), &d); err != nil || !d.IsNever() {
		t.Errorf("reading Never over an hour gives %v, %v", d, err)
	}
}

func TestNillableDurationAsUnstructured(t *testing.T) {
	t.Parallel()
	pool := readPool(t, "full")
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(pool)
	if err != nil {
		t.Fatal(err)
	}
	back := &NodePool{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object, back); err != nil {
		t.Fatal(err)
	}
	if got := back.Spec.Template.Spec.ExpireAfter.String(); got != "24h" {
		t.Errorf("expireAfter is %s after a round trip, want 24h", got)
	}
}

func TestNillableDurationRefusesNonsense(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`"soon"`, `30`, `"30d"`, `""`} {
		var d NillableDuration
		if err := json.Unmarshal([]byte(text), &d); err == nil {
			t.Errorf("%s was read as %s", text, d)
		}
	}
}
