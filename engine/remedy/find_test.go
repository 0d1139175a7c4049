package remedy_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/remedy"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// TestWhatIsOfferedWorks takes random clusters, makes the change that is offered for each pod without a place, and has
// the laws judge the plan that comes of it: they share no code with the planner. Not all pods can be helped, but nearly
// all, and whoever is offered something is helped by it.
func TestWhatIsOfferedWorks(t *testing.T) {
	t.Parallel()
	var asked, offered, works, single atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		s := enginetest.Snapshots().Draw(rt, "snapshot")
		p := engine.DefaultPolicy()
		p.Effort = 200
		d := engine.Plan(s, p)
		for i := range d.Unplaced {
			if i == 2 { // pods of one cluster are alike
				return
			}
			pod := d.Unplaced[i].Pod
			asked.Add(1)
			r, ok := remedy.Find(s, p, pod)
			if !ok {
				continue
			}
			offered.Add(1)
			if len(r.Changes) == 1 {
				single.Add(1)
			}
			after := r.Apply(s)
			then := engine.Plan(after, p)
			if err := enginetest.Check(after, p, then); err != nil {
				rt.Fatalf("with %s the plan is none: %v", r.Sentence(), err)
			}
			if has(&then, pod) {
				works.Add(1)
			}
		}
	})
	t.Logf(
		"%d pods without a place: %d were offered a change, %d a single one; it works for %d",
		asked.Load(),
		offered.Load(),
		single.Load(),
		works.Load(),
	)
	if asked.Load() < 50 && !testing.Short() { // rapid tries fewer when it is short
		t.Fatalf("only %d pods had no place: the suite shows nothing", asked.Load())
	}
	if works.Load()*100 < offered.Load()*99 {
		t.Errorf("%d of %d changes work, want 99 %%", works.Load(), offered.Load())
	}
	if offered.Load()*100 < asked.Load()*90 {
		t.Errorf("%d of %d pods were offered a change, want 90 %%", offered.Load(), asked.Load())
	}
}

func has(d *engine.Decision, pod shape.PodID) bool {
	for i := range d.Unplaced {
		if d.Unplaced[i].Pod == pod {
			return false
		}
	}
	return true
}

// TestFindDoesNotWriteToItsInput plans before and after.
func TestFindDoesNotWriteToItsInput(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := enginetest.Snapshots().Draw(rt, "snapshot")
		p := engine.DefaultPolicy()
		p.Effort = 0
		before := engine.Plan(s, p)
		for i := range before.Unplaced {
			remedy.Find(s, p, before.Unplaced[i].Pod)
			break
		}
		after := engine.Plan(s, p)
		if len(before.Unplaced) != len(after.Unplaced) || before.Price != after.Price {
			rt.Fatal("asking changed the Snapshot")
		}
	})
}

// one is a cluster with one machine type of 4 cores and a pod that asks for so many.
func one(cores int64, change func(*shape.Class, *shape.Pool)) shape.Snapshot {
	class := &shape.Class{Namespace: "default", Requests: shape.Vector{CPU: cores * 1000, Memory: 1 << 30, Pods: 1}}
	pool := &shape.Pool{Name: "web", Types: []int32{0}}
	change(class, pool)
	it := &shape.InstanceType{
		Name:        "c4",
		Capacity:    shape.Vector{CPU: 4000, Memory: 8 << 30, Pods: 50},
		Allocatable: shape.Vector{CPU: 3900, Memory: 7 << 30, Pods: 50},
	}
	it.Offerings = []shape.Offering{{Zone: "a", CapacityType: shape.OnDemand, Price: 100_000, Available: true}}
	return shape.Snapshot{
		Classes: []*shape.Class{class},
		Pods:    []shape.Pod{{ID: "default/p"}},
		Pools:   []*shape.Pool{pool},
		Types:   []*shape.InstanceType{it},
	}
}

