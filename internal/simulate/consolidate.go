package simulate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/controller/consolidatable"
	"github.com/dovetail-sh/dovetail/internal/controller/disrupt"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// Consolidate says which nodes the controller would give up now, and why the others stay. It decides as the controller
// does; pods that wait are first given the places that a plan has for them. With more than one round it looks again
// once all of that is done, as often as that and while anything is to be gained. The error is that of Plan.
func (p *Prepared) Consolidate(rules disrupt.Rules, rounds int) (*view.Moves, error) {
	p.consolidating = true
	s := stand(p.objects, p.input.Now, p.input.Drifted)
	expired := s.expire()
	p.hand(s)
	result, err := p.Plan()
	if err != nil {
		return nil, err
	}
	out := &view.Moves{Header: view.HeaderOf("Consolidation"), Moves: []view.Move{}, Stay: []view.Stay{},
		Notes: slices.Concat(p.notes, p.pending(result), s.notes())}
	for round := 1; ; round++ {
		r := p.look(s, rules)
		r.round = round
		if round == 1 {
			out.Before = r.price().Float()
			if len(r.nodes) == 0 {
				out.Notes = append(out.Notes, "nothing to give up: no nodes are given")
			}
			r.expired(out, expired)
		}
		last := round >= rounds || !slices.ContainsFunc(r.outlook.Go, begins)
		for _, d := range r.outlook.Go {
			if last || begins(d) {
				r.add(out, d)
			}
		}
		if last {
			r.stays(out)
			out.After = (r.price() - r.saved).Float()
			return out, nil
		}
		p.carryOut(s, r, expired)
	}
}

// begins reports whether any node of a departure may go.
func begins(d disrupt.Departure) bool { return len(d.Now) > 0 }

// hand makes a standing cluster the one that is planned.
func (p *Prepared) hand(s *standing) {
	p.objects.Nodes, p.objects.NodeClaims, p.objects.Pods = s.nodes, s.claims, s.pods
}

// look foresees what the controller would begin in a cluster as it stands.
func (p *Prepared) look(s *standing, rules disrupt.Rules) *reading {
	snapshot, _ := translate.Snapshot(p.objects, p.input.Now) // Plan has told what is wrong with it
	byID := map[shape.PodID]*corev1.Pod{}
	for _, pod := range s.pods {
		byID[translate.IDOf(pod)] = pod
	}
	c := disrupt.Cluster{
		Budgets: guardsOf(p.input.Set.Budgets, s.pods), Snapshot: snapshot, Now: p.input.Now,
		Pod:    func(id shape.PodID) *corev1.Pod { return byID[id] },
		Policy: p.input.Policy, Rules: rules, Effort: searchEffort, Devices: p.objects.Devices,
	}
	c.Claims, c.Pools, c.Nodes = values(s.claims), values(p.objects.NodePools), values(s.nodes)
	r := &reading{
		standing: s, outlook: disrupt.Foresee(c),
		nodes: map[string]*shape.Node{}, claimed: map[string]*karpenterv1.NodeClaim{}, goes: map[string]bool{},
	}
	for _, claim := range s.claims {
		r.claimed[claim.Name] = claim
	}
	for _, n := range snapshot.Nodes {
		r.nodes[n.Name] = n
	}
	for i := range p.fixed.nodes {
		delete(r.nodes, p.fixed.nodes[i].ID) // it is not there yet
	}
	return r
}

// searchEffort is how many steps the search takes: the controller spends a fifth of that at once, and looks again and
// again.
const searchEffort = 1_000_000

func values[T any](list []*T) []T {
	out := make([]T, len(list))
	for i, v := range list {
		out[i] = *v
	}
	return out
}

// AsIfNotThere ends the note on pods that wait for nodes which are yet to be bought.
const AsIfNotThere = "nodes are looked at as if nothing waited"

// pending gives waiting pods the places on nodes that the plan has for them, and tells of those that need new nodes:
// the controller buys those first.
func (p *Prepared) pending(r *Result) []string {
	p.objects.Nominated = map[shape.PodID]string{}
	for _, place := range r.Decision.Place {
		p.objects.Nominated[place.Pod] = place.Node
	}
	waiting, bought := len(r.Decision.Unplaced), r.Decision.Open[len(p.fixed.nodes):]
	var price shape.Money
	for i := range bought {
		waiting += len(bought[i].Pods)
		price += bought[i].Price
	}
	if waiting == 0 {
		return nil
	}
	return []string{waitingNote(waiting, len(bought), price) + ": " + AsIfNotThere}
}

// waitingNote counts pods that wait for nodes, and nodes that would be bought for them.
func waitingNote(waiting, bought int, price shape.Money) string {
	pods, nodes := "1 pod waits for a node", "no node would be bought"
	if waiting > 1 {
		pods = fmt.Sprintf("%d pods wait for nodes", waiting)
	}
	switch bought {
	case 0:
	case 1:
		nodes = fmt.Sprintf("1 node for $%s/h would be bought", price)
	default:
		nodes = fmt.Sprintf("%d nodes for $%s/h would be bought", bought, price)
	}
	return pods + ", and " + nodes
}

