package pack

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/spread"
)

// confirm takes pods out of new nodes again that were to be near others, or level with others, which
// then found no place there. They are stuck for now: when the others are somewhere, the next plan knows where.
func (p *packer) confirm() {
	for again := true; again; {
		again = false
		for b := range p.bins {
			bin := &p.bins[b]
			keep := bin.Entries[:0]
			for _, e := range bin.Entries {
				if it := p.done[e.Item]; p.lonely(it) {
					p.drop(bin, it, e.Count)
					again = true
					continue
				}
				keep = append(keep, e)
			}
			bin.Entries = keep
		}
	}
	p.bins = slices.DeleteFunc(p.bins, func(b Bin) bool { return len(b.Entries) == 0 })
}

// lonely reports whether an item's required affinity or spread is not met where it went.
func (p *packer) lonely(it Item) bool {
	if it.Cell == nil {
		return false
	}
	st := p.board.Spread
	for _, r := range st.Classes[it.Class].Rules {
		if st.Keys[r.Key].Host {
			continue
		}
		if r.Kind == spread.Skew && st.Skew(&r, it.Cell.Domains[r.Key]) > r.MaxSkew+selfless(r.Self) {
			return true
		}
		if r.Kind != spread.Near {
			continue
		}
		t := &st.Tallies[r.Tally]
		others := t.Count[it.Cell.Domains[r.Key]]
		if r.Self {
			others -= p.own(it, r.Key)
		}
		if others <= 0 && !(r.Self && t.Running == 0) {
			return true
		}
	}
	return false
}

// selfless is what Skew counts for a pod that is yet to come and that is in already.
func selfless(self bool) int32 {
	if self {
		return 1
	}
	return 0
}

// own counts the item's class on new nodes in its domain.
func (p *packer) own(it Item, key int32) int32 {
	n := 0
	for b := range p.bins {
		for _, e := range p.bins[b].Entries {
			if o := p.done[e.Item]; o.Class == it.Class && o.Cell != nil && o.Cell.Domains[key] == it.Cell.Domains[key] {
				n += e.Count
			}
		}
	}
	return int32(n)
}

func (p *packer) drop(b *Bin, it Item, n int) {
	c := p.board.Table.Classes[it.Class]
	for d, need := range c.Need {
		b.Load[d] -= need * int64(n)
	}
	p.leave(it, n)
	p.stuck[c.Base] += n
}
