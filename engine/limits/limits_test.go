package limits_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/limits"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// ruled is a table of one pool with limits on cpu and on nodes, and types of 1, 2, 4 and 8 cores.
func ruled(t *rapid.T, minValues int32) *feasible.Table {
	w := enginetest.NewWorld()
	for _, cores := range []int64{1, 2, 4, 8} {
		v := shape.Vector{CPU: cores * 1000, Memory: cores << 30, Pods: 10}
		w.Type(shape.InstanceType{
			Name: fmt.Sprintf("c%d", cores), Capacity: v, Allocatable: v,
			Offerings: []shape.Offering{
				{Zone: "a", CapacityType: shape.OnDemand, Available: true, Price: shape.Money(cores * 1000)},
			},
		})
	}
	p := shape.Pool{Name: "q", Limits: []shape.Limit{
		{Resource: shape.CPU, Max: rapid.Int64Range(
			0, 40,
		).Draw(t, "cores") * 1000, Used: rapid.Int64Range(0, 10).Draw(t, "used") * 1000},
		{Resource: shape.LimitNodes, Max: rapid.Int64Range(0, 12).Draw(t, "nodes")},
	}}
	if minValues > 0 {
		p.Requirements = []shape.Requirement{
			{Key: shape.LabelInstanceType, Operator: shape.Exists, MinValues: minValues},
		}
	}
	w.Pool(p)
	w.Pod("default/p", shape.Class{Namespace: "default", Requests: shape.Vector{CPU: 100, Pods: 1}})
	s := w.Snapshot()
	return feasible.Compile(&s, true)
}

// opened takes nodes at random while the budgets have room for them.
func opened(t *rapid.T, table *feasible.Table, b *limits.Budgets) (nodes []limits.Node, columns []bitset.Set) {
	pool := table.Pools[0]
	for range rapid.IntRange(0, 10).Draw(t, "tries") {
		column := rapid.SampledFrom(slices.Collect(members(pool.Usable))).Draw(t, "column")
		launch, keeps, ok := b.Reserve(0, pool.Usable.Clone(), pool.AllFree(), column)
		if !ok || b.Times(0, column, keeps) == 0 {
			continue
		}
		b.Take(0, column, keeps, 1)
		launch = launch.Clone()
		for i := launch.Next(0); i >= 0; i = launch.Next(i + 1) {
			if table.Columns[i].Price() < table.Columns[column].Price() {
				launch.Remove(i) // too small for its pods
			}
		}
		nodes, columns = append(nodes, limits.Node{Column: column, Keeps: keeps}), append(columns, launch)
	}
	return nodes, columns
}

func members(s bitset.Set) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := s.Next(0); i >= 0; i = s.Next(i + 1) {
			if !yield(i) {
				return
			}
		}
	}
}

// over reports by how much a limit is exceeded if each node takes so much.
func over(table *feasible.Table, limit int, nodes int, takes func(n int, resource string) int64) int64 {
	l := table.Pools[0].Limits[limit]
	sum := l.Used
	for n := range nodes {
		sum += takes(n, l.Resource)
	}
	if nodes == 0 {
		return 0
	}
	return sum - l.Max
}

func TestNoPlanTakesMoreThanTheLimits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		table := ruled(t, 0)
		nodes, _ := opened(t, table, limits.New(table, true))
		for limit := range table.Pools[0].Limits {
			by := over(table, limit, len(nodes), func(n int, resource string) int64 {
				return table.Columns[nodes[n].Column].Takes(resource)
			})
			if by > 0 {
				t.Fatalf("%s is exceeded by %d", table.Pools[0].Limits[limit].Resource, by)
			}
		}
	})
}

// Whatever the cloud delivers: of each node the largest of its options.
func TestNoLaunchTakesMoreThanTheLimits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		table := ruled(t, 0)
		nodes, columns := opened(t, table, limits.New(table, true))
		launches := limits.NewLaunches(table, len(nodes), func(i int) limits.Node { return nodes[i] })
		for i := range nodes {
			columns[i] = launches.Narrow(nodes[i], columns[i])
			if !columns[i].Has(nodes[i].Column) {
				t.Fatalf("node %d may no longer be launched from what it is planned for", i)
			}
		}
		for limit := range table.Pools[0].Limits {
			by := over(table, limit, len(nodes), func(n int, resource string) (most int64) {
				for i := range members(columns[n]) {
					most = max(most, table.Columns[i].Takes(resource))
				}
				return most
			})
			if by > 0 {
				t.Fatalf(
					"%s is exceeded by %d if each node is launched from its largest option",
					table.Pools[0].Limits[limit].Resource, by,
				)
			}
		}
	})
}

// What a node keeps is enough for as many types as minValues asks for, and no launch needs more.
func TestWhatANodeKeepsLeavesItsLaunchTheVarietyThatIsAskedFor(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.Int32Range(1, 4).Draw(t, "minValues")
		table := ruled(t, want)
		nodes, _ := opened(t, table, limits.New(table, true))
		for i, n := range nodes {
			within := 0
			for c := range members(table.Pools[0].Usable) {
				fits := true
				for k, l := range table.Pools[0].Limits {
					fits = fits && table.Columns[c].Takes(l.Resource) <= n.Keeps[k]
				}
				if fits {
					within++
				}
			}
			if within < int(want) {
				t.Fatalf("node %d keeps %v: room for %d types, minValues asks for %d", i, n.Keeps, within, want)
			}
		}
		for limit := range table.Pools[0].Limits {
			if by := over(table, limit, len(nodes), func(n int, _ string) int64 {
				return nodes[n].Keeps[limit]
			}); by > 0 {
				t.Fatalf("what nodes keep exceeds %s by %d", table.Pools[0].Limits[limit].Resource, by)
			}
		}
	})
}

func TestWhatIsGivenBackCanBeTakenAgain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		table := ruled(t, 0)
		b := limits.New(table, true)
		before := make([]int, len(table.Columns))
		for c := range before {
			before[c] = b.Machines(0, c)
		}
		copied := b.Clone()
		nodes, _ := opened(t, table, b)
		for _, n := range nodes {
			b.Take(0, n.Column, n.Keeps, -1)
		}
		for c, want := range before {
			if got := b.Machines(0, c); got != want {
				t.Fatalf("%d machines of column %d, %d before anything was taken and given back", got, c, want)
			}
			if got := copied.Machines(0, c); got != want {
				t.Fatalf("a copy has %d machines of column %d instead of %d", got, c, want)
			}
		}
	})
}

func TestSharesAreEqualPartsAndWhatIsNotNeededGoesOn(t *testing.T) {
	t.Parallel()
	s := limits.NewShares([]int64{90}, 3)
	if got := s.Most(0, 10); got != 40 {
		t.Errorf("the first of three may take %d, want 10 and a third of 90", got)
	}
	s.Grow(0, 10, 20)
	s.Next()
	if got := s.Most(0, 10); got != 50 {
		t.Errorf("the second may take %d, want 10 and half of the 80 that are left", got)
	}
	s.Drop(0, 10)
	s.Next()
	if got := s.Most(0, 10); got != 100 {
		t.Errorf("the last may take %d, want 10 and the 90 that are left", got)
	}
	if got := limits.NewShares([]int64{-5}, 1).Most(0, 10); got != 10 {
		t.Errorf("of a pool that is over its limit a node may take %d, want the 10 that it has for certain", got)
	}
}
