package verify

import (
	"encoding/binary"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// optionFilter drops options of new nodes.
type optionFilter struct{ a *audit }

// dropForSpread drops options of new nodes with which topology spread would come out otherwise than it did for the
// columns that are planned. A node that comes up in a zone where there is none yet, for instance, makes that zone an
// empty domain.
func (p *optionFilter) dropForSpread() {
	st := p.a.board.Spread
	// one more than the most domains that a pod of the plan wants; 0 if none wants anything
	wanted := make([]int32, len(st.Tallies))
	any := false
	for class, placed := range p.a.placed {
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
	alike, kinds := p.alike()
	for tally, n := range wanted {
		if n > 0 {
			p.dropForTally(int32(tally), n-1, alike, make([]*outcomes, kinds))
		}
	}
}

// alike numbers the bins' pools with what remains of their free labels.
func (p *optionFilter) alike() (byBin []int, kinds int) {
	known := map[string]int{}
	var text []byte
	for b := range p.a.board.Bins {
		text = binary.LittleEndian.AppendUint32(text[:0], uint32(p.a.board.Bins[b].Pool))
		for _, word := range p.a.board.Bins[b].Free {
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

// dropForTally is pin for one tally. known is by kind.
func (p *optionFilter) dropForTally(tally, minDomains int32, alike []int, known []*outcomes) {
	for b := range p.a.board.Bins {
		bin := &p.a.board.Bins[b]
		o := known[alike[b]]
		if o == nil {
			o = p.outcomes(tally, bin)
			known[alike[b]] = o
		}
		if o.indifferent && minDomains <= 1 {
			continue
		}
		planned, same := o.of(bin.Column)
		if within(bin.Columns, same, same) {
			continue
		}
		keep := same
		if !p.counted(bin, tally) && (minDomains <= 1 || planned < 0 || p.a.ledger.Stands(tally, planned)) {
			if within(bin.Columns, same, o.harmless) {
				continue
			}
			keep = same.Clone()
			keep.Join(o.harmless)
		}
		p.restrict(b, keep)
	}
}

// outcomes tells where new nodes of a pool would be to a tally.
type outcomes struct {
	domains  []spread.Outcome
	harmless bitset.Set // columns with which a node without pods of the tally changes nothing for others

	// calm is set when all columns are harmless, and the tally looks at the nodes of all of them or of none: the
	// domain of a node whose pods count is settled by them.
	indifferent bool
}

func (p *optionFilter) outcomes(tally int32, bin *board.Bin) *outcomes {
	pool := p.a.board.Table.Pools[bin.Pool]
	o := &outcomes{
		domains: p.a.board.Spread.Outcomes(tally, pool, bin.Free), harmless: bitset.New(len(p.a.board.Table.Columns)),
	}
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
		if d.Domain < 0 || !p.a.ledger.Upsets(tally, d.Domain) {
			o.harmless.Join(d.Columns)
		}
	}
	o.indifferent = !(seen && unseen) && within(pool.Usable, o.harmless, o.harmless)
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

// dropForDaemons drops options of new nodes on which a daemon would run that pods on other nodes of the domain keep
// apart from, and those with which daemons for which pods look would be elsewhere than planned.
func (p *optionFilter) dropForDaemons() {
	if !p.a.board.Spread.HasNewNodeDaemons() {
		return
	}
	type claim struct {
		rule   *spread.Rule
		domain int32
	}
	var claims []claim
	var searches []*spread.Rule
	p.a.eachEntry(func(class, node, _ int) {
		own := &p.a.board.Spread.Classes[class]
		for i := range own.Rules {
			r := &own.Rules[i]
			c := claim{r, p.a.ledger.Domain(r, node)}
			switch {
			case !own.AffectedByDaemons:
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
	for b := range p.a.board.Bins {
		bin := &p.a.board.Bins[b]
		planned, keep := p.a.site(bin), bin.Columns.Clone()
		for i := keep.Next(0); i >= 0; i = keep.Next(i + 1) {
			site := p.a.siteOf(bin.Pool, i, bin.Free)
			if slices.ContainsFunc(claims, func(c claim) bool { return site.Shuts(c.rule, c.domain) }) ||
				slices.ContainsFunc(searches, func(r *spread.Rule) bool { return !site.Like(planned, r) }) {
				keep.Remove(i)
			}
		}
		p.restrict(b, keep)
	}
}

// counted reports whether a tally counts pods in a bin.
func (p *optionFilter) counted(bin *board.Bin, tally int32) bool {
	return slices.ContainsFunc(bin.Entries, func(e board.Entry) bool {
		return slices.Contains(
			p.a.board.Spread.Classes[last(p.a.board.Table, p.a.board.Items[e.Item].Class)].Adds, tally,
		)
	})
}

// restrict keeps only some columns of a bin, unless the pool's minValues forbid it.
func (p *optionFilter) restrict(b int, keep bitset.Set) {
	bin := &p.a.board.Bins[b]
	columns := bin.Columns.And(keep)
	if columns.Any() {
		p.a.replan(p.a.board.Change(b), columns, bin.Free, bin.Column)
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
