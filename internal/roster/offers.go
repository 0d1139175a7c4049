package roster

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// Offers are what a NodePool may buy, as the planner sees it; nil for a pool that is not there.
func (s *Seen) Offers(pool string) []view.Offers {
	t := feasible.Compile(&s.snapshot, true)
	i := slices.IndexFunc(t.Pools, func(p *feasible.Pool) bool { return p.Name == pool })
	if i < 0 {
		return nil
	}
	at := map[string]*view.Offers{}
	types := map[[2]string]bool{}
	allowed := t.Pools[i].Columns
	for c := allowed.Next(0); c >= 0; c = allowed.Next(c + 1) {
		o, it := t.Columns[c].Offering, t.Columns[c].Type
		sum := at[o.CapacityType]
		if sum == nil {
			sum = &view.Offers{CapacityType: o.CapacityType}
			at[o.CapacityType] = sum
		}
		sum.Offers++
		if !o.Available {
			continue
		}
		if price := view.PerHour(o.Price); sum.Available == 0 || price < sum.Lowest {
			sum.Lowest = price
		}
		sum.Available++
		if key := [2]string{o.CapacityType, it.Name}; !types[key] {
			types[key] = true
			sum.InstanceTypes++
		}
	}
	out := []view.Offers{}
	for _, sum := range at {
		out = append(out, *sum)
	}
	slices.SortFunc(out, func(a, b view.Offers) int { return cmp.Compare(a.CapacityType, b.CapacityType) })
	return out
}
