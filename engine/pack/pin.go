package pack

import (
	"encoding/binary"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// pin drops options of new nodes with which topology spread would come out otherwise than it did for the columns that
// are planned. A node that comes up in a zone where there is none yet, for instance, makes that zone an empty domain.
func (a *audit) pin() {
	st := a.board.Spread
	wanted := make([]int32, len(st.Tallies)) // one more than the most domains that a pod of the plan wants; 0 if none wants anything
	any := false
	for class, placed := range a.placed {
		for i := range st.Classes[class].Rules {
			if r := &st.Classes[class].Rules[i]; placed && r.Kind == spread.Skew {
				wanted[r.Tally] = max(wanted[r.Tally], r.MinDomains+1)
				any = true
			}
		}
	}
	if !any {
		return
	}
	alike, kinds := a.alike()
	for tally, n := range wanted {
		if n > 0 {
			a.pinFor(int32(tally), n-1, alike, make([]*outcomes, kinds))
		}
	}
}

// alike numbers the bins' pools with what remains of their free labels.
func (a *audit) alike() (byBin []int, kinds int) {
	known := map[string]int{}
	var text []byte
	for b := range a.bins {
		text = binary.LittleEndian.AppendUint32(text[:0], uint32(a.bins[b].Pool))
		for _, word := range a.bins[b].Free {
			text = binary.LittleEndian.AppendUint64(text, word)
		}
		n, ok := known[string(text)]
		if !ok {
			n = len(known)
			known[string(text)] = n
		}
		byBin = append(byBin, n)
	}
	return byBin, len(known)
}

// pinFor is pin for one tally. known is by kind.
func (a *audit) pinFor(tally, minDomains int32, alike []int, known []*outcomes) {
	for b := range a.bins {
		bin := &a.bins[b]
		o := known[alike[b]]
		if o == nil {
			o = a.outcomes(tally, bin)
			known[alike[b]] = o
		}
		if o.calm && minDomains <= 1 {
			continue
		}
		planned, same := o.of(bin.Column)
		if within(bin.Columns, same, same) {
			continue
		}
		keep := same
		if !a.counted(bin, tally) && (minDomains <= 1 || planned < 0 || a.ledger.Stands(tally, planned)) {
			if within(bin.Columns, same, o.harmless) {
				continue
			}
			keep = same.Clone()
			keep.Join(o.harmless)
		}
		a.restrict(bin, keep)
	}
}

// outcomes tells where new nodes of a pool would be to a tally.
type outcomes struct {
	domains  []spread.Outcome
	harmless bitset.Set // columns with which a node without pods of the tally changes nothing for others

	// calm is set when all columns are harmless, and the tally looks at the nodes of all of them or of none: the
	// domain of a node whose pods count is settled by them.
	calm bool
}

func (a *audit) outcomes(tally int32, bin *Bin) *outcomes {
	pool := a.board.Table.Pools[bin.Pool]
	o := &outcomes{domains: a.board.Spread.Outcomes(tally, pool, bin.Free), harmless: bitset.New(len(a.board.Table.Columns))}
	seen, unseen := false, false
	for _, d := range o.domains {
		if !d.Columns.Any() {
			continue
		}
		if d.Domain < 0 {
			unseen = true
		} else {
			seen = true
		}
		if d.Domain < 0 || !a.ledger.Upsets(tally, d.Domain) {
			o.harmless.Join(d.Columns)
		}
	}
	o.calm = !(seen && unseen) && within(pool.Usable, o.harmless, o.harmless)
	return o
}

// of is the domain of a column's nodes, and all columns of which the nodes are in it.
func (o *outcomes) of(column int) (int32, bitset.Set) {
	for _, d := range o.domains {
		if d.Columns.Has(column) {
			return d.Domain, d.Columns
		}
	}
	return -1, o.harmless
}

// pinDaemons drops options of new nodes on which a daemon would run that pods on other nodes of the domain keep apart
// from, and those with which daemons for which pods look would be elsewhere than planned.
func (a *audit) pinDaemons() {
	if !a.board.Spread.Guests() {
		return
	}
	type claim struct {
		rule   *spread.Rule
		domain int32
	}
	var claims []claim
	var searches []*spread.Rule
	a.eachEntry(func(class, node, _ int) {
		own := &a.board.Spread.Classes[class]
		for i := range own.Rules {
			r := &own.Rules[i]
			c := claim{r, a.ledger.Domain(r, node)}
			switch {
			case !own.Wary:
			case r.Kind == spread.Apart && !slices.Contains(claims, c):
				claims = append(claims, c)
			case r.Kind == spread.Near && !slices.Contains(searches, r):
				searches = append(searches, r)
			}
		}
	})
	if len(claims)+len(searches) == 0 {
		return
	}
	for b := range a.bins {
		bin := &a.bins[b]
		planned, keep := a.site(bin), bin.Columns.Clone()
		for i := keep.Next(0); i >= 0; i = keep.Next(i + 1) {
			site := a.siteOf(bin.Pool, i, bin.Free)
			if slices.ContainsFunc(claims, func(c claim) bool { return site.Shuts(c.rule, c.domain) }) ||
				slices.ContainsFunc(searches, func(r *spread.Rule) bool { return !site.Like(planned, r) }) {
				keep.Remove(i)
			}
		}
		a.restrict(bin, keep)
	}
}

// counted reports whether a tally counts pods in a bin.
func (a *audit) counted(bin *Bin, tally int32) bool {
	return slices.ContainsFunc(bin.Entries, func(e Entry) bool {
		return slices.Contains(a.board.Spread.Classes[a.last(a.done[e.Item].Class)].Adds, tally)
	})
}

// restrict keeps only some columns of a bin, unless the pool's minValues forbid it.
func (a *audit) restrict(bin *Bin, keep bitset.Set) {
	columns := bin.Columns.And(keep)
	if columns.Any() {
		a.plan(bin, columns, bin.Free, bin.Column)
	}
}

// within reports whether all members of a set are in one of two others.
func within(inner, one, other bitset.Set) bool {
	for w := range inner {
		if inner[w]&^(one[w]|other[w]) != 0 {
			return false
		}
	}
	return true
}
