package soak

import (
	"math"
	"slices"
	"sync"

	"github.com/dovetail-sh/dovetail/catalog"
)

// machine is what a type sells for how much.
type machine struct{ cores, gib, price float64 }

const region = "us-east-1"

// market are the c, m and r types on demand, as the pool buys them.
var market = sync.OnceValue(func() []machine {
	var out []machine
	for _, t := range catalog.Offered(region) {
		micros, ok := catalog.OnDemand(region, t.Name)
		if !ok || micros <= 0 || !slices.Contains([]byte("cmr"), t.Name[0]) {
			continue
		}
		out = append(out, machine{float64(t.VCPU), float64(t.MemoryMiB) / 1024, float64(micros) / 1e6})
	}
	return out
})

// bound is the least price in dollars an hour of so much CPU and memory if machines could be bought in fractions, with
// nothing kept by the system: no fleet can cost less. By duality it is the most that the amounts can be worth when no
// machine is worth more than its price; that is so where two machines' prices are met exactly, or one's with the other
// amount worth nothing.
func bound(milli, mib int64) float64 {
	cores, gib := float64(milli)/1000, float64(mib)/1024
	best := 0.0
	try := func(perCore, perGiB float64) {
		if perCore < 0 || perGiB < 0 {
			return
		}
		for _, m := range market() {
			if perCore*m.cores+perGiB*m.gib > m.price*(1+1e-9) {
				return
			}
		}
		best = max(best, perCore*cores+perGiB*gib)
	}
	cheapestCore, cheapestGiB := math.Inf(1), math.Inf(1)
	for _, m := range market() {
		cheapestCore, cheapestGiB = min(cheapestCore, m.price/m.cores), min(cheapestGiB, m.price/m.gib)
	}
	try(cheapestCore, 0)
	try(0, cheapestGiB)
	for _, corner := range corners() {
		try(corner[0], corner[1])
	}
	return best
}

// corners are the worths of a core and of a GiB at which two machines are worth exactly their prices, and none more.
var corners = sync.OnceValue(func() [][2]float64 {
	var out [][2]float64
	list := market()
	for i, a := range list {
		for _, b := range list[:i] {
			det := a.cores*b.gib - b.cores*a.gib
			if det == 0 {
				continue
			}
			perCore, perGiB := (a.price*b.gib-b.price*a.gib)/det, (a.cores*b.price-b.cores*a.price)/det
			if perCore < 0 || perGiB < 0 ||
				slices.ContainsFunc(
					list,
					func(m machine) bool { return perCore*m.cores+perGiB*m.gib > m.price*(1+1e-9) },
				) {
				continue
			}
			out = append(out, [2]float64{perCore, perGiB})
		}
	}
	return out
})