// TestNoMoreIsTakenAwayThanMust has two types, of which the one that came closest in processors is too small in memory.
func TestNoMoreIsTakenAwayThanMust(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		amounts := rapid.Int64Range(1, 64)
		s := one(0, func(c *shape.Class, p *shape.Pool) {
			c.Requests.CPU = 1000 * amounts.Draw(rt, "cores")
			c.Requests.Memory = amounts.Draw(rt, "memory") << 30
			p.Types = []int32{0, 1, 2}
		})
		for i := range 3 {
			it := *s.Types[0]
			it.Name = string('a' + rune(i))
			it.Allocatable.CPU = 1000 * amounts.Draw(rt, "has cores")
			it.Allocatable.Memory = amounts.Draw(rt, "has memory") << 30
			it.Capacity = it.Allocatable
			s.Types = append(s.Types, &it)
		}
		s.Types = s.Types[1:]
		r, ok := remedy.Find(s, engine.DefaultPolicy(), "default/p")
		if !ok || r.Changes[0].Kind != remedy.Request || len(r.Changes) > 1 {
			return
		}
		asks := r.Apply(s)
		got := asks.Classes[len(asks.Classes)-1].Requests
		if !fits(s, got) {
			rt.Fatalf("%s, and nothing has that much", r.Sentence())
		}
		want := s.Classes[0].Requests
		for _, more := range []shape.Vector{
			{CPU: want.CPU / 500, Pods: 0}, {Memory: want.Memory / 500},
		} {
			more = got.Add(more)
			if more.CPU <= want.CPU && more.Memory <= want.Memory && fits(s, more) {
				rt.Errorf("%s, and %v would fit", r.Sentence(), more)
			}
		}
	})
}

// fits is whether a type has so much.
func fits(s shape.Snapshot, v shape.Vector) bool {
	for _, it := range s.Types {
		if v.CPU <= it.Allocatable.CPU && v.Memory <= it.Allocatable.Memory {
			return true
		}
	}
	return false
}

func TestTheSmallestChangeIsNamedInNumbers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		cores  int64
		change func(*shape.Class, *shape.Pool)
		kind   remedy.Kind
		says   string
	}{
		"too large": {6, func(*shape.Class, *shape.Pool) {}, remedy.Request,
			"ask for at most 3900m cpu (it asks for 6)"},
		"tainted": {1, func(_ *shape.Class, p *shape.Pool) {
			p.Taints = []shape.Taint{{Key: "team", Value: "a", Effect: shape.NoSchedule}}
		}, remedy.Taint, "tolerate taint team=a:NoSchedule of NodePool web"},
		"limited": {1, func(_ *shape.Class, p *shape.Pool) {
			p.Limits = []shape.Limit{{Resource: shape.CPU, Max: 10_000, Used: 9_000}}
		}, remedy.Limit, "raise the limit of NodePool web on cpu from 10 to 13"},
		"in no zone": {1, func(c *shape.Class, _ *shape.Pool) {
			c.NodeSelector = []shape.Requirement{{Key: shape.LabelZone, Operator: shape.In, Values: []string{"z"}}}
		}, remedy.Zone, "drop topology.kubernetes.io/zone In z from the nodeSelector"},
		"two things": {1, func(c *shape.Class, p *shape.Pool) {
			c.NodeSelector = []shape.Requirement{{Key: "disk", Operator: shape.In, Values: []string{"fast"}}}
			p.Taints = []shape.Taint{{Key: "team", Effect: shape.NoSchedule}}
		}, remedy.Taint, "tolerate taint team:NoSchedule of NodePool web, and drop disk In fast from the nodeSelector"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, ok := remedy.Find(one(tc.cores, tc.change), engine.DefaultPolicy(), "default/p")
			if !ok {
				t.Fatal("nothing was offered")
			}
			if r.Changes[0].Kind != tc.kind || !strings.HasPrefix(r.Sentence(), tc.says) {
				t.Errorf("%s: %s, want %s: %s", r.Changes[0].Kind, r.Sentence(), tc.kind, tc.says)
			}
		})
	}
}
