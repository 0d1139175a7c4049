package shadow

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/journal"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/roster"
	"github.com/dovetail-sh/dovetail/internal/simulate"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// Thought is what Dovetail would do at one moment.
type Thought struct {
	Answer view.Plan // as Answer makes it
	// Plan is for all that wait, with what is on its way; nil if nothing is known of it.
	Plan  *view.Plan
	Moves *view.Moves // nil if nothing is known of them
	Notes []string
}

// Think plans a cluster whose objects are at hand, but for the Answer; rounds is how often it is looked for moves, each
// time as if those before were made.
func Think(in roster.Input, rounds int) (Thought, error) {
	var t Thought
	plan, err := planOf(in.Input)
	if err != nil {
		return t, err
	}
	t.Plan, t.Notes = &plan, plan.Notes
	ready, err := simulate.Prepare(in.Input)
	if err != nil {
		return t, err
	}
	if t.Moves, err = ready.Consolidate(roster.Rules(), rounds); err != nil {
		return t, err
	}
	return t, nil
}

// Answer plans for pods that were not thought about before, as if nothing had been bought for them yet: the other
// controller may have been quicker. Known are those that were.
func Answer(in roster.Input, s Sight, known func(pod string) bool) (view.Plan, error) {
	before := in.Input
	if since, found := overtaken(s, known); found {
		before.Set = without(in.Set, since)
	}
	return planOf(before)
}

func planOf(in simulate.Input) (view.Plan, error) {
	ready, err := simulate.Prepare(in)
	if err != nil {
		return view.Plan{}, err
	}
	r, err := ready.Plan()
	if err != nil {
		return view.Plan{}, err
	}
	return view.PlanOf(r.Decision, r.Notes, 0), nil
}

// overtaken is when the first of the pods came that were not thought about before, and whether there are any.
func overtaken(s Sight, known func(string) bool) (since time.Time, found bool) {
	for pod, at := range s.Waiting {
		if !known(pod) && (!found || at.Before(since)) {
			since, found = at, true
		}
	}
	return since, found
}

// without is a cluster before anything was bought since a moment: NodeClaims that came then and are not initialized,
// and their nodes, are left out.
func without(set *manifest.Set, since time.Time) *manifest.Set {
	out := *set
	gone := map[string]bool{} // by provider ID and node name
	out.NodeClaims = slices.DeleteFunc(slices.Clone(set.NodeClaims), func(c *karpenterv1.NodeClaim) bool {
		young := !c.CreationTimestamp.Time.Before(since) && !condition.IsTrue(c, karpenterv1.ConditionInitialized)
		if young {
			gone[c.Status.ProviderID], gone[c.Status.NodeName] = true, true
		}
		return young
	})
	delete(gone, "")
	out.Nodes = slices.DeleteFunc(slices.Clone(set.Nodes), func(n *corev1.Node) bool {
		return gone[n.Name] || gone[n.Spec.ProviderID]
	})
	return &out
}

// Recall thinks about a plan of the journal. It says nothing of moves: searches are records of their own.
func Recall(r journal.Record, known func(pod string) bool) Thought {
	plan := view.PlanOf(engine.Plan(r.Snapshot, r.Policy), nil, 0)
	t := Thought{Plan: &plan, Answer: plan}
	if since, late := overtaken(Recalled(&r.Snapshot, nil, r.At), known); late {
		before := r.Snapshot
		before.Nodes = slices.DeleteFunc(slices.Clone(before.Nodes), func(n *shape.Node) bool {
			return n.Claim != "" && n.Stage < shape.Ready && !n.Created.Before(since)
		})
		t.Answer = view.PlanOf(engine.Plan(before, r.Policy), nil, 0)
	}
	return t
}

// Alone has a plan without objects and without a search looked at for moves, as if every NodePool let go all that is
// underutilized: plans do not say what budgets allow.
func Alone(r journal.Record, t *Thought) {
	moves := view.MovesOf(refit.Begin(r.Snapshot, openPolicy(r), time.Time{}).Find(), nil)
	t.Moves, t.Notes = &moves, append(t.Notes, noteNoBudgets)
}

// Searched thinks about a search of the journal, which says nothing of pods that wait.
func Searched(s journal.Search) Thought {
	moves := view.MovesOf(s.Again(), nil)
	return Thought{Moves: &moves}
}

// noteNoBudgets is said of moves that were searched without knowing what NodePools allow.
const noteNoBudgets = "Recordings without objects do not say what NodePools' budgets and policies allow: moves were " +
	"looked for without them."

func openPolicy(r journal.Record) refit.Policy {
	p := refit.DefaultPolicy()
	p.Plan, p.Pools = r.Policy, map[string]refit.PoolPolicy{}
	for _, pool := range r.Snapshot.Pools {
		p.Pools[pool.Name] = refit.PoolPolicy{Mode: refit.WhenUnderutilized, Budget: -1}
	}
	return p
}
