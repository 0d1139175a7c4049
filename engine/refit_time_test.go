package engine_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// app is a Deployment of a simulated cluster.
type app struct {
	name     string
	requests shape.Vector
	replicas int
}

// play is a cluster over time: Deployments are scaled, pods without room have nodes bought, empty nodes go, and what a
// refit proposes is done. Everything takes effect within a step.
type play struct {
	snapshot shape.Snapshot
	policy   refit.Policy
	apps     []app
	step     time.Duration // between two looks
	quiet    time.Duration // consolidateAfter
	budget   float64       // the share of nodes that may begin to go within turn; 0 for no budget
	turn     time.Duration
	ageless  bool // refits are not told how old nodes and pods are

	made    int                  // pods so far
	touched map[string]time.Time // by node: when a pod last came or went
	begun   []time.Time          // of nodes that went

	bought, replacements, evicted, removed int
	paid                                   float64 // dollars
}

func newPlay(w *enginetest.World, apps ...app) *play {
	for _, a := range apps {
		w.Pod(shape.PodID("default/"+a.name), shape.Class{Namespace: "default", Requests: a.requests})
	}
	p := &play{
		snapshot: w.Snapshot(), apps: apps, step: 10 * time.Second, turn: 30 * time.Second,
		touched: map[string]time.Time{},
	}
	p.snapshot.Pods = nil
	p.snapshot.Now = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	p.policy = free(p.snapshot)
	p.policy.Effort, p.policy.Plan.Effort, p.policy.Overlap = 50_000, 5_000, 20*time.Second
	return p
}

// scale gives each app so many pods: new ones are pending, and those go first that share a node with most of their
// kind, then the youngest, as with a ReplicaSet.
func (p *play) scale(to func(app) int) {
	for k := range p.apps {
		a := &p.apps[k]
		for n := to(*a); a.replicas < n; a.replicas++ {
			p.made++
			p.snapshot.Pods = append(p.snapshot.Pods, shape.Pod{
				ID: shape.PodID(
					fmt.Sprintf("default/%s-%06d", a.name, p.made),
				), Class: int32(k), Created: p.snapshot.Now, EvictionCost: 1000,
			})
		}
		p.shrink(int32(k), a.replicas-to(*a))
		a.replicas = to(*a)
	}
}

func (p *play) shrink(class int32, by int) {
	type ranked struct {
		pod  shape.Pod
		rank int
	}
	var list []ranked
	for _, n := range p.snapshot.Nodes {
		own := slices.DeleteFunc(slices.Clone(n.Pods), func(pod shape.Pod) bool { return pod.Class != class })
		for _, pod := range own {
			list = append(list, ranked{pod, len(own)})
		}
	}
	slices.SortStableFunc(list, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(b.rank, a.rank), b.pod.Created.Compare(a.pod.Created))
	})
	gone := map[shape.PodID]bool{}
	for _, r := range list[:max(min(by, len(list)), 0)] {
		gone[r.pod.ID] = true
	}
	p.change(func(n *shape.Node) {
		n.Pods = slices.DeleteFunc(slices.Clone(n.Pods), func(pod shape.Pod) bool { return gone[pod.ID] })
	})
}

// change rewrites nodes, and notes of which the pods are others than before.
func (p *play) change(how func(*shape.Node)) {
	p.snapshot.Nodes = slices.Clone(p.snapshot.Nodes)
	for i, n := range p.snapshot.Nodes {
		m := *n
		how(&m)
		m.Requested = nil
		p.snapshot.Nodes[i] = &m
		if len(m.Pods) != len(n.Pods) {
			p.touched[m.Name] = p.snapshot.Now
		}
	}
}

