package deletioncost

import (
	"math"
	"strconv"

	"github.com/dovetail-sh/dovetail/internal/controller/disrupt"
)

// Values of the annotation by turn. They are far apart and do not depend on what other nodes there are, so that a node
// more or less changes the pods of no other one.
const (
	going   = math.MinInt32 // Karpenter's value
	planned = -3000
	drifted = -2000
	spare   = -1000
)

// steps is how many values Spare nodes have.
const steps = 40

// valueOf is what the pods of a node get, empty for nothing. Spare nodes are told apart by what ending them saves for
// the pods that it moves, in steps of a factor of two: most changes of their pods change nothing.
func valueOf(s disrupt.Standing) string {
	value := 0
	switch s.Turn {
	case disrupt.Going:
		value = going
	case disrupt.Planned:
		value = planned
	case disrupt.Drifted:
		value = drifted
	case disrupt.Spare:
		value = spare - min(max(int(math.Round(math.Log2(max(s.Saving, 1)))), 0), steps)
	default:
		return ""
	}
	return strconv.Itoa(value)
}
