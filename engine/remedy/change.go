package remedy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/explain"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Kind is what a change relaxes.
type Kind string

// Kinds of changes.
const (
	Limit    Kind = "limit"
	Request  Kind = "request"
	Taint    Kind = "taint"
	Spread   Kind = "spread"
	Zone     Kind = "zone"
	Selector Kind = "selector"
	Affinity Kind = "affinity"
	Port     Kind = "port"
	Volume   Kind = "volume"
	Pool     Kind = "pool"
	Refusal  Kind = "refusal"
)

// Change is one thing that could be done.
type Change struct {
	Kind Kind   `json:"kind"`
	What string `json:"what"` // an order to whoever may do it, without a full stop

	cost  int // small is little to ask; in thousandths of taking all away
	relax func(*shape.Class)
	pools func(*shape.Snapshot)
	limit *[2]int // of one limit: index of the pool, and of the limit
}

// What changes cost: the order in which they are tried and told. Nothing was measured; what counts is who has to act,
// and what is lost. One line in a NodePool comes first, then what a workload asks for, then where it may run, and last
// what takes work: volumes, and pods that no node is bought for.
const (
	costRequest   = 60 // and up to 1000 for a request that goes to nothing
	costLimit     = 100
	costReady     = 120 // a NodePool that is not ready
	costLimits    = 150 // all limits of a pool
	costTaint     = 200
	costSpread    = 250
	costZone      = 300
	costSelector  = 320
	costNeighbour = 330
	costAllTaints = 350
	costPort      = 360
	costAllTerms  = 480
	costRefusal   = 500
	costVolume    = 600

	costTerm = 10 // more for a term of node affinity than for a node selector: it is longer to rewrite
	costPool = 80 // more for a NodePool's requirement than for the pod's: others use the pool too
)

// Apply is a Snapshot with the change made: for all waiting pods of a class, since nobody can change one of a
// Deployment's alone. What was handed in is not changed.
func (c *Change) Apply(s shape.Snapshot, class int32) shape.Snapshot {
	if c.relax != nil {
		relaxed := *s.Classes[class]
		c.relax(&relaxed)
		s.Classes = append(slices.Clip(s.Classes), &relaxed)
		s.Pods = slices.Clone(s.Pods)
		for i := range s.Pods {
			if s.Pods[i].Class == class {
				s.Pods[i].Class = int32(len(s.Classes) - 1)
			}
		}
	}
	if c.pools != nil {
		s.Pools = slices.Clone(s.Pools)
		c.pools(&s)
	}
	return s
}

// changes are all that may help a pod, the least to ask for first.
func changes(s *shape.Snapshot, class *shape.Class, why *explain.Tree) []Change {
	out := slices.Concat(
		limits(s),
		requests(class, why),
		taints(s, class),
		spreads(class),
		selectors(class),
		neighbours(class),
		others(s, class),
	)
	slices.SortStableFunc(out, func(a, b Change) int { return a.cost - b.cost })
	said := map[string]bool{}
	return slices.DeleteFunc(out, func(c Change) bool { // wishes may repeat themselves
		again := said[c.What]
		said[c.What] = true
		return again
	})
}

// relaxing is a change of the pods.
func relaxing(kind Kind, cost int, what string, relax func(*shape.Class)) Change {
	return Change{Kind: kind, What: what, cost: cost, relax: relax}
}

// changing is a change of the i-th pool.
func changing(kind Kind, cost int, what string, i int, change func(*shape.Pool)) Change {
	return Change{
		Kind: kind, What: what, cost: cost,
		pools: func(s *shape.Snapshot) { changePool(s, i, change) },
	}
}

// changePool has f change a copy of the i-th pool.
func changePool(s *shape.Snapshot, i int, f func(*shape.Pool)) {
	p := *s.Pools[i]
	f(&p)
	s.Pools[i] = &p
}

// noLimit is more than any fleet has of anything, with room to add to.
const noLimit = int64(1) << 60

func limits(s *shape.Snapshot) (out []Change) {
	for i, p := range s.Pools {
		for j, l := range p.Limits {
			out = append(
				out,
				Change{
					Kind:  Limit,
					cost:  costLimit,
					What:  fmt.Sprintf("raise the limit of NodePool %s on %s", p.Name, l.Resource),
					pools: raise(i, j, noLimit), limit: &[2]int{i, j},
				},
			)
		}
		if len(p.Limits) > 1 {
			out = append(
				out,
				changing(Limit, costLimits, "raise the limits of NodePool "+p.Name, i, func(p *shape.Pool) {
					p.Limits = nil
				}),
			)
		}
	}
	return out
}

// raise sets one limit.
func raise(pool, limit int, to int64) func(*shape.Snapshot) {
	return func(s *shape.Snapshot) {
		changePool(s, pool, func(p *shape.Pool) {
			p.Limits = slices.Clone(p.Limits)
			p.Limits[limit].Max = to
		})
	}
}