// pass lets a step go by.
func (p *play) pass() {
	p.paid += enginetest.Price(p.snapshot).Float() * p.step.Hours()
	p.snapshot.Now = p.snapshot.Now.Add(p.step)
	p.snapshot.Seed++
	if len(p.snapshot.Pods) > 0 {
		before := len(p.snapshot.Nodes)
		p.track(func() { p.snapshot = enginetest.Bought(p.snapshot, engine.Plan(p.snapshot, p.policy.Plan), cheapest) })
		p.bought += len(p.snapshot.Nodes) - before
	}
	p.change(func(n *shape.Node) { n.Unsettled = p.snapshot.Now.Sub(p.touched[n.Name]) < p.quiet })
	left := p.left()
	for name, pool := range p.policy.Pools {
		pool.Budget = left
		p.policy.Pools[name] = pool
	}
	for _, m := range refit.Refit(p.sight(), p.policy).Moves {
		if len(m.Open) == 0 && m.Pods == 0 && slices.ContainsFunc(m.Remove, p.early) {
			continue
		}
		for range m.Remove {
			p.begun = append(p.begun, p.snapshot.Now)
		}
		p.replacements += len(m.Open)
		p.evicted += m.Pods
		p.removed += len(m.Remove)
		p.track(func() { p.snapshot = enginetest.Moved(p.snapshot, m, cheapest) })
	}
}

// sight is the cluster as refits see it.
func (p *play) sight() shape.Snapshot {
	s := p.snapshot
	if p.ageless {
		s.Now = time.Time{}
	}
	return s
}

// early reports whether an empty node has not been quiet for the quarter of a minute that the controller waits.
func (p *play) early(node string) bool {
	return p.snapshot.Now.Sub(p.touched[node]) < 15*time.Second
}

// left is how many nodes may begin to go.
func (p *play) left() int {
	if p.budget == 0 {
		return -1
	}
	p.begun = slices.DeleteFunc(p.begun, func(at time.Time) bool { return p.snapshot.Now.Sub(at) >= p.turn })
	return max(int(math.Ceil(p.budget*float64(len(p.snapshot.Nodes))))-len(p.begun), 0)
}

// track notes which nodes a change of the snapshot gave other pods; pods that moved are new ones.
func (p *play) track(what func()) {
	at := map[shape.PodID]string{}
	for _, n := range p.snapshot.Nodes {
		for _, pod := range n.Pods {
			at[pod.ID] = n.Name
		}
	}
	what()
	p.change(func(n *shape.Node) {
		n.Pods = slices.Clone(n.Pods)
		for i := range n.Pods {
			if at[n.Pods[i].ID] != n.Name {
				n.Pods[i].Created = p.snapshot.Now
				p.touched[n.Name] = p.snapshot.Now
			}
		}
	})
}

func (p *play) String() string {
	return fmt.Sprintf("%d nodes bought for pods, %d for moves; %d went; %d evictions; "+
		"%d nodes for %s an hour now; $%.4f paid",
		p.bought, p.replacements, p.removed, p.evicted, len(p.snapshot.Nodes), enginetest.Price(p.snapshot), p.paid)
}

// What machines of a simulated market cost an hour: for each core, and for each 10^9 bytes.
const (
	corePrice shape.Money = 25_000
	gbPrice   shape.Money = 1_000
)

// market sells machines of three families with so many cores.
func market(cores ...int64) *enginetest.World {
	w := enginetest.NewWorld()
	for _, n := range cores {
		for family, ratio := range map[string]int64{"c": 2, "s": 4, "m": 8} {
			it := shape.InstanceType{
				Name:     fmt.Sprintf("%s-%dx", family, n),
				Capacity: shape.Vector{CPU: n * 1000, Memory: n * ratio << 30, Pods: min(16*n, 1024)},
			}
			it.Allocatable = it.Capacity
			it.Allocatable.CPU -= 100
			it.Allocatable.Memory -= 10 << 20
			price := shape.Money(n)*corePrice + gbPrice*shape.Money(it.Capacity.Memory/1000)/1_000_000
			it.Offerings = []shape.Offering{{Zone: "a", CapacityType: shape.OnDemand, Price: price, Available: true}}
			w.Type(it)
		}
	}
	return w
}

// flapping is an autoscaler between two counts, each for half a period, on machines of an ordinary catalogue.
func flapping(low, high int, period, during time.Duration, ageless bool) *play {
	p := newPlay(market(1, 2, 4, 8), app{name: "web", requests: shape.Vector{CPU: 700, Memory: 1 << 30, Pods: 1}})
	p.step, p.ageless = 5*time.Second, ageless
	for at := time.Duration(0); at < during; at += p.step {
		p.scale(func(app) int {
			if at%period < period/2 {
				return min(high, low<<(at%period/p.step)) // it doubles until it is enough
			}
			return low
		})
		p.pass()
	}
	return p
}

