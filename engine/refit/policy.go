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

// balance is the least score of a move of nodes of a Balanced pool. Karpenter's figure.
const balance = 0.5

// flexible is how many cheaper instance types a single spot node must find before it is replaced by another spot
// node, so that the new one does not come from the scarcest of all. Karpenter's figure.
const flexible = 15

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
	// Payback is within which time a move must have saved what its evictions cost; 0 counts any saving as enough.
	Payback time.Duration

	// Overlap is for how long what a move opens runs beside what it gives up. Both are paid until then, and a move must have saved
	// that within the payback time as well.
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

// both is what a move must save an hour to pay for the time in which it has old and new nodes. While old ones go in so many
// turns, half of them are still there on average.
func (p *Policy) both(price, instead shape.Money, turns int) shape.Money {
	if p.Payback <= 0 || instead <= 0 {
		return 0
	}
	waits := time.Duration(turns-1) * p.Turn
	return shape.Money((float64(instead)*p.Overlap.Hours() + float64(price)/2*waits.Hours()) / p.Payback.Hours())
}

// due is what a move must save an hour to pay for its evictions.
func (p *Policy) due(disturbance int64) shape.Money {
	if p.Payback <= 0 {
		return 0
	}
	return shape.Money(float64(disturbance) / ordinary * float64(p.PodPrice) / p.Payback.Hours())
}