// requests asks for as much as the largest place has of what is short, by what the plan said came closest: of one
// resource alone, and of all of them.
func requests(class *shape.Class, why *explain.Tree) (out []Change) {
	most := map[string]int64{}
	closest(why, most)
	var short []string
	class.Requests.Each(func(resource string, need int64) {
		if have, known := most[resource]; known && have < need && resource != shape.Pods {
			short = append(short, resource)
			out = append(out, request(class, most, resource))
		}
	})
	if len(short) > 1 {
		out = append(out, request(class, most, short...))
	}
	return out
}

// request asks for what there is of some resources.
func request(class *shape.Class, most map[string]int64, resources ...string) Change {
	to, share := class.Requests, int64(0)
	for _, r := range resources {
		need, have := class.Requests.Get(r), max(most[r], 0)
		to, share = with(to, r, have), share+1000*(need-have)/need
	}
	return relaxing(
		Request,
		costRequest+int(share),
		asking(class.Requests, to),
		func(c *shape.Class) { c.Requests = to },
	)
}

// asking says how much less is asked for.
func asking(before, after shape.Vector) string {
	var words []string
	before.Each(func(resource string, n int64) {
		if less := after.Get(resource); less < n {
			words = append(
				words,
				fmt.Sprintf(
					"%s %s (it asks for %s)",
					explain.Amount(resource, less),
					resource,
					explain.Amount(resource, n),
				))
		}
	})
	return "ask for at most " + strings.Join(words, " and ")
}

// closest notes for each resource the most that any place had that had too little.
func closest(t *explain.Tree, most map[string]int64) {
	for _, g := range t.Groups {
		if k := g.Reason.Kind; k == feasible.TooSmall || k == feasible.NoRoom {
			if have, known := most[g.Reason.Resource]; !known || g.Reason.Have > have {
				most[g.Reason.Resource] = g.Reason.Have
			}
		}
	}
	for i := range t.Children {
		closest(&t.Children[i], most)
	}
}

// with is a vector with another amount of one resource.
func with(v shape.Vector, resource string, to int64) shape.Vector {
	have := v.Get(resource)
	var less shape.Vector
	switch resource {
	case shape.CPU:
		less.CPU = to - have
	case shape.Memory:
		less.Memory = to - have
	case shape.Ephemeral:
		less.Ephemeral = to - have
	default:
		less.Extended = []shape.Amount{{Resource: resource, Value: to - have}}
	}
	return v.Add(less)
}

// taints are those that pools and nodes have and the pods do not tolerate.
func taints(s *shape.Snapshot, class *shape.Class) (out []Change) {
	seen := map[shape.Taint]bool{}
	var all []shape.Toleration
	add := func(list []shape.Taint, where string) {
		for _, t := range list {
			if t.Effect == shape.PreferNoSchedule || seen[t] {
				continue
			}
			seen[t] = true
			tolerate := shape.Toleration{Key: t.Key, Value: t.Value, Effect: t.Effect}
			all = append(all, tolerate)
			out = append(
				out,
				relaxing(Taint, costTaint, "tolerate taint "+taintText(t)+" of "+where, func(c *shape.Class) {
					c.Tolerations = append(slices.Clip(c.Tolerations), tolerate)
				}),
			)
		}
	}
	for _, p := range s.Pools {
		add(p.Taints, "NodePool "+p.Name)
	}
	for _, n := range s.Nodes {
		add(s.Profiles[n.Profile].Taints, "node "+n.Name)
	}
	if len(all) > 1 && len(class.Tolerations) == 0 {
		out = append(out, relaxing(Taint, costAllTaints, "tolerate every taint", func(c *shape.Class) {
			c.Tolerations = append(slices.Clip(c.Tolerations), all...)
		}))
	}
	return out
}

var effects = map[shape.Effect]string{
	shape.NoSchedule:       "NoSchedule",
	shape.NoExecute:        "NoExecute",
	shape.PreferNoSchedule: "PreferNoSchedule",
}

func taintText(t shape.Taint) string {
	if t.Value == "" {
		return t.Key + ":" + effects[t.Effect]
	}
	return t.Key + "=" + t.Value + ":" + effects[t.Effect]
}

func spreads(class *shape.Class) (out []Change) {
	for _, sp := range class.Spread {
		if sp.Hard {
			what := "let the spread over " + sp.Key + " be a wish (whenUnsatisfiable: ScheduleAnyway)"
			out = append(out, relaxing(Spread, costSpread, what, func(c *shape.Class) {
				c.Spread = slices.DeleteFunc(
					slices.Clone(c.Spread),
					func(o shape.Spread) bool { return o.Hard && o.Key == sp.Key },
				)
			}))
		}
	}
	return out
}