// descending is four Deployments that are scaled from 600 pods to 280 two minutes after they came, under a budget of a
// tenth.
func descending(during time.Duration, ageless bool) *play {
	w := market(1, 2, 4, 8, 16, 32, 48, 64, 96, 128, 192, 256)
	p := newPlay(w,
		app{name: "small", requests: shape.Vector{CPU: 250, Memory: 512 << 20, Pods: 1}},
		app{name: "memory", requests: shape.Vector{CPU: 900, Memory: 3 << 30, Pods: 1}},
		app{name: "spread", requests: shape.Vector{CPU: 700, Memory: 1500 << 20, Pods: 1}},
		app{name: "compute", requests: shape.Vector{CPU: 1700, Memory: 1 << 30, Pods: 1}})
	p.quiet, p.budget, p.ageless = 30*time.Second, 0.1, ageless
	counts := map[string]int{"small": 160, "memory": 160, "spread": 140, "compute": 140}
	for share := range 10 { // they are created over a minute and a half
		p.scale(func(a app) int { return counts[a.name] * (share + 1) / 10 })
		p.pass()
	}
	for range 3 {
		p.pass()
	}
	p.scale(func(app) int { return 70 })
	p.bought, p.replacements, p.evicted, p.removed, p.paid = 0, 0, 0, 0, 0
	for at := time.Duration(0); at < during; at += p.step {
		p.pass()
	}
	return p
}

// bound is what the pods' cores and memory cost if machines could be bought in fractions.
func (p *play) bound() (bound float64) {
	for _, n := range p.snapshot.Nodes {
		for _, pod := range n.Pods {
			r := p.snapshot.Classes[pod.Class].Requests
			bound += float64(r.CPU)/1000*corePrice.Float() + float64(r.Memory)/1e9*gbPrice.Float()
		}
	}
	return bound
}

// The moves that a fleet of half a minute seems to be worth are undone with it half a minute later.
func TestAFlappingAutoscalerHasNoFleetsReplaced(t *testing.T) {
	t.Parallel()
	for _, period := range []time.Duration{time.Minute, 4 * time.Minute} {
		trusting, p := flapping(2, 10, period, 5*period, true), flapping(2, 10, period, 5*period, false)
		t.Logf("period %s:\n%s\nif every saving lasted for an hour:\n%s", period, p, trusting)
		if p.replacements > 4 || p.evicted > 10 {
			t.Errorf(
				"period %s: %d nodes were bought for moves, with %d evictions, want 4 and 10 at most", period,
				p.replacements, p.evicted,
			)
		}
		if trusting.replacements < 10 {
			t.Errorf(
				"period %s: %d nodes are bought for moves whatever their age: the play shows nothing", period,
				trusting.replacements,
			)
		}
		if p.paid > 1.2*trusting.paid {
			t.Errorf("period %s: $%.4f paid, with all those moves $%.4f", period, p.paid, trusting.paid)
		}
	}
}

// What is bought for pods that come has lived for a minute or two when they go again, which is enough to be moved at
// once.
func TestAScaleDownIsAsFastAsIfItsFleetWereOld(t *testing.T) {
	t.Parallel()
	trusting, p := descending(8*time.Minute, true), descending(8*time.Minute, false)
	t.Logf("\n%s\nif every saving lasted for an hour:\n%s", p, trusting)
	if p.paid > 1.01*trusting.paid {
		t.Errorf("$%.4f paid in eight minutes, with an old fleet $%.4f", p.paid, trusting.paid)
	}
	if p.replacements > trusting.replacements || p.evicted > trusting.evicted {
		t.Errorf(
			"%d nodes were bought for moves, with %d evictions; with an old fleet %d and %d", p.replacements, p.evicted,
			trusting.replacements, trusting.evicted,
		)
	}
	if price, bound := enginetest.Price(p.snapshot).Float(), p.bound(); price > 1.06*bound {
		t.Errorf("the fleet costs %.3f times its bound in the end", price/bound)
	}
}
