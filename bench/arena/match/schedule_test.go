package match

import (
	"testing"
	"time"

	"github.com/dovetail-sh/dovetail/bench/arena/contestant"
	"github.com/dovetail-sh/dovetail/bench/arena/play"
)

var both = []string{string(contestant.Own), string(contestant.Equal)}

func TestEveryPlayHasBothControllersOneAfterTheOther(t *testing.T) {
	t.Parallel()
	for _, short := range []bool{false, true} {
		controllers := map[string]map[string]bool{}
		var order []string
		for _, r := range Schedule(Options{Short: short, Settings: both}) {
			key := r.Play.Name + " " + string(r.Settings)
			if controllers[key] == nil {
				controllers[key] = map[string]bool{}
				order = append(order, key)
			}
			if order[len(order)-1] != key {
				t.Errorf("%s is interrupted by another play", key)
			}
			controllers[key][r.Contestant.Controller] = true
		}
		plays := 1 // with equal settings
		for _, p := range play.All {
			if p.Pods > 0 && !short || p.ShortPods > 0 && short {
				plays++
			}
		}
		if len(order) != plays {
			t.Errorf("plays: %v", order)
		}
		for key, seen := range controllers {
			if !seen[contestant.Dovetail] || !seen[contestant.Karpenter] {
				t.Errorf("%s is played to %v only", key, seen)
			}
		}
	}
}

// Policies differ where nodes become superfluous, and there all of them play.
func TestPoliciesPlayWhereTheyDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]map[string]bool{}
	for _, r := range Schedule(Options{Settings: both[:1]}) {
		if seen[r.Play.Name] == nil {
			seen[r.Play.Name] = map[string]bool{}
		}
		seen[r.Play.Name][r.Contestant.Name] = true
	}
	for _, p := range play.All {
		want := 2
		if p.Shrinks {
			want = len(contestant.All)
		}
		if len(seen[p.Name]) != want {
			t.Errorf("%s is played to %v, want %d contestants", p.Name, seen[p.Name], want)
		}
	}
}

func TestChoices(t *testing.T) {
	t.Parallel()
	runs := Schedule(Options{Plays: []string{"four"}, Contestants: []string{"karpenter-empty"}, Settings: both})
	if len(runs) != 2 || runs[1].Settings != contestant.Equal || runs[0].Contestant.Policy != "WhenEmpty" {
		t.Errorf("%+v", runs)
	}
	if got := Schedule(Options{Plays: []string{"nothing"}, Settings: both}); len(got) > 0 {
		t.Errorf("%+v", got)
	}
}

func TestSkip(t *testing.T) {
	t.Parallel()
	karpenter, dovetail := Run{Contestant: contestant.All[1]}, Run{Contestant: contestant.All[0]}
	o := Options{Limit: 10 * time.Minute}
	if why := o.skip(t.Context(), karpenter, 0, 0); why == "" {
		t.Error("Karpenter is to run, and is not built")
	}
	for spent, skipped := range map[time.Duration]bool{0: false, 9 * time.Minute: true} {
		if why := o.skip(t.Context(), dovetail, spent, 2*time.Minute); (why != "") != skipped {
			t.Errorf("after %s: %q", spent, why)
		}
	}
}
