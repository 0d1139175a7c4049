package feasible

import (
	"math"
	"strings"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// attachPrefix marks dimensions that count volumes of one CSI driver.
const attachPrefix = "attach "

// unlimited is the room of a node whose driver has no limit.
const unlimited = math.MaxInt64 / 4

// addAttach counts the slots that one pod takes. A volume that several pods share takes a slot for
// each of them: that is more than it will be, never less.
func (t *Table) addAttach(sum []int64, attach []shape.Attach) { t.countAttach(sum, attach, 1) }

func (t *Table) countAttach(sum []int64, attach []shape.Attach, n int64) {
	for _, a := range attach {
		for d := len(t.Resources) - 1; d >= 4; d-- {
			if name, ok := strings.CutPrefix(t.Resources[d], attachPrefix); ok && name == a.Driver {
				sum[d] += n
			}
		}
	}
}

// slots writes how many volumes of each driver a machine can attach.
func (t *Table) slots(room []int64, limits []shape.Amount) {
	for d := len(t.Resources) - 1; d >= 4; d-- {
		driver, ok := strings.CutPrefix(t.Resources[d], attachPrefix)
		if !ok {
			return
		}
		room[d] = unlimited
		for _, l := range limits {
			if l.Resource == driver {
				room[d] = l.Value
			}
		}
	}
}
