package browser

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/dovetail-sh/dovetail/engine/explain"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// began is when samples are looked at.
var began = time.Date(2026, 11, 21, 15, 4, 5, 0, time.UTC)

// kind is an instance type as samples have them.
type kind struct {
	name     string
	cores    int64
	gib      int64
	onDemand view.PerHour // micro-dollars an hour
}

var kinds = []kind{
	{
		"c7g.xlarge",
		4,
		8,
		145_000,
	},
	{"m7g.2xlarge", 8, 32, 326_400},
	{"c6a.large", 2, 4, 76_500},
	{"r7g.xlarge", 4, 32, 214_200},
	{
		"m6i.4xlarge",
		16,
		64,
		768_000,
	},
	{"c7g.4xlarge", 16, 32, 580_000},
	{"g5.xlarge", 4, 16, 1_006_000},
	{"m7g.large", 2, 8, 81_600},
}

// pool is a NodePool as samples have them: which kinds it buys, and its share of the nodes.
type pool struct {
	name  string
	kinds []int
	share int
	spot  bool
}

var pools = []pool{
	{
		"general",
		[]int{0, 1, 4, 7},
		45,
		false,
	},
	{"batch-spot", []int{0, 2, 5}, 30, true},
	{"databases", []int{3}, 15, false},
	{"gpu", []int{6}, 10, false},
}

// Sample is a cluster of so many nodes, the same each time, with something of everything that the page can show.
func Sample(nodes int) *view.Page {
	dice := rand.New(rand.NewPCG(7, uint64(nodes)))
	f := view.Fleet{
		Header:  view.HeaderOf("Fleet"),
		At:      began,
		Source:  "https://10.0.0.1:6443",
		Nodes:   []view.Machine{},
		Pending: []view.Waiting{},
		Pools:   []view.Pool{},
		Moves:   []view.Course{},
	}
	page := &view.Page{APIVersion: view.APIVersion, Kind: "Page", Reservations: []view.Reservation{}}
	var lives []view.Life
	for i := range nodes {
		p := &pools[share(i*100/max(nodes, 1))]
		m := machine(dice, p, i, nodes)
		f.Nodes = append(f.Nodes, m)
		f.Money.Nodes++
		f.Money.PerHour += m.Price
		f.Money.Pools += m.Price
		lives = append(
			lives,
			view.Life{
				UID:          m.Claim,
				Claim:        m.Claim,
				Node:         m.Name,
				Pool:         m.Pool,
				Created:      m.Created,
				InstanceType: m.InstanceType,
				Zone:         m.Zone,
				CapacityType: m.CapacityType,
				Price:        m.Price,
				Came:         fmt.Sprintf("for pod shop/web-%05d and %d more", i*37%99999, 2+i%9),
			},
		)
	}
	lives = append(lives, past(dice, nodes)...)
	page.Decisions = view.Decisions(lives)
	for _, point := range view.Series(lives, began) {
		point.Bound = point.Price * 91 / 100
		page.Series = append(page.Series, point)
	}
	f.Money.Bound, f.Money.Thought = f.Money.Pools*91/100, true
	fill(&f, nodes)
	for _, name := range []string{"disruption", "node.termination", "nodeclaim.lifecycle", "nodepool", "provisioner",
		"interruption"} {
		page.Loops = append(
			page.Loops,
			view.Loop{
				Name:    name,
				Healthy: name != "interruption" || nodes < 100,
				Runs:    1200 + int64(len(name)*nodes),
				Errors:  int64(len(name) % 3),
			},
		)
	}
	page.Fleet = f
	return page
}

// share is the pool of a node that is so many percent into the fleet.
func share(percent int) int {
	for i := range pools {
		if percent < pools[i].share {
			return i
		}
		percent -= pools[i].share
	}
	return 0
}

func machine(dice *rand.Rand, p *pool, i, of int) view.Machine {
	k := kinds[p.kinds[dice.IntN(len(p.kinds))]]
	m := view.Machine{
		Name: fmt.Sprintf(
			"ip-10-0-%d-%d.ec2.internal",
			i/250,
			4+i%250,
		),
		Claim: fmt.Sprintf("%s-%05x", p.name, 0x1a2b+i*977),
		Pool:  p.name,
		Phase: view.Ready,
		Created: began.Add(
			-time.Duration(1+dice.IntN(5*60)) * time.Minute,
		),
		InstanceType: k.name,
		Zone:         "us-east-1" + string(rune('a'+dice.IntN(3))),
		CapacityType: "on-demand",
		Arch:         "arm64",
		Price:        k.onDemand,
		PriceFrom:    "pool",
		Why:          "its pods would cost more anywhere else",
		WhyKind:      "Cheapest",
	}
	if p.spot {
		m.CapacityType, m.Price = "spot", k.onDemand*34/100
	}
	full := 55 + dice.IntN(44)
	m.Use = []view.Use{
		{
			Resource: "cpu",
			Used:     k.cores * 10 * int64(full),
			Of:       k.cores*1000 - 80,
		},
		{Resource: "memory", Used: k.gib << 30 * int64(max(full-dice.IntN(30), 5)) / 100, Of: k.gib<<30 - 1<<29},
		{Resource: "pods", Used: 4 + int64(full/8), Of: 58},
	}
	for j := range 4 + full/8 {
		m.Pods = append(m.Pods, fmt.Sprintf("shop/web-%d-%d", i, j))
	}
	switch i {
	case of / 7:
		m.Why, m.WhyKind = "PodDisruptionBudget shop/checkout allows no eviction of pod checkout-0", "Guarded"
	case of / 5:
		m.Phase, m.Why, m.WhyKind = view.Draining, "its pods fit on the others; 3 pods are still there", "Underutilized"
	case of / 3:
		m.Phase, m.Why, m.Use = view.Launching, "for pod shop/web-0 and 4 more", []view.Use{
			{Resource: "cpu", Used: 900},
			{Resource: "memory"},
			{Resource: "pods", Used: 5},
		}
	case of * 7 / 10:
		m.Phase, m.Why, m.WhyKind = view.Broken, "its kubelet does not report that it is ready", "NotReady"
	}
	return m
}

