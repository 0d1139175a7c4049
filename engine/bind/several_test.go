package bind_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// want is what a pod of several claims wants: where it may go, and for each claim the volumes that suit it.
type want struct {
	zones  []string
	claims []shape.Binding
}

// severalClaims draws a pod with claims of its own, some of which may have a volume made, perhaps in one zone only.
func severalClaims(t *rapid.T, volumes []shape.Slot) (shape.Class, want) {
	c, w := small(), want{zones: zones}
	if only := rapid.SampledFrom([]string{"", "", "a", "b"}).Draw(t, "selects"); only != "" {
		w.zones = []string{only}
		c.NodeSelector = []shape.Requirement{{Key: shape.LabelZone, Values: w.zones}}
	}
	for range rapid.IntRange(1, 3).Draw(t, "claims") {
		b := shape.Binding{Made: rapid.IntRange(0, 2).Draw(t, "made") == 0}
		if b.Made && rapid.Bool().Draw(t, "somewhere") {
			b.Terms = inZone(rapid.SampledFrom(zones).Draw(t, "made in"))
		}
		terms := slices.Clone(b.Terms)
		for _, v := range volumes {
			if rapid.Bool().Draw(t, "suits") {
				b.Slots = append(b.Slots, v)
				terms = append(terms, v.Terms...)
			}
		}
		w.claims = append(w.claims, b)
		both, ok := require.AndTerms(c.VolumeTerms, terms)
		switch {
		case b.Made && len(b.Terms) == 0:
		case !ok || len(terms) == 0:
			c.Refused = "no volume is free"
		default:
			c.VolumeTerms = both
		}
		if len(b.Slots) > 0 {
			c.Bindings = append(c.Bindings, b)
		}
	}
	return c, w
}

// served reports whether all pods get their volumes if they come to their zones one after the other, in some order,
// each claim taking the first volume that is left for it there and having one made if there is none; the last pod comes
// last if it is a late one.
func served(pods []want, at []string, late bool) bool {
	order := make([]int, len(pods))
	for i := range order {
		order[i] = i
	}
	free := len(order)
	if late {
		free--
	}
	var permute func(k int) bool
	permute = func(k int) bool {
		if k == free {
			return inTurn(pods, at, order)
		}
		for i := k; i < free; i++ {
			order[k], order[i] = order[i], order[k]
			if permute(k + 1) {
				return true
			}
			order[k], order[i] = order[i], order[k]
		}
		return false
	}
	return permute(0)
}

func inTurn(pods []want, at []string, order []int) bool {
	taken := map[string]bool{}
	for _, i := range order {
		in := func(terms []shape.NodeTerm) bool {
			return len(terms) == 0 || terms[0].Labels[0].Values[0] == at[i]
		}
		if !slices.Contains(pods[i].zones, at[i]) {
			return false
		}
		for _, b := range pods[i].claims {
			k := slices.IndexFunc(b.Slots, func(s shape.Slot) bool { return !taken[s.Volume] && in(s.Terms) })
			if k < 0 && !(b.Made && in(b.Terms)) {
				return false
			}
			if k >= 0 {
				taken[b.Slots[k].Volume] = true
			}
		}
	}
	return true
}

// Pods that are placed have all their volumes, and a pod that waits could have its own in no zone beside them.
func TestAPodOfSeveralClaimsWaitsForWantOfVolumesOnly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var volumes []shape.Slot
		for i := range rapid.IntRange(1, 5).Draw(t, "volumes") {
			volumes = append(volumes, shape.Slot{
				Volume: fmt.Sprintf("v%d", i), Terms: inZone(rapid.SampledFrom(zones).Draw(t, "zone")),
			})
		}
		w := world()
		pods := map[shape.PodID]want{}
		for i := range rapid.IntRange(1, 4).Draw(t, "pods") {
			id := shape.PodID(fmt.Sprintf("default/p%d", i))
			c, own := severalClaims(t, volumes)
			w.Pod(id, c)
			pods[id] = own
		}
		s := w.Snapshot()
		d := engine.Plan(s, engine.DefaultPolicy())
		var there []want
		var at []string
		for _, n := range d.Open {
			for _, id := range n.Pods {
				there, at = append(there, pods[id]), append(at, n.Options[0].Zone)
			}
		}
		if !served(there, at, false) {
			t.Fatalf("not all can have their volumes\n%s%s", tell(pods), enginetest.Print(s, d, true))
		}
		for _, u := range d.Unplaced {
			for _, zone := range zones {
				if served(append(slices.Clone(there), pods[u.Pod]), append(slices.Clone(at), zone), true) {
					t.Fatalf(
						"%s waits and could go to zone %s\n%s%s", u.Pod, zone, tell(pods),
						enginetest.Print(s, d, false),
					)
				}
			}
		}
	})
}

// tell is what pods want, a line for each.
func tell(pods map[shape.PodID]want) string {
	var b strings.Builder
	for _, id := range slices.Sorted(maps.Keys(pods)) {
		fmt.Fprintf(&b, "%s in %s", id, pods[id].zones)
		for _, c := range pods[id].claims {
			fmt.Fprintf(&b, "; made %t %v", c.Made, c.Terms)
			for _, s := range c.Slots {
				fmt.Fprintf(&b, " %s@%s", s.Volume, s.Terms[0].Labels[0].Values[0])
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}
