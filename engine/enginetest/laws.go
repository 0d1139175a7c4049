package enginetest

import (
	"fmt"
	"slices"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Check holds a decision against the laws: every pod in exactly one place, no node overfull, labels
// and taints respected on every option, no limit exceeded, minValues kept or said to be relaxed, options ascending by
// price, the bound not above the price. It shares no code with the planner but label algebra and vectors.
func Check(s shape.Snapshot, p engine.Policy, d engine.Decision) error {
	c := newChecker(s, d)
	c.policy = p
	for _, law := range []func() error{
		c.everyPodOnce, c.existingNodes, c.newNodes, c.attachments, c.limits, c.minValues, c.prices, c.claims,
	} {
		if err := law(); err != nil {
			return err
		}
	}
	return c.neighbours()
}

// CheckPlaces is Check for a plan of which only the places and one option of each new node are known, by whomever it
// was made.
func CheckPlaces(s shape.Snapshot, d engine.Decision) error {
	c := newChecker(s, d)
	for _, law := range []func() error{c.existingNodes, c.newNodes, c.attachments, c.limits} {
		if err := law(); err != nil {
			return err
		}
	}
	return c.neighbours()
}

// attachments holds the volumes of pods on new nodes against how many can be attached there, whatever these are
// launched as.
func (c *checker) attachments() error {
	for _, n := range c.d.Open {
		used := c.attached(n.Pods)
		for _, o := range n.Options {
			it, _ := c.offering(c.pool(n.Pool), o)
			if err := attachable(it, used); err != nil {
				return fmt.Errorf("%s: %w", n.ID, err)
			}
		}
	}
	return nil
}

// attached counts the volumes of pods by driver, those that they share once.
func (c *checker) attached(pods []shape.PodID) map[string]int64 {
	used := map[string]int64{}
	seen := map[shape.Attach]bool{}
	for _, id := range pods {
		for _, a := range c.pods[id].Attach {
			if a.Volume == "" || !seen[a] {
				used[a.Driver]++
			}
			seen[a] = true
		}
	}
	return used
}

// attachable holds volumes by driver against what a type attaches.
func attachable(it *shape.InstanceType, used map[string]int64) error {
	for _, most := range it.Attachable {
		if n := used[most.Resource]; n > most.Value {
			return fmt.Errorf("%d volumes of %s on %s, which attaches %d", n, most.Resource, it.Name, most.Value)
		}
	}
	return nil
}

// CheckClaims holds a plan of which only the places are known against what volume claims allow: each has a volume
// that its pods reach, and no two of them the same one.
func CheckClaims(s shape.Snapshot, d engine.Decision) error { return newChecker(s, d).claims() }

func newChecker(s shape.Snapshot, d engine.Decision) *checker {
	c := &checker{s: s, d: d, pods: map[shape.PodID]*shape.Class{}, seen: map[shape.PodID]string{}}
	for i := range s.Pods {
		c.pods[s.Pods[i].ID] = s.Classes[s.Pods[i].Class]
	}
	return c
}

type checker struct {
	s      shape.Snapshot
	policy engine.Policy
	d      engine.Decision
	pods   map[shape.PodID]*shape.Class
	seen   map[shape.PodID]string
}

func (c *checker) everyPodOnce() error {
	note := func(id shape.PodID, where string) error {
		if c.pods[id] == nil {
			return fmt.Errorf("%s is in %s but was not asked for", id, where)
		}
		if c.seen[id] != "" {
			return fmt.Errorf("%s is in %s and in %s", id, c.seen[id], where)
		}
		c.seen[id] = where
		return nil
	}
	for _, p := range c.d.Place {
		if err := note(p.Pod, p.Node); err != nil {
			return err
		}
	}
	for _, n := range c.d.Open {
		for _, id := range n.Pods {
			if err := note(id, n.ID); err != nil {
				return err
			}
		}
	}
	for i := range c.d.Unplaced {
		u := &c.d.Unplaced[i]
		if err := note(u.Pod, "unplaced"); err != nil {
			return err
		}
		if u.Why.Sentence() == "" {
			return fmt.Errorf("%s is unplaced without a reason", u.Pod)
		}
	}
	if len(c.seen) != len(c.pods) {
		return fmt.Errorf("%d pods were asked for, %d were answered", len(c.pods), len(c.seen))
	}
	return nil
}

func (c *checker) existingNodes() error {
	placed := map[string][]shape.PodID{}
	for _, p := range c.d.Place {
		placed[p.Node] = append(placed[p.Node], p.Pod)
	}
	for _, n := range c.s.Nodes {
		if len(placed[n.Name]) == 0 {
			continue
		}
		if n.Stage == shape.Leaving {
			return fmt.Errorf("%s is being deleted and got pods", n.Name)
		}
		room := n.Allocatable
		for _, p := range n.Pods {
			room = room.Sub(c.s.Classes[p.Class].Requests)
		}
		sum := shape.Vector{}
		labels := append([]shape.Label{
			{Key: shape.LabelHostname, Value: n.Hostname},
		}, c.s.Profiles[n.Profile].Labels...)
		for _, id := range placed[n.Name] {
			sum = sum.Add(c.pods[id].Requests)
			if err := suits(c.pods[id], labelMap(labels), c.s.Profiles[n.Profile].Taints, n.Name); err != nil {
				return fmt.Errorf("%s on %s: %w", id, n.Name, err)
			}
		}
		if what, short := sum.Short(room); short {
			return fmt.Errorf("%s has too little %s: %d of %d", n.Name, what, sum.Get(what), room.Get(what))
		}
	}
	return nil
}

func labelMap(labels []shape.Label) []shape.Label {
	m := map[string]string{}
	for _, l := range labels {
		m[l.Key] = l.Value
	}
	return shape.LabelsOf(m)
}

// suits holds a pod against a node's labels and taints.
func suits(c *shape.Class, labels []shape.Label, taints []shape.Taint, name string) error {
	if key, ok := require.New(c.NodeSelector).HasLabels(labels); !ok {
		return fmt.Errorf("node selector %s does not hold", key)
	}
	for what, terms := range map[string][]shape.NodeTerm{
		"node affinity": c.NodeTerms, "volume topology": c.VolumeTerms, "what was bought in vain": c.Untried,
	} {
		held := len(terms) == 0
		for _, t := range terms {
			held = held || require.TermMatches(t, labels, name)
		}
		if !held {
			return fmt.Errorf("%s does not hold", what)
		}
	}
	for _, taint := range taints {
		ok := taint.Effect == shape.PreferNoSchedule
		for _, t := range c.Tolerations {
			key := t.Key == taint.Key || t.Key == "" && t.Exists
			ok = ok || key && (t.Exists || t.Value == taint.Value) && (t.Effect == shape.AnyEffect ||
				t.Effect == taint.Effect)
		}
		if !ok {
			return fmt.Errorf("taint %s is not tolerated", taint.Key)
		}
	}
	return nil
}

func (c *checker) newNodes() error {
	for _, n := range c.d.Open {
		if len(n.Pods) == 0 || len(n.Options) == 0 {
			return fmt.Errorf("%s has %d pods and %d options", n.ID, len(n.Pods), len(n.Options))
		}
		pool := c.pool(n.Pool)
		sum := shape.Vector{}
		for _, id := range n.Pods {
			sum = sum.Add(c.pods[id].Requests)
		}
		for i, o := range n.Options {
			if i > 0 && o.Price < n.Options[i-1].Price {
				return fmt.Errorf("%s: option %d is cheaper than the one before", n.ID, i)
			}
			it, off := c.offering(pool, o)
			if off == nil || !off.Available {
				return fmt.Errorf("%s: option %+v cannot be had", n.ID, o)
			}
			labels := c.labels(pool, it, off, n)
			room := it.Allocatable
			for _, ds := range c.s.DaemonSets {
				if class := c.s.Classes[ds.Class]; suits(class, labels, pool.Taints, "") == nil {
					room = room.Sub(class.Requests)
				}
			}
			if what, short := sum.Short(room); short {
				return fmt.Errorf(
					"%s on %s has too little %s: %d of %d", n.ID, o.Type, what, sum.Get(what), room.Get(what),
				)
			}
			for _, id := range n.Pods {
				if err := suits(c.pods[id], labels, pool.Taints, "new-"+n.ID); err != nil {
					return fmt.Errorf("%s on %s as %+v: %w", id, n.ID, o, err)
				}
			}
		}
		if err := c.remains(n, pool); err != nil {
			return err
		}
		if err := c.launched(n, pool, sum); err != nil {
			return err
		}
	}
	return nil
}

// remains holds that a node is not planned for a machine that its launch leaves out: of types of last resort there are
// either none or nothing but them. Launches that must keep several values of a label leave nothing out.
func (c *checker) remains(n engine.NewNode, pool *shape.Pool) error {
	if slices.ContainsFunc(pool.Requirements, func(r shape.Requirement) bool { return r.MinValues > 0 }) {
		return nil
	}
	last := 0
	for _, o := range n.Options {
		if it, _ := c.offering(pool, o); it != nil && it.LastResort {
			last++
		}
	}
	if last > 0 && last < len(n.Options) {
		return fmt.Errorf("%s has %d options of last resort among %d", n.ID, last, len(n.Options))
	}
	return nil
}

// launched holds what a claim may be launched from, by what it requires, against its pods: the cloud combines types,
// zones and capacity types as it likes.
func (c *checker) launched(n engine.NewNode, pool *shape.Pool, sum shape.Vector) error {
	wanted := require.New(n.Requirements)
	for _, i := range pool.Types {
		it := c.s.Types[i]
		for k := range it.Offerings {
			o := &it.Offerings[k]
			fits := o.Available && n.Options[0].Reservation == o.Reservation &&
				wanted.Get(shape.LabelInstanceType).Has(it.Name) &&
				wanted.Get(shape.LabelZone).Has(o.Zone) && wanted.Get(shape.LabelCapacityType).Has(o.CapacityType)
			for _, l := range o.Extra {
				fits = fits && wanted.Get(l.Key).Has(l.Value)
			}
			if !fits {
				continue
			}
			labels := c.labels(pool, it, o, n)
			if what, short := sum.Short(it.Allocatable); short {
				return fmt.Errorf(
					"%s may be launched on %s in %s, which has too little %s", n.ID, it.Name, o.Zone, what,
				)
			}
			for _, id := range n.Pods {
				if err := suits(c.pods[id], labels, pool.Taints, "new-"+n.ID); err != nil {
					return fmt.Errorf(
						"%s on %s, which may be launched as %s in %s with %v: %w", id, n.ID, it.Name, o.Zone, o.Extra,
						err,
					)
				}
			}
		}
	}
	return nil
}

func (c *checker) pool(name string) *shape.Pool {
	for _, p := range c.s.Pools {
		if p.Name == name {
			return p
		}
	}
	return &shape.Pool{}
}

func (c *checker) offering(p *shape.Pool, o engine.Option) (*shape.InstanceType, *shape.Offering) {
	for _, i := range p.Types {
		it := c.s.Types[i]
		for k := range it.Offerings {
			f := &it.Offerings[k]
			if it.Name == o.Type && f.Zone == o.Zone && f.CapacityType == o.CapacityType &&
				f.Reservation == o.Reservation && f.Price == o.Price {
				return it, f
			}
		}
	}
	return nil, nil
}

// labels are what a node launched from an option carries; of what is still open it gets some value.
func (c *checker) labels(p *shape.Pool, it *shape.InstanceType, o *shape.Offering, n engine.NewNode) []shape.Label {
	m := map[string]string{}
	for _, v := range require.New(n.Requirements).All() {
		if value, ok := v.Some(); ok && !v.HasAbsent() {
			m[v.Key()] = value
		}
	}
	for _, r := range it.Requirements {
		delete(m, r.Key)
		if value, ok := require.Of(r).And(require.New(n.Requirements).Get(r.Key)).Some(); ok {
			m[r.Key] = value
		}
	}
	for _, l := range p.Labels {
		m[l.Key] = l.Value
	}
	m[shape.LabelZone] = o.Zone
	m[shape.LabelCapacityType] = o.CapacityType
	m[shape.LabelInstanceType] = it.Name
	m[shape.LabelNodePool] = p.Name
	m[shape.LabelHostname] = "new-" + n.ID
	for _, l := range o.Extra {
		m[l.Key] = l.Value
	}
	return shape.LabelsOf(m)
}

// limits takes the largest option of each new node: that is what may be launched.
func (c *checker) limits() error {
	for _, p := range c.s.Pools {
		for _, l := range p.Limits {
			used, opened := l.Used, false
			for _, n := range c.d.Open {
				if n.Pool != p.Name {
					continue
				}
				opened = true
				most := int64(0)
				for _, o := range n.Options {
					it, _ := c.offering(p, o)
					most = max(most, it.Capacity.Get(l.Resource))
				}
				if l.Resource == shape.LimitNodes {
					most = 1
				}
				used += most
			}
			if opened && used > l.Max {
				return fmt.Errorf("pool %s exceeds its limit of %s: %d of %d", p.Name, l.Resource, used, l.Max)
			}
		}
	}
	return nil
}

// minValues counts what the options of each new node are of: what its pool asks for, or what the node's own
// requirements do if the policy lets them be lowered.
func (c *checker) minValues() error {
	for _, n := range c.d.Open {
		if n.Options[0].Reservation != "" {
			continue // it is launched from nothing else, whatever the pool wants
		}
		pool, relaxed := c.pool(n.Pool), false
		asked := require.New(n.Requirements)
		for _, r := range pool.Requirements {
			if r.MinValues == 0 {
				continue
			}
			values := map[string]bool{}
			for _, o := range n.Options {
				it, off := c.offering(pool, o)
				for _, l := range c.labels(pool, it, off, n) {
					if l.Key == r.Key {
						values[l.Value] = true
					}
				}
			}
			want := asked.Get(r.Key).MinValues()
			relaxed = relaxed || want < r.MinValues
			if len(values) < int(want) {
				return fmt.Errorf("%s: %s has %d values, and %d are asked for", n.ID, r.Key, len(values), want)
			}
		}
		if relaxed != n.Relaxed || relaxed && c.policy.MinValues == engine.MinValuesStrict {
			return fmt.Errorf(
				"%s: minValues of pool %s relaxed: %t, said to be %t, policy %d", n.ID, n.Pool, relaxed, n.Relaxed,
				c.policy.MinValues,
			)
		}
	}
	return nil
}

func (c *checker) prices() error {
	sum := shape.Money(0)
	for _, n := range c.d.Open {
		if n.Price != n.Options[0].Price {
			return fmt.Errorf("%s: price %s is not its cheapest option's %s", n.ID, n.Price, n.Options[0].Price)
		}
		sum += n.Price
	}
	if sum != c.d.Price {
		return fmt.Errorf("price is %s, nodes sum to %s", c.d.Price, sum)
	}
	if c.d.Bound > c.d.Price {
		return fmt.Errorf("bound %s is above the price %s", c.d.Bound, c.d.Price)
	}
	return nil
}
