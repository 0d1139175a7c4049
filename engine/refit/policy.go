package refit

import (
	"time"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Mode is how far a pool lets its nodes be given up.
type Mode uint8

const (
	// Never leaves the nodes alone; they still take pods.
	Never Mode = iota
	// WhenEmpty gives up nodes without pods that would need another place.
	WhenEmpty
	// WhenUnderutilized gives up whatever can be had for less.
	WhenUnderutilized
	// Balanced asks in addition that a move saves at least half as large a share of the pool's price as it
	// disturbs of the pool's pods.
	Balanced
)

// minBalance is the least score of a move of nodes of a Balanced pool. Karpenter's figure.
const minBalance = 0.5

// minSpotTypes is how many cheaper instance types a single spot node must find before it is replaced by another spot
// node, so that the new one does not come from the scarcest of all. Karpenter's figure.
const minSpotTypes = 15

// PoolPolicy is what a NodePool says about disruption.
type PoolPolicy struct {
	Mode Mode
	// Budget is how many nodes may begin to go now. Negative means no limit. A move of more nodes takes turns.
	Budget int
	// Lifetime is expireAfter. A node near its end weighs less; 0 means that nodes do not expire.
	Lifetime time.Duration
}

// Policy is what the operator of the cluster may choose. Use [DefaultPolicy] and change fields.
type Policy struct {
	// Plan is how new nodes are planned.
	Plan engine.Policy
	// Pools by name. Nodes of pools that are not in it are left alone.
	Pools map[string]PoolPolicy
	// Held says by node name why a node must not go, one sentence without its full stop.
	Held map[string]string

	// SpotToSpot allows to replace spot nodes by spot nodes.
	SpotToSpot bool

	// MinSaving is the share of the price of the nodes given up that a move which opens nodes must save, 0 to 1.
	MinSaving float64
	// PodPrice is what it costs to evict an ordinary pod once, in micro-dollars; see shape.Pod.EvictionCost.
	PodPrice shape.Money
	// Payback is within which time a move must have saved what its evictions cost; 0 counts any saving as enough. It is
	// less for nodes and pods that have not lived for half of it: no saving is counted on for longer than twice their
	// age.
	Payback time.Duration

	// Overlap is for how long what a move opens runs beside what it gives up. Both are paid until then, and a move must
	// have saved that within the payback time as well.
	Overlap time.Duration
	// Turn is how long nodes that are drained take until they are gone and budgets let others go in their place.
	Turn time.Duration

	// Effort is how many steps may be spent on moves that open nodes; a step is about a microsecond. Whether a node's
	// pods fit elsewhere is asked for every node, whatever it takes.
	Effort int
}

// DefaultPolicy is what the controller runs with unless told otherwise. With MinSaving and Payback 0 moves are
// worth it as soon as they save anything, as in Karpenter.
func DefaultPolicy() Policy {
	return Policy{
		Plan:      engine.DefaultPolicy(),
		MinSaving: 0.05,
		PodPrice:  shape.Dollar / 1000,
		Payback:   time.Hour,
		Turn:      time.Minute,
		Effort:    1_000_000,
	}
}

// trust is how many times as long as it has lived a fleet is taken to live on. A saving lasts no longer than what it is
// made on: of nodes and pods that came half a minute ago it is not known whether they will be there in an hour, and of
// an autoscaler that goes up and down each minute they will not. Simulated scale-downs of fleets of two minutes cost
// the same with 1, 2 and 5, and no less without the rule; with 5 an autoscaler of a ten minutes' period has its fleet
// replaced each time, with 1 the last moves come minutes later.
const trust = 2

// lasts is for how long a saving on what has lived for so long may be counted. Payback bounds it; negative ages are
// unknown ones.
func (p *Policy) lasts(age time.Duration) time.Duration {
	if age < 0 || age >= p.Payback/trust {
		return p.Payback
	}
	return max(trust*age, time.Second)
}

// overlapCost is what the time costs in which a move has old and new nodes, in micro-dollars. While old ones go in so
// many turns, half of them are still there on average.
func (p *Policy) overlapCost(price, instead shape.Money, turns int) float64 {
	if instead <= 0 {
		return 0
	}
	waits := time.Duration(turns-1) * p.Turn
	return float64(float64(instead)*p.Overlap.Hours()) + float64(float64(price)/2*waits.Hours())
}

// evictions is what a disturbance costs, in micro-dollars.
func (p *Policy) evictions(disturbance int64) float64 {
	return float64(float64(disturbance) / ordinary * float64(p.PodPrice))
}

// due is what a move must save an hour so that it has earned its cost, in micro-dollars, while the saving lasts.
func (p *Policy) due(cost float64, age time.Duration) shape.Money {
	if p.Payback <= 0 {
		return 0
	}
	return shape.Money(cost / p.lasts(age).Hours())
}
