package verify

import (
	"github.com/dovetail-sh/dovetail/engine/place"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// withhold tells the rules of classes with stuck pods in which domains a node could have been opened for them, had not
// others used up what is scarce. New nodes elsewhere must not be fuller for that.
func (a *audit) withhold() {
	if !a.scarce {
		return
	}
	st := a.board.Spread
	for class, n := range a.board.Stuck {
		if n == 0 {
			continue
		}
		last := last(a.board.Table, class)
		rules := st.Classes[last].Rules
		for i := range rules {
			if rules[i].Kind == spread.Skew && !st.Keys[rules[i].Key].Host {
				rules[i].Withhold(a.openDomains(last, rules[i].Key))
			}
		}
	}
}

// openDomains are the domains of a key in which a node may still be opened for pods of a class.
func (a *audit) openDomains(class int, key int32) []bool {
	out := make([]bool, len(a.board.Spread.Keys[key].Domains))
	c := a.board.Table.Classes[class]
	for _, cell := range a.place.Cells(a.board.Spread.Classes[class].Keys) {
		if d := cell.Domains[key]; d >= 0 && !out[d] {
			m := place.NewScope(a.board.Table, place.ScopeKey{Where: c.Where, Cell: cell})
			out[d] = m.Opens(a.board.Limits, c)
		}
	}
	return out
}
