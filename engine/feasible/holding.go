package feasible

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
)

// ladder answers which columns have at least so much of one dimension: its rungs are the
// amounts that occur, ascending, each with the columns that reach it.
type ladder struct {
	rungs   []int64
	columns []bitset.Set
}

// climb builds one dimension's ladder over the pool's usable columns.
func (p *Pool) climb(dim int) ladder {
	l := ladder{rungs: make([]int64, 0, p.Usable.Count())}
	for i := p.Usable.Next(0); i >= 0; i = p.Usable.Next(i + 1) {
		l.rungs = append(l.rungs, p.Room(i)[dim])
	}
	slices.Sort(l.rungs)
	l.rungs = slices.Compact(l.rungs)
	words := len(p.Usable)
	flat := make(bitset.Set, words*len(l.rungs))
	l.columns = make([]bitset.Set, len(l.rungs))
	for i := range l.rungs {
		l.columns[i] = flat[i*words : (i+1)*words : (i+1)*words]
	}
	for i := p.Usable.Next(0); i >= 0; i = p.Usable.Next(i + 1) {
		rung, _ := slices.BinarySearch(l.rungs, p.Room(i)[dim])
		l.columns[rung].Add(i)
	}
	for i := len(l.rungs) - 2; i >= 0; i-- {
		l.columns[i].Join(l.columns[i+1])
	}
	return l
}

// Holding keeps in columns those of the pool that hold the load. It must not be called from two
// goroutines at once.
func (p *Pool) Holding(load []int64, columns bitset.Set) {
	for d, n := range load {
		if n <= 0 {
			continue
		}
		l := &p.ladders[d]
		if l.rungs == nil {
			*l = p.climb(d)
		}
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
