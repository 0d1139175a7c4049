package refit

import (
	"fmt"
	"time"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Kind names why a node stays.
type Kind string

// The kinds of reason. Which of Reason's fields a kind fills is said with it.
const (
	// Held nodes must not be disrupted: Want says why.
	Held Kind = "Held"
	// PoolKeeps nodes: the pool's policy gives up empty nodes only, or none.
	PoolKeeps Kind = "PoolKeeps"
	// NotReady nodes are starting, or inside consolidateAfter.
	NotReady Kind = "NotReady"
	// NoPrice is known for the node, so nothing can be saved for certain.
	NoPrice Kind = "NoPrice"
	// Needed nodes take pods of nodes that go.
	Needed Kind = "Needed"
	// NoPlace is there for some pod: Want says which and why.
	NoPlace Kind = "NoPlace"
	// SavesTooLittle: Pods on the node, of which Left need new nodes; Price of the nodes that would go, Instead of what
	// replaces them, Need is what must be saved at least. Lasts is set where the saving is not counted on for the whole
	// payback time, since a node or pod of the move is young.
	SavesTooLittle Kind = "SavesTooLittle"
	// TooTight a fit: kube-scheduler, which spreads pods, would find no room for Left of the Pods that move.
	TooTight Kind = "TooTight"
	// SpotToSpotOff: spot nodes may not be replaced by spot nodes.
	SpotToSpotOff Kind = "SpotToSpotOff"
	// TooFewTypes are cheaper than a spot node: Need and Have count instance types.
	TooFewTypes Kind = "TooFewTypes"
	// Unbalanced moves disturb too much for what they save: Want is the pool, Score and Least are the numbers, and Have
	// is how many nodes would go, 0 for one.
	Unbalanced Kind = "Unbalanced"
	// BudgetUsed up: Want is the pool.
	BudgetUsed Kind = "BudgetUsed"
	// NotTried: the effort ended before it was looked at.
	NotTried Kind = "NotTried"
	// NoOrder of draining keeps every topology rule on the way.
	NoOrder Kind = "NoOrder"
	// TooFewOptions are left to keep the pool's minValues when only those that save enough count: Want is the label.
	TooFewOptions Kind = "TooFewOptions"
)

// Reason is why a node stays, with numbers. Fields that the kind does not fill are zero.
type Reason struct {
	Kind    Kind        `json:"kind"`
	Want    string      `json:"want,omitempty"`
	Pods    int         `json:"pods,omitempty"`
	Left    int         `json:"left,omitempty"`
	Have    int         `json:"have,omitempty"`
	Price   shape.Money `json:"price,omitempty"`
	Instead shape.Money `json:"instead,omitempty"`
	Need    shape.Money `json:"need,omitempty"`

	Lasts time.Duration `json:"lasts,omitempty"`

	Score float64 `json:"score,omitempty"`
	Least float64 `json:"least,omitempty"`
}

// Sentence is the reason in words, without a full stop. It holds still while nothing changes.
func (r Reason) Sentence() string {
	switch r.Kind {
	case Held:
		return r.Want
	case PoolKeeps:
		return "its NodePool gives up empty nodes only"
	case NotReady:
		return "it is starting, or its consolidateAfter is not over"
	case NoPrice:
		return "its price is not known"
	case Needed:
		return "it takes pods of nodes that go"
	case NoPlace:
		return r.Want
	case SavesTooLittle:
		return r.savesTooLittle()
	case TooTight:
		return fmt.Sprintf(
			"its pods fit elsewhere only if they are put together closely: kube-scheduler, which spreads them, "+
				"would find no room for %d of %d",
			r.Left, r.Pods,
		)
	case SpotToSpotOff:
		return "replacing spot by spot is switched off (feature gate SpotToSpotConsolidation)"
	case TooFewTypes:
		return fmt.Sprintf(
			"only %d cheaper spot instance types hold its pods, spot is replaced by spot from %d on", r.Have,
			minSpotTypes,
		)
	case Unbalanced:
		with := ""
		if r.Have > 1 {
			with = fmt.Sprintf(" with %d more", r.Have-1)
		}
		return fmt.Sprintf(
			"moving it%s disturbs more than it saves: it scores %.2f of at least %.2f in NodePool %s", with, r.Score,
			r.Least, r.Want,
		)
	case BudgetUsed:
		return "the budgets of NodePool " + r.Want + " let no further node go now"
	case NotTried:
		return "the search ended before it was its turn"
	case NoOrder:
		return "there is no order of draining that keeps its pods' topology rules on the way"
	case TooFewOptions:
		return "what is cheap enough to replace it is too few values of " + r.Want + " for its NodePool's minValues"
	}
	return string(r.Kind)
}

func (r Reason) savesTooLittle() string {
	young := ""
	if r.Lasts > 0 {
		young = fmt.Sprintf(" while its youngest pod or node is %s old", (r.Lasts / trust).Round(time.Second))
	}
	switch {
	case r.Left == 0 && r.Instead == 0:
		return fmt.Sprintf(
			"giving it up saves $%s an hour and moves %s, which is worth it from $%s on%s",
			r.Price, podsOf(r.Pods), r.Need, young,
		)
	case r.Instead == 0:
		return fmt.Sprintf(
			"%s no room elsewhere, and no machine for less holds them: it costs $%s an hour",
			r.homeless(), r.Price,
		)
	}
	return fmt.Sprintf(
		"%s no room elsewhere; it costs $%s an hour, what replaces it $%s, and $%s must be saved%s",
		r.homeless(), r.Price, r.Instead, r.Need, young,
	)
}

// homeless are the pods that need a new machine, with their verb. What stands in for a CapacityBuffer needs one too,
// and is no pod that would be evicted.
func (r Reason) homeless() string {
	switch {
	case r.Pods == 1 && r.Left == 1:
		return "its pod has"
	case r.Left == 1 && r.Pods > 1:
		return fmt.Sprintf("1 of its %d pods has", r.Pods)
	case r.Left <= r.Pods:
		return fmt.Sprintf("%d of its %d pods have", r.Left, r.Pods)
	case r.Pods == 0 && r.Left == 1:
		return "the place that it keeps for a CapacityBuffer has"
	case r.Pods == 0:
		return fmt.Sprintf("the %d places that it keeps for CapacityBuffers have", r.Left)
	}
	return fmt.Sprintf("%d pods of its own and of CapacityBuffers have", r.Left)
}

func podsOf(n int) string {
	if n == 1 {
		return "1 pod"
	}
	return fmt.Sprintf("%d pods", n)
}
