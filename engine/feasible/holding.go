package feasible

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
)

// ladder answers which columns have at least so much of one dimension: its rungs are the
// amounts that occur, ascending, each with the columns that reach it.
type ladder struct {
	rungs   []int64
	steps   []int32 // by usable column, in their order: its rung
	columns []bitset.Set
}

// climb builds one dimension's ladder over the pool's stock. Where machines grow in all dimensions at once,
// ladders share their columns.
func (p *Pool) climb(dim int) ladder {
	l := ladder{rungs: make([]int64, 0, p.stock.Count())}
	for i := p.stock.Next(0); i >= 0; i = p.stock.Next(i + 1) {
		l.rungs = append(l.rungs, p.Room(i)[dim])
	}
	l.steps = make([]int32, 0, len(l.rungs))
	slices.Sort(l.rungs)
	l.rungs = slices.Compact(l.rungs)
	for i := p.stock.Next(0); i >= 0; i = p.stock.Next(i + 1) {
		rung, _ := slices.BinarySearch(l.rungs, p.Room(i)[dim])
		l.steps = append(l.steps, int32(rung))
	}
	alike := func(o ladder) bool { return o.rungs != nil && slices.Equal(o.steps, l.steps) }
	if k := slices.IndexFunc(p.ladders, alike); k >= 0 {
		l.columns = p.ladders[k].columns
		return l
	}
	words := len(p.stock)
	flat := make(bitset.Set, words*len(l.rungs))
	l.columns = make([]bitset.Set, len(l.rungs))
	for i := range l.rungs {
		l.columns[i] = flat[i*words : (i+1)*words : (i+1)*words]
	}
	k := 0
	for i := p.stock.Next(0); i >= 0; i = p.stock.Next(i + 1) {
		l.columns[l.steps[k]].Add(i)
		k++
	}
	for i := len(l.rungs) - 2; i >= 0; i-- {
		l.columns[i].Join(l.columns[i+1])
	}
	return l
}

// ladder is that of a dimension.
func (p *Pool) ladder(dim int) *ladder {
	l := &p.ladders[dim]
	if l.rungs == nil {
		*l = p.climb(dim)
	}
	return l
}

// Prepare works out what is asked of the columns when nodes are opened, which else is done when it is first asked for.
// It uses nothing of the Table but columns and pools.
func (t *Table) Prepare() {
	t.Traits()
	for _, p := range t.Pools {
		for d := range p.ladders {
			p.ladder(d)
		}
	}
}

// Holding keeps in columns those of the pool that hold the load, without those of last resort if others do. It must not
// be called from two goroutines at once.
func (p *Pool) Holding(load []int64, columns bitset.Set) {
	p.reaching(load, columns)
	if p.plain != nil && p.plain.Meets(columns) {
		columns.Keep(p.plain)
	}
}

// reaching keeps in columns those of the pool that hold the load.
func (p *Pool) reaching(load []int64, columns bitset.Set) {
	for d, n := range load {
		if n <= 0 {
			continue
		}
		l := p.ladder(d)
		i, _ := slices.BinarySearch(l.rungs, n)
		if i == len(l.rungs) {
			clear(columns)
			return
		}
		if i > 0 {
			columns.Keep(l.columns[i])
		}
	}
}
