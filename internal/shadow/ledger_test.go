package shadow

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/view"
)

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// machine is a node that costs so many dollars an hour.
func machine(name string, dollars float64, phase view.Phase) view.Machine {
	return view.Machine{Name: name, Claim: "claim-" + name, Pool: "web", InstanceType: "m6i.large",
		CapacityType: "on-demand", Phase: phase, Price: view.PerHour(shape.Dollars(dollars)), PriceFrom: "catalogue"}
}

// sight is a cluster of such machines, each with a claim that is an hour old, so long after noon.
func sight(after time.Duration, machines ...view.Machine) Sight {
	s := Sight{At: noon.Add(after), Nodes: machines, Claims: map[string]view.Life{}, Waiting: map[string]time.Time{},
		Pods: map[string]Pod{}}
	for i := range machines {
		c := machines[i].Claim
		s.Claims[c] = view.Life{UID: c, Claim: c, Pool: "web", InstanceType: "m6i.large", CapacityType: "on-demand",
			Created: noon.Add(-time.Hour)}
	}
	s.price()
	return s
}

// An hour of another controller: it buys for a pod that waits, empties a node, and takes it away.
func TestAnHourOfAnotherController(t *testing.T) {
	t.Parallel()
	l := New("test")
	first := sight(0, machine("a", 1, view.Ready))
	first.Waiting["shop/web-0"] = noon.Add(-10 * time.Second)
	first.Pods["uid-1"] = Pod{Name: "shop/web-1", Node: "a"}
	first.Pods["uid-2"] = Pod{Name: "shop/web-2", Node: "a"}
	l.See(first)
	if l.Fresh() != 1 {
		t.Errorf("%d pods are to be thought about, want 1", l.Fresh())
	}
	plan := view.Plan{PricePerHour: 0.25, Nodes: []view.Node{{Pool: "web", InstanceType: "c6a.large",
		CapacityType: "spot", Price: 0.25, Pods: []string{"shop/web-0"}}}}
	l.Think(Thought{Plan: &plan, Answer: plan})
	if l.Fresh() != 0 {
		t.Error("a pod is thought about twice")
	}

	bought := sight(30*time.Minute, machine("a", 1, view.Draining), machine("b", 0.5, view.Ready))
	bought.Pods["uid-0"] = Pod{Name: "shop/web-0", Node: "b", Bound: noon.Add(50 * time.Second)}
	bought.Pods["uid-1"] = Pod{Name: "shop/web-1", Node: "a"}
	bought.Pods["uid-2"] = Pod{Name: "shop/web-2", Node: "a", Evicted: true}
	l.See(bought)
	if !l.Changed() {
		t.Error("a claim came, and nothing changed")
	}
	empty := view.Plan{}
	l.Think(Thought{Plan: &empty, Moves: &view.Moves{Together: view.Sum{Saving: 0.5}, Moves: []view.Move{
		{GiveUp: []string{"b"}, Evicted: 1, Price: 0.5}}}})

	end := sight(time.Hour, machine("b", 0.5, view.Ready))
	end.Pods["uid-0"] = bought.Pods["uid-0"]
	end.Pods["uid-3"] = Pod{Name: "shop/web-3", Node: "b"} // in place of web-1 and web-2
	l.See(end)

	r := l.Report()
	want := view.Shadow{
		Money: view.ShadowMoney{Now: 500_000, Then: 0, Paid: 1.25, WouldHave: 0.5*1.25 + 0.5*1.0,
			Sources: map[string]int{"catalogue": 1}},
		Karpenter: view.Deeds{Removed: 1, Evicted: 2, Reasons: map[string]int{"deleted": 1},
			Bought: []view.Purchase{{Nodes: 1, Pool: "web", InstanceType: "m6i.large", CapacityType: "on-demand",
				Price: 500_000}}},
		Dovetail: view.Deeds{Removed: 1, Evicted: 1, Reasons: map[string]int{"Underutilized": 1},
			Bought: []view.Purchase{{Nodes: 1, Pool: "web", InstanceType: "c6a.large", CapacityType: "spot",
				Price: 250_000}}},
		Waited: view.Waits{Pods: 1, Placed: 1, Half: 60, Most: 60, Opened: 1, Reasons: []string{}},
	}
	got := view.Shadow{Money: r.Money, Karpenter: r.Karpenter, Dovetail: r.Dovetail, Waited: r.Waited}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(r.Claims) != 2 || r.Looks != 2 {
		t.Errorf("%d claims came or went in %d looks, want 2 and 2", len(r.Claims), r.Looks)
	}
}

// A pod that finishes on a node that stays, and one that never got a node, were evicted by nobody.
func TestWhoWasNotEvicted(t *testing.T) {
	t.Parallel()
	l := New("test")
	first := sight(0, machine("a", 1, view.Ready))
	first.Pods["uid-1"] = Pod{Name: "shop/job", Node: "a"}
	first.Waiting["shop/never"] = noon
	l.See(first)
	l.See(sight(time.Minute, machine("a", 1, view.Ready)))
	if r := l.Report(); r.Karpenter.Evicted != 0 || r.Waited.Placed != 0 || r.Waited.Still != 0 || r.Waited.Pods != 1 {
		t.Errorf("%+v, %+v", r.Karpenter, r.Waited)
	}
}

// The same move is found at every look; its nodes and evictions count once.
func TestAMoveCountsOnce(t *testing.T) {
	t.Parallel()
	l := New("test")
	moves := &view.Moves{Moves: []view.Move{
		{GiveUp: []string{"a", "b"}, Evicted: 5, Price: 2, Instead: 1},
		{GiveUp: []string{"new-1"}, Evicted: 5}, // a later round, of a node that the first would open
	}}
	for i := range 3 {
		s := sight(time.Duration(i)*time.Minute, machine("a", 1, view.Ready), machine("b", 1, view.Ready))
		l.See(s)
		l.Think(Thought{Moves: moves})
	}
	if r := l.Report(); r.Dovetail.Removed != 2 || r.Dovetail.Evicted != 5 {
		t.Errorf("%d nodes and %d pods, want 2 and 5", r.Dovetail.Removed, r.Dovetail.Evicted)
	}
}

// What was paid is the price of the time in between, whatever else happens.
func TestPaidIsPriceByTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l, at, paid, would := New("test"), time.Duration(0), 0.0, 0.0
		price, delta := 0.0, 0.0
		for i := range rapid.IntRange(2, 12).Draw(t, "looks") {
			step := time.Duration(rapid.IntRange(1, 7200).Draw(t, "seconds")) * time.Second
			if i > 0 {
				at += step
				paid += price * step.Hours()
				would += (price + delta) * step.Hours()
			}
			price = float64(rapid.IntRange(0, 1000).Draw(t, "cents")) / 100
			saving := float64(rapid.IntRange(-100, 100).Draw(t, "saving")) / 100
			l.See(sight(at, machine("a", price, view.Ready)))
			l.Think(Thought{Moves: &view.Moves{Together: view.Sum{Saving: saving}}})
			delta = -saving
		}
		r := l.Report()
		if math.Abs(r.Money.Paid-paid) > 1e-5 || math.Abs(r.Money.WouldHave-would) > 1e-5 {
			t.Fatalf("paid %v and %v, want %v and %v", r.Money.Paid, r.Money.WouldHave, paid, would)
		}
	})
}