// past are claims that are gone.
func past(dice *rand.Rand, nodes int) (out []view.Life) {
	reasons := []struct{ reason, went string }{
		{"empty", "it was empty"},
		{"underutilized", "its pods fit on cheaper nodes"},
		{"spot_interrupted", "the cloud took the spot machine back"},
		{"drifted", "its image is not the newest"},
	}
	for i := range nodes / 2 {
		k := kinds[dice.IntN(len(kinds)-2)]
		created := began.Add(-time.Duration(60+dice.IntN(5*60)) * time.Minute)
		end := created.Add(time.Duration(8+dice.IntN(50)) * time.Minute)
		r := reasons[dice.IntN(len(reasons))]
		out = append(
			out,
			view.Life{
				UID:          fmt.Sprint("gone", i),
				Claim:        fmt.Sprintf("general-9%04x", i*733),
				Pool:         "general",
				Created:      created,
				Chosen:       end,
				Deleting:     end,
				Gone:         end.Add(time.Minute),
				InstanceType: k.name,
				Zone:         "us-east-1b",
				CapacityType: "on-demand",
				Price:        k.onDemand,
				Came:         fmt.Sprintf("for pod shop/job-%d", i),
				Reason:       r.reason,
				Went:         r.went,
				Evicted:      dice.IntN(9),
			},
		)
	}
	return out
}

// fill adds pools, pods that wait and moves.
func fill(f *view.Fleet, nodes int) {
	for i := range pools {
		p := view.Pool{
			Name: pools[i].name,
			Budgets: []view.Allowance{
				{Reason: "Underutilized", Allowed: max(1, nodes/10), Going: 1},
				{Reason: "Empty", Allowed: -1},
				{Reason: "Drifted", Allowed: 1},
			},
		}
		for j := range f.Nodes {
			if f.Nodes[j].Pool == p.Name {
				p.Nodes++
				p.PerHour += f.Nodes[j].Price
			}
		}
		switch i {
		case 0:
			p.Limits = []view.Limit{{Resource: "cpu", Used: int64(p.Nodes) * 6000, Max: int64(nodes)*8000 + 100_000}}
			p.Outdated = p.Nodes / 4
		case 2:
			p.Held = "by ana until 2026-11-21T18:00:00Z"
		}
		f.Pools = append(f.Pools, p)
	}
	if nodes == 0 {
		return
	}
	tree := explain.Tree{
		Subject: "shop/report-0",
		Children: []explain.Tree{
			{
				Subject: "pool general",
				Noun:    "offerings",
				Of:      84,
				Groups: []explain.Group{
					{
						Count: 84,
						Reason: feasible.Reason{
							Kind:     feasible.TooSmall,
							Resource: "memory",
							Need:     600 << 30,
							Have:     512 << 30,
						},
					},
				},
			},
		},
	}
	f.Pending = []view.Waiting{
		{
			Pod:     "shop/report-0",
			Since:   began.Add(-11 * time.Minute),
			Verdict: view.NoPlace,
			Why:     "pool general: 84 offerings, needs 600Gi memory, largest has 512Gi",
			Tree:    tree,
		},
		{
			Pod:     "shop/web-0",
			Since:   began.Add(-20 * time.Second),
			Verdict: view.NewNode,
			Node:    "n1",
			Why:     "a new node is to be bought: c7g.xlarge in us-east-1b, on-demand, $0.1450/h, from pool general",
		},
		{
			Pod:     "shop/web-1",
			Since:   began.Add(-20 * time.Second),
			Verdict: view.ExistingNode,
			Node:    f.Nodes[0].Name,
			Why:     "there is room on node " + f.Nodes[0].Name,
		},
	}
	f.Moves = []view.Course{
		{
			State:   "under way",
			Reason:  "Underutilized",
			GiveUp:  []string{f.Nodes[nodes/5].Name},
			Evicted: 7,
			Saving:  145_000,
		},
		{
			State:   "next",
			Reason:  "Underutilized",
			GiveUp:  []string{f.Nodes[0].Name, f.Nodes[1].Name},
			Open:    []string{"m7g.2xlarge"},
			Evicted: 19,
			Saving:  88_200,
		},
	}
	f.Money.UnderWay, f.Money.Saving = 1, 88_200
}