// reading turns an outlook into what is printed.
type reading struct {
	*standing
	outlook disrupt.Outlook
	round   int
	nodes   map[string]*shape.Node
	claimed map[string]*karpenterv1.NodeClaim // by name
	goes    map[string]bool
	saved   shape.Money
}

// price is that of all nodes that some NodePool bought.
func (r *reading) price() (sum shape.Money) {
	for _, n := range r.nodes {
		if n.Claim != "" {
			sum += n.Price
		}
	}
	return sum
}

func (r *reading) expired(out *view.Moves, names []string) {
	for _, name := range names {
		r.add(out, disrupt.Departure{
			Reason: "Expired", Why: "it is older than its expireAfter, which no budget holds back",
			Now: []string{name}, Move: refit.Move{Remove: []string{name}},
		})
	}
}

// stays says of all nodes that do not go why.
func (r *reading) stays(out *view.Moves) {
	for _, name := range slices.Sorted(maps.Keys(r.nodes)) {
		if !r.goes[name] {
			kind, why := r.why(r.nodes[name])
			out.Stay = append(out.Stay, view.Stay{Node: name, Kind: string(kind), Why: why})
		}
	}
}

func (r *reading) add(out *view.Moves, d disrupt.Departure) {
	m := d.Move
	m.Remove = slices.Concat(d.Now, d.Later)
	if m.Price == 0 {
		for _, name := range m.Remove {
			if n := r.nodes[name]; n != nil {
				m.Price += n.Price
				m.Pods += evicted(n)
			}
		}
		for i := range m.Open {
			m.Instead += m.Open[i].Price
		}
	}
	for i := range m.Open {
		r.opened++
		m.Open[i].ID = fmt.Sprintf("new-%d", r.opened)
	}
	for _, name := range m.Remove {
		r.goes[name] = true
	}
	r.saved += m.Saving()
	out.Add(&m)
	last := &out.Moves[len(out.Moves)-1]
	last.Reason, last.Why, last.Later, last.Round = string(d.Reason), d.Why, d.Later, r.round
}

// evicted are the pods that have to go somewhere else with a node.
func evicted(n *shape.Node) (count int) {
	for _, pod := range n.Pods {
		if pod.Role == shape.Movable || pod.Role == shape.Pinned {
			count++
		}
	}
	return count
}

// why says why a node stays: first what keeps the controller from looking at it at all.
func (r *reading) why(n *shape.Node) (refit.Kind, string) {
	c := r.claimed[n.Claim]
	if c == nil {
		return refit.PoolKeeps, "it is of no NodePool"
	}
	pool := r.pools[c.Labels[karpenterv1.NodePoolLabelKey]]
	switch {
	case pool == nil:
		return refit.PoolKeeps, "its NodePool is not given"
	case n.Stage == shape.Leaving:
		return refit.NotReady, "it is going already"
	case n.Stage != shape.Ready:
		return refit.NotReady, "it is starting"
	case pool.Spec.Replicas != nil:
		return refit.PoolKeeps, fmt.Sprintf("its NodePool keeps %d nodes (spec.replicas)", *pool.Spec.Replicas)
	}
	said := func(by func(disrupt.Stay) bool) int {
		return slices.IndexFunc(r.outlook.Stay, func(s disrupt.Stay) bool { return s.Node == n.Name && by(s) })
	}
	k := said(func(s disrupt.Stay) bool { return s.Reason == karpenterv1.DisruptionReasonDrifted })
	if k < 0 {
		if kind, why := r.notYet(n, c, pool); why != "" {
			return kind, why
		}
		k = said(
			func(s disrupt.Stay) bool { return s.Kind != refit.Held },
		) // that a node is not looked at is the last thing to say
	}
	if k < 0 {
		k = said(func(disrupt.Stay) bool { return true })
	}
	if k >= 0 {
		return cmp.Or(r.outlook.Stay[k].Kind, refit.Held), r.outlook.Stay[k].Why
	}
	if r.outlook.Found != nil {
		for _, k := range r.outlook.Found.Kept {
			if k.Node == n.Name {
				return k.Why.Kind, k.Why.Sentence()
			}
		}
	}
	return refit.NotReady, "it is empty only for a moment"
}

// notYet says what of its pool's settings keeps a node from being looked at, or nothing.
func (r *reading) notYet(n *shape.Node, c *karpenterv1.NodeClaim, pool *karpenterv1.NodePool) (refit.Kind, string) {
	after := pool.Spec.Disruption.ConsolidateAfter
	left, ever := consolidatable.Quiet(c, pool, r.now)
	switch {
	case !condition.IsTrue(c, karpenterv1.ConditionInitialized):
		return refit.NotReady, "it has not initialized yet"
	case after.IsNever():
		return refit.PoolKeeps, "consolidateAfter of NodePool " + pool.Name + " is Never"
	case ever && left > 0:
		return refit.NotReady, fmt.Sprintf(
			"its consolidateAfter of %s is over in %s: pods came or went, or it started, less than that ago",
			after,
			left.Round(time.Second),
		)
	case evicted(n) > 0 && pool.Spec.Disruption.ConsolidationPolicy == karpenterv1.ConsolidationPolicyWhenEmpty:
		return refit.PoolKeeps, "NodePool " + pool.Name + " gives up empty nodes only"
	}
	return "", ""
}