// selectors are wishes for labels of nodes, key by key.
func selectors(class *shape.Class) (out []Change) {
	for _, r := range class.NodeSelector {
		kind, cost := kindOf(r.Key)
		out = append(out, relaxing(kind, cost, "drop "+Words(r)+" from the nodeSelector", func(c *shape.Class) {
			c.NodeSelector = slices.DeleteFunc(slices.Clone(c.NodeSelector), same(r))
		}))
	}
	for _, key := range keysOf(class.NodeTerms) {
		kind, cost := kindOf(key)
		what := "drop " + key + " from the required node affinity"
		out = append(out, relaxing(kind, cost+costTerm, what, func(c *shape.Class) {
			c.NodeTerms = without(c.NodeTerms, key)
		}))
	}
	if len(class.NodeTerms) > 0 || class.NoNode {
		out = append(out, relaxing(Selector, costAllTerms, "drop the required node affinity", func(c *shape.Class) {
			c.NodeTerms, c.NoNode = nil, false
		}))
	}
	return out
}

// same finds a requirement again.
func same(r shape.Requirement) func(shape.Requirement) bool {
	return func(o shape.Requirement) bool { return Words(o) == Words(r) }
}

func kindOf(key string) (Kind, int) {
	if key == shape.LabelZone {
		return Zone, costZone
	}
	return Selector, costSelector
}

func keysOf(terms []shape.NodeTerm) (out []string) {
	for _, t := range terms {
		for _, r := range t.Labels {
			if !slices.Contains(out, r.Key) {
				out = append(out, r.Key)
			}
		}
	}
	return out
}

// without are terms that do not ask for a key. One that asks for nothing else holds everywhere, and so do all together.
func without(terms []shape.NodeTerm, key string) []shape.NodeTerm {
	out := make([]shape.NodeTerm, 0, len(terms))
	for _, t := range terms {
		t.Labels = slices.DeleteFunc(slices.Clone(t.Labels), func(r shape.Requirement) bool { return r.Key == key })
		if len(t.Labels)+len(t.Names) == 0 {
			return nil
		}
		out = append(out, t)
	}
	return out
}

// Words are a requirement as people write it.
func Words(r shape.Requirement) string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Key, r.Operator, strings.Join(r.Values, ",")))
}

func neighbours(class *shape.Class) (out []Change) {
	for _, a := range class.Affinity {
		if a.Weight > 0 {
			continue
		}
		what := "drop the required pod affinity over " + a.Key
		if a.Anti {
			what = "drop the required pod anti-affinity over " + a.Key
		}
		out = append(out, relaxing(Affinity, costNeighbour, what, func(c *shape.Class) {
			c.Affinity = slices.DeleteFunc(
				slices.Clone(c.Affinity),
				func(o shape.PodTerm) bool { return o.Weight == 0 && o.Key == a.Key && o.Anti == a.Anti },
			)
		}))
	}
	return out
}

// others are ports, volumes, what pools exclude and wait for, and what nobody buys nodes for.
func others(s *shape.Snapshot, class *shape.Class) (out []Change) {
	if len(class.HostPorts) > 0 {
		out = append(out, relaxing(Port, costPort, "drop the host ports", func(c *shape.Class) { c.HostPorts = nil }))
	}
	if len(class.VolumeTerms)+len(class.Bindings)+len(class.Attach) > 0 {
		out = append(
			out,
			relaxing(Volume, costVolume, "use volumes that can be reached from more nodes", func(c *shape.Class) {
				c.VolumeTerms, c.Bindings, c.Attach = nil, nil, nil
			}),
		)
	}
	if class.Refused != "" {
		what := "mend what no node is bought for: " + class.Refused
		out = append(out, relaxing(Refusal, costRefusal, what, func(c *shape.Class) { c.Refused = "" }))
	}
	for i, p := range s.Pools {
		if p.NotReady != "" {
			what := "get NodePool " + p.Name + " ready: " + p.NotReady
			out = append(out, changing(Pool, costReady, what, i, func(p *shape.Pool) { p.NotReady = "" }))
		}
		for _, r := range p.Requirements {
			kind, cost := kindOf(r.Key)
			if kind == Selector {
				kind = Pool
			}
			what := "let NodePool " + p.Name + " buy beyond " + Words(r)
			out = append(out, changing(kind, cost+costPool, what, i, func(p *shape.Pool) {
				p.Requirements = slices.DeleteFunc(slices.Clone(p.Requirements), same(r))
			}))
		}
	}
	return out
}

// placed says where a pod goes in a plan.
func placed(d *engine.Decision, pod shape.PodID) (where string, ok bool) {
	for i := range d.Open {
		if slices.Contains(d.Open[i].Pods, pod) {
			o := d.Open[i].Options[0]
			return fmt.Sprintf("a new %s in %s from NodePool %s", o.Type, o.Zone, d.Open[i].Pool), true
		}
	}
	for _, p := range d.Place {
		if p.Pod == pod {
			return "node " + p.Node, true
		}
	}
	return "", false
}
