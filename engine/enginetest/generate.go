package enginetest

import (
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Snapshots draws small clusters with every kind of constraint.
func Snapshots() *rapid.Generator[shape.Snapshot] {
	return rapid.Custom(func(t *rapid.T) shape.Snapshot {
		w := NewWorld()
		g := &generator{t: t, w: w}
		for i := range rapid.IntRange(1, 4).Draw(t, "types") {
			g.instanceType(i)
			w.types[len(w.types)-1].LastResort = g.chance("last resort")
		}
		for i := range rapid.IntRange(1, 3).Draw(t, "pools") {
			g.pool(i)
		}
		if g.chance("daemon") {
			c := shape.Class{Namespace: "system", Requests: shape.Vector{CPU: 100, Pods: 1}}
			if g.chance("daemon in a") {
				c.NodeSelector = []shape.Requirement{{Key: shape.LabelZone, Values: []string{"a"}}}
			}
			w.Daemon("system/agent", c)
		}
		for i := range rapid.IntRange(0, 3).Draw(t, "nodes") {
			g.node(i)
		}
		n := 0
		for range rapid.IntRange(1, 5).Draw(t, "classes") {
			c := g.class()
			for range rapid.IntRange(1, 4).Draw(t, "pods") {
				w.Pod(shape.PodID(fmt.Sprintf("default/p%02d", n)), c)
				n++
			}
		}
		return w.Snapshot()
	})
}

type generator struct {
	t *rapid.T
	w *World

	once bool // a running pod has the claim that is open to one at a time
}

func (g *generator) chance(what string) bool { return rapid.IntRange(0, 3).Draw(g.t, what) == 0 }

func (g *generator) pick(what string, from ...string) string {
	return rapid.SampledFrom(from).Draw(g.t, what)
}

func (g *generator) instanceType(i int) {
	size := rapid.Int64Range(1, 8).Draw(g.t, "cores")
	v := shape.Vector{
		CPU: size * 1000, Memory: size * rapid.SampledFrom([]int64{1, 2, 4}).Draw(g.t, "ratio") << 30,
		Pods: rapid.Int64Range(2, 8).Draw(g.t, "pod slots"),
	}
	it := shape.InstanceType{Name: fmt.Sprintf("t%d", i), Capacity: v, Allocatable: v}
	it.Requirements = []shape.Requirement{
		{Key: shape.LabelArch, Values: []string{g.pick("arch", "amd64", "amd64", "arm64")}},
	}
	for _, zone := range []string{"a", "b", "c"} {
		for _, capacity := range []string{shape.OnDemand, shape.Spot} {
			if g.chance("no " + zone) {
				continue
			}
			it.Offerings = append(it.Offerings, shape.Offering{
				Zone: zone, CapacityType: capacity, Available: !g.chance("sold out"),
				Price: shape.Money(rapid.IntRange(1, 50).Draw(g.t, "price") * 1000),
			})
		}
	}
	if g.chance("twins") {
		for i := range it.Offerings {
			twin := it.Offerings[i]
			it.Offerings[i].Extra = []shape.Label{{Key: "tenancy", Value: "default"}}
			twin.Extra, twin.Available, twin.Price = []shape.Label{
				{Key: "tenancy", Value: "dedicated"},
			}, !g.chance("twin sold out"), twin.Price+500
			it.Offerings = append(it.Offerings, twin)
		}
	}
	g.w.Type(it)
}

func (g *generator) pool(i int) {
	p := shape.Pool{Name: fmt.Sprintf("pool%d", i), Weight: int32(rapid.IntRange(0, 1).Draw(g.t, "weight"))}
	if g.chance("taint") {
		p.Taints = []shape.Taint{
			{Key: "team", Value: "x", Effect: rapid.SampledFrom([]shape.Effect{
				shape.NoSchedule, shape.PreferNoSchedule,
			}).Draw(g.t, "effect")},
		}
	}
	if g.chance("limit") {
		p.Limits = []shape.Limit{{Resource: shape.CPU, Max: rapid.Int64Range(1, 20).Draw(g.t, "max") * 1000}}
	}
	if g.chance("pool zone") {
		p.Requirements = append(p.Requirements, shape.Requirement{
			Key: shape.LabelZone, Operator: shape.NotIn, Values: []string{"b"},
		})
	}
	if g.chance("pool label") {
		p.Labels = []shape.Label{{Key: "tier", Value: "gold"}}
	}
	if g.chance("free label") {
		p.Requirements = append(p.Requirements, shape.Requirement{
			Key:      "color",
			Operator: rapid.SampledFrom([]shape.Operator{shape.Exists, shape.NotIn}).Draw(g.t, "free operator"),
			Values:   nil,
		})
	}
	if g.chance("min values") {
		p.Requirements = append(p.Requirements, shape.Requirement{
			Key: g.pick(
				"min values of", shape.LabelInstanceType, shape.LabelInstanceType, shape.LabelArch,
			), Operator: shape.Exists, MinValues: 2,
		})
	}
	g.w.Pool(p)
}

func (g *generator) node(i int) {
	name := fmt.Sprintf("node%d", i)
	n := shape.Node{
		Name: name, Hostname: name, Pool: "pool0", Allocatable: shape.Vector{CPU: 4000, Memory: 8 << 30, Pods: 6},
	}
	n.Stage = rapid.SampledFrom([]shape.Stage{
		shape.Ready, shape.Ready, shape.Joined, shape.Launching, shape.Leaving,
	}).Draw(g.t, "stage")
	n.Zone = g.pick("zone", "a", "b")
	p := shape.Profile{
		Labels: []shape.Label{
			{Key: shape.LabelNodePool, Value: "pool0"}, {Key: shape.LabelArch, Value: "amd64"},
			{Key: shape.LabelZone, Value: n.Zone},
		},
	}
	if g.chance("tainted") {
		p.Taints = []shape.Taint{{Key: "team", Value: "x", Effect: shape.NoSchedule}}
	}
	n.Profile = g.w.Profile(p)
	for k := range rapid.IntRange(0, 3).Draw(g.t, "running") {
		c := shape.Class{
			Namespace: "default", Labels: g.labels(), Requests: shape.Vector{CPU: 500, Memory: 512 << 20, Pods: 1},
		}
		if g.chance("running apart") {
			c.Affinity = []shape.PodTerm{
				{Key: g.pick("key", shape.LabelZone, shape.LabelHostname), Anti: true, Selector: g.selector()},
			}
		}
		if g.chance("running claim") && n.Stage != shape.Leaving {
			g.claimOn(&c, n.Zone)
		}
		n.Pods = append(n.Pods, shape.Pod{ID: shape.PodID(fmt.Sprintf("default/r%d-%d", i, k)), Class: g.w.Class(c)})
	}
	g.w.Node(n)
}

func (g *generator) labels() []shape.Label {
	return []shape.Label{{Key: "app", Value: g.pick("app", "web", "db", "job")}}
}

func (g *generator) selector() shape.Selector {
	return shape.Selector{
		Requirements: []shape.Requirement{{Key: "app", Values: []string{g.pick("selects", "web", "db", "job")}}},
	}
}

func (g *generator) class() shape.Class {
	c := shape.Class{Namespace: "default", Labels: g.labels(), Requests: shape.Vector{Pods: 1,
		CPU:    rapid.SampledFrom([]int64{100, 250, 500, 1000, 3000}).Draw(g.t, "cpu"),
		Memory: rapid.SampledFrom([]int64{128, 512, 1024, 4096}).Draw(g.t, "memory") << 20}}
	if g.chance("selector") {
		c.NodeSelector = []shape.Requirement{
			{Key: g.pick("select", shape.LabelZone, "color", "tier"), Values: []string{
				g.pick("value", "a", "b", "red", "gold"),
			}},
		}
	}
	if g.chance("terms") {
		c.NodeTerms = []shape.NodeTerm{
			{Labels: []shape.Requirement{{Key: shape.LabelArch, Values: []string{"arm64"}}}},
			{Labels: []shape.Requirement{
				{Key: g.pick("term key", shape.LabelZone, "color"), Operator: shape.In, Values: []string{
					g.pick("term value", "a", "blue"),
				}},
			}},
		}
	}
	if g.chance("tenancy") {
		own := shape.Requirement{Key: "tenancy", Values: []string{g.pick("own", "dedicated", "dedicated", "default")}}
		switch g.pick("how", "selector", "term", "terms") {
		case "selector":
			c.NodeSelector = []shape.Requirement{own}
		case "term":
			c.NodeTerms = []shape.NodeTerm{{Labels: []shape.Requirement{own}}}
		case "terms":
			c.NodeTerms = []shape.NodeTerm{
				{Labels: []shape.Requirement{own}},
				{Labels: []shape.Requirement{{Key: shape.LabelZone, Values: []string{"a"}}}},
			}
		}
	}
	if g.chance("tolerates") {
		c.Tolerations = []shape.Toleration{{Key: "team", Exists: true}}
	}
	if g.chance("port") {
		c.HostPorts = []shape.HostPort{{Protocol: "TCP", Port: 80}}
	}
	if g.chance("priority") {
		c.Priority = 100
	}
	g.neighbours(&c)
	g.claims(&c)
	if g.chance("prefers") {
		c.PreferredNodes = []shape.PreferredNodes{
			{Weight: 5, Term: shape.NodeTerm{
				Labels: []shape.Requirement{{Key: shape.LabelZone, Values: []string{"c"}}},
			}},
		}
	}
	return c
}

func (g *generator) neighbours(c *shape.Class) {
	key := func() string {
		return g.pick("topology", shape.LabelZone, shape.LabelHostname, shape.LabelCapacityType)
	}
	if g.chance("spread") {
		s := shape.Spread{
			Key: key(), MaxSkew: int32(rapid.IntRange(1, 2).Draw(g.t, "skew")), Hard: !g.chance("soft"),
			Selector: shape.Selector{
				Requirements: []shape.Requirement{{Key: "app", Values: []string{c.Labels[0].Value}}},
			},
		}
		if g.chance("min domains") {
			s.MinDomains = 2
		}
		c.Spread = append(c.Spread, s)
	}
	for _, anti := range []bool{false, true} {
		if !g.chance("term") {
			continue
		}
		term := shape.PodTerm{Key: key(), Anti: anti, Selector: g.selector()}
		if !anti {
			// Pods that need each other across classes are in the scripts.
			term.Selector = shape.Selector{
				Requirements: []shape.Requirement{{Key: "app", Values: []string{c.Labels[0].Value}}},
			}
		}
		if g.chance("weight") {
			term.Weight = 10
		}
		c.Affinity = append(c.Affinity, term)
	}
}

// claims gives a class volume claims that are not bound yet, or that one pod may use at a time.
func (g *generator) claims(c *shape.Class) {
	if !g.chance("claims") {
		return
	}
	if g.chance("own claim") {
		b := shape.Binding{Slots: g.slots(rapid.IntRange(1, 4).Draw(g.t, "volumes")), Made: g.chance("made")}
		if b.Made {
			b.Key = shape.LabelZone
		}
		bindTo(c, b)
		return
	}
	bindTo(c, g.sharedClaim(g.pick("claim", "zonal", "zonal", "static", "once")))
}

// sharedClaim is one that pods of several classes may use.
func (g *generator) sharedClaim(name string) shape.Binding {
	b := shape.Binding{Claim: "default/" + name}
	switch name {
	case "zonal":
		b.Made, b.Key = true, shape.LabelZone
	case "static":
		b.Slots = g.slots(2)
	case "once":
		b.Once = true
	}
	return b
}

// slots are the first n volumes of all.
func (g *generator) slots(n int) []shape.Slot {
	all := []shape.Slot{slotIn("v1", "a"), slotIn("v2", "b"), slotIn("v3", "b"), slotIn("v4", "*")}
	return all[:n]
}

// claimOn has a running pod use a claim, of those that a zone is right for whatever other pods do.
func (g *generator) claimOn(c *shape.Class, zone string) {
	switch {
	case zone == "a":
		bindTo(c, g.sharedClaim("zonal"))
	case g.once:
	default:
		g.once = true
		bindTo(c, g.sharedClaim("once"))
	}
}

// Shuffled is the same Snapshot with everything whose order must not matter in another order.
func Shuffled(s shape.Snapshot, seed uint64) shape.Snapshot {
	d := dice(seed)
	out := s
	at := permutation(&d, len(s.Classes))
	out.Classes = make([]*shape.Class, len(s.Classes))
	for i, c := range s.Classes {
		out.Classes[at[i]] = c
	}
	out.Pods = slices.Clone(s.Pods)
	for i := range out.Pods {
		out.Pods[i].Class = at[out.Pods[i].Class]
	}
	shuffle(&d, out.Pods)
	out.DaemonSets = slices.Clone(s.DaemonSets)
	for i := range out.DaemonSets {
		out.DaemonSets[i].Class = at[out.DaemonSets[i].Class]
	}
	out.Nodes = nil
	for _, n := range s.Nodes {
		m := *n
		m.Pods = slices.Clone(n.Pods)
		for i := range m.Pods {
			m.Pods[i].Class = at[m.Pods[i].Class]
		}
		out.Nodes = append(out.Nodes, &m)
	}
	shuffle(&d, out.Nodes)
	to := permutation(&d, len(s.Types))
	out.Types = make([]*shape.InstanceType, len(s.Types))
	for i, it := range s.Types {
		out.Types[to[i]] = it
	}
	out.Pools = nil
	for _, p := range s.Pools {
		q := *p
		q.Types = nil
		for _, i := range p.Types {
			q.Types = append(q.Types, to[i])
		}
		slices.Sort(q.Types)
		out.Pools = append(out.Pools, &q)
	}
	shuffle(&d, out.Pools)
	return out
}

func shuffle[T any](d *dice, list []T) {
	for i := len(list) - 1; i > 0; i-- {
		j := d.roll(i + 1)
		list[i], list[j] = list[j], list[i]
	}
}

func permutation(d *dice, n int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(i)
	}
	shuffle(d, out)
	return out
}
