package place

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/limits"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// Scope is where pods may go: what items of the same Where and cell share.
type Scope struct {
	ByPool [][]feasible.Alternative // by pool
}

type ScopeKey struct {
	Where *feasible.Where
	Cell  *spread.Cell
}

// NewScope narrows a class's alternatives to its cell and to what can be bought.
func NewScope(t *feasible.Table, k ScopeKey) Scope {
	m := Scope{ByPool: make([][]feasible.Alternative, len(t.Pools))}
	for p, pool := range t.Pools {
		if k.Cell != nil && k.Cell.Parts[p].Columns == nil {
			continue
		}
		for _, alt := range t.Alternatives(k.Where, pool) {
			a := feasible.Alternative{Columns: alt.Columns.And(pool.Usable), Free: alt.Free}
			if k.Cell != nil {
				a.Columns.Keep(k.Cell.Parts[p].Columns)
				a.Free = alt.Free.And(k.Cell.Parts[p].Free)
			}
			if a.Columns.Any() && pool.FreeLeft(a.Free) {
				m.ByPool[p] = append(m.ByPool[p], a)
			}
		}
	}
	return m
}

// Has reports whether a column of a pool is among them.
func (m *Scope) Has(pool, column int) bool {
	for i := range m.ByPool[pool] {
		if m.ByPool[pool][i].Columns.Has(column) {
			return true
		}
	}
	return false
}

// Opens reports whether the limits leave room for a machine that holds a pod of a class where the scope allows it.
func (m *Scope) Opens(l *limits.Budgets, c *feasible.Class) bool {
	for p := range m.ByPool {
		if !l.Exhausted(p) && slices.ContainsFunc(m.ByPool[p], func(alt feasible.Alternative) bool {
			return l.Opens(c, p, alt)
		}) {
			return true
		}
	}
	return false
}
