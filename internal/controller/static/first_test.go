package static

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// fleet is a static pool in a world in which replacements come late, or never, and nodes drift, fall sick and die.
type fleet struct {
	sight
	made  int
	ended []member // that still drain
}

func (f *fleet) add() {
	m := one(fmt.Sprintf("n%03d", f.made), notInitialized, slot)
	m.claim.UID = "x"
	f.made++
	f.members = append(f.members, m)
}

func (f *fleet) serving() int { return len(keep(f.members, func(m member) bool { return m.ready })) }

// pick draws one of the members that something may happen to, nil if there is none.
func (f *fleet) pick(t *rapid.T, what string, which func(member) bool) *member {
	var at []int
	for i, m := range f.members {
		if which(m) {
			at = append(at, i)
		}
	}
	if len(at) == 0 {
		return nil
	}
	return &f.members[rapid.SampledFrom(at).Draw(t, what)]
}

// befall lets something happen that nobody decides.
func (f *fleet) befall(t *rapid.T) {
	switch rapid.IntRange(0, 6).Draw(t, "event") {
	case 0, 1:
		if m := f.pick(t, "becomes ready", func(m member) bool { return !initialized(m) }); m != nil {
			m.ready = true
			condition.True(m.claim, noon, karpenterv1.ConditionInitialized)
		}
	case 2:
		if m := f.pick(t, "drifts", func(m member) bool { return initialized(m) && !isDrifted(m) }); m != nil {
			with(karpenterv1.ConditionDrifted)(m)
		}
	case 3:
		if m := f.pick(t, "falls sick", func(m member) bool { return !m.sick }); m != nil {
			m.sick, m.ready = true, m.ready && rapid.Bool().Draw(t, "serves on")
		}
	case 4:
		if m := f.pick(t, "recovers", func(m member) bool { return m.sick }); m != nil {
			m.sick, m.ready = false, initialized(*m)
		}
	case 5:
		if len(f.ended) > 0 {
			f.ended = f.ended[1:]
		}
	case 6:
		f.launches = !f.launches
	}
}

// carryOut does what was decided.
func (f *fleet) carryOut(t *rapid.T, slots int, todo step) {
	for range todo.open {
		if f.launches && (slots < 0 || len(f.members)+len(f.ended) < slots) { // else the cloud has none
			f.add()
		}
	}
	for _, c := range todo.mark {
		reason := karpenterv1.DisruptionReasonDrifted
		if f.sick(c) {
			reason = karpenterv1.DisruptionReasonUnhealthy
		}
		condition.TrueBecause(c, noon, karpenterv1.ConditionDisruptionReason, string(reason), "")
	}
	for _, c := range todo.unmark {
		condition.Clear(c, karpenterv1.ConditionDisruptionReason)
	}
	for _, c := range todo.remove {
		i := slices.IndexFunc(f.members, func(m member) bool { return m.claim == c })
		f.ended = append(f.ended, f.members[i])
		f.members = slices.Delete(f.members, i, i+1)
	}
}

// look is what the controller sees.
func (f *fleet) look(slots int, budget int) sight {
	s := f.sight
	s.known, s.leaving = len(s.members), len(f.ended)
	going := s.leaving + len(keep(s.members, func(m member) bool { return isMarked(m.claim) }))
	s.drift, s.repairs = allowance{budget, budget - going, true}, allowance{budget, budget - going, true}
	s.full = slots >= 0 && len(s.members)+s.leaving >= slots
	return s
}

// TestTerminateFirstLosesNoMoreThanTheBudget plays pools at their limit, or in full reservations. Whenever a node is
// ended before its replacement is there, no more nodes are missing or not ready afterwards than the budget lets be,
// though replacements may never come; none is ended that nothing could follow; and neither limit nor reservation is
// passed.
func TestTerminateFirstLosesNoMoreThanTheBudget(t *testing.T) {
	t.Parallel()
	firsts := 0
	rapid.Check(t, func(t *rapid.T) {
		replicas, budget := rapid.IntRange(1, 6).Draw(t, "replicas"), rapid.IntRange(0, 3).Draw(t, "budget")
		f := &fleet{sight: sight{replicas: replicas, limit: -1, launches: true}}
		slots := -1
		if rapid.Bool().Draw(t, "reserved") {
			slots = replicas
		} else {
			f.limit = replicas
		}
		for range replicas {
			f.add()
			f.members[len(f.members)-1].ready = true
			condition.True(f.members[len(f.members)-1].claim, noon, karpenterv1.ConditionInitialized)
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			f.befall(t)
			todo := next(f.look(slots, budget))
			f.carryOut(t, slots, todo)
			if n := len(f.members) + len(f.ended); n > replicas {
				t.Fatalf("%d nodes, there is room for %d", n, replicas)
			}
			if todo.first == "" || len(todo.remove) == 0 {
				continue
			}
			firsts++
			if missing := replicas - f.serving(); missing > budget {
				t.Fatalf(
					"%d of %d nodes are missing after %d were ended first, the budget is %d",
					missing,
					replicas,
					len(todo.remove),
					budget,
				)
			}
			if !f.launches {
				t.Fatal("nodes were ended, and nothing can follow them")
			}
		}
	})
	if firsts == 0 {
		t.Error("no node was ever ended first: nothing was tried")
	}
}

// TestTerminateFirstEnds replaces all drifted nodes of a pool at its limit when replacements do come.
func TestTerminateFirstEnds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		replicas, budget := rapid.IntRange(1, 6).Draw(t, "replicas"), rapid.IntRange(1, 3).Draw(t, "budget")
		f := &fleet{sight: sight{replicas: replicas, limit: replicas, launches: true}}
		for range replicas {
			f.add()
			m := &f.members[len(f.members)-1]
			m.ready = true
			condition.True(m.claim, noon, karpenterv1.ConditionInitialized)
			with(karpenterv1.ConditionDrifted)(m)
		}
		for range 20 * replicas {
			f.carryOut(t, -1, next(f.look(-1, budget)))
			f.ended = nil
			for i := range f.members {
				f.members[i].ready = true
				condition.True(f.members[i].claim, noon, karpenterv1.ConditionInitialized)
			}
		}
		if n := len(keep(f.members, isDrifted)); n > 0 || len(f.members) != replicas {
			t.Fatalf("%d of %d nodes are left as they were", n, len(f.members))
		}
	})
}
