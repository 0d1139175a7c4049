package pack

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/spread"
)

// confirm takes pods back that were to be near others, or level with others, which then found no place
// there. They are stuck for now: when the others are somewhere, the next plan knows where.
func (p *packer) confirm() {
	for again := true; again; {
		again = false
		for b := range p.bins {
			bin := &p.bins[b]
			keep := make([]Entry, 0, len(bin.Entries))
			for _, e := range bin.Entries {
				if it := p.done[e.Item]; it.Cell != nil && p.lonely(it.Class, it.Cell.Domains) || p.deserted(bin, e) {
					p.drop(bin, it, e.Count)
					again = true
					continue
				}
				keep = append(keep, e)
			}
			bin.Entries = keep
		}
		again = p.confirmMoves() || again
	}
	p.bins = slices.DeleteFunc(p.bins, func(b Bin) bool { return len(b.Entries) == 0 })
}

// confirmMoves does the same for pods on existing nodes.
func (p *packer) confirmMoves() (again bool) {
	st := p.board.Spread
	for i, m := range p.board.Moves() {
		if m.Count == 0 || !st.Classes[m.Class].Domains {
			continue
		}
		domains := st.NodeCell(st.Classes[m.Class].Keys, int(m.Node), nil)
		if p.lonely(int(m.Class), domains) {
			p.board.TakeBack(i)
			p.stuck[p.board.Table.Classes[m.Class].Base] += int(m.Count)
			again = true
		}
	}
	return again
}

// lonely reports whether a class's required affinity or spread is not met in the domains where it is.
func (p *packer) lonely(class int, domains []int32) bool {
	st := p.board.Spread
	if p.board.Table.Classes[class].Next >= 0 {
		return false // at worst a preference is not met
	}
	rules := st.Classes[class].Rules
	for i := range rules {
		r := &rules[i]
		if st.Keys[r.Key].Host || domains[r.Key] < 0 {
			continue
		}
		if r.Kind == spread.Skew && st.Skew(r, domains[r.Key]) > r.MaxSkew+selfless(r.Self) {
			return true
		}
		if r.Kind != spread.Near {
			continue
		}
		t := &st.Tallies[r.Tally]
		others := t.Count[domains[r.Key]]
		if r.Self {
			others -= p.own(class, r.Key, domains[r.Key])
		}
		if others <= 0 && !(r.Self && t.Running == 0) {
			return true
		}
	}
	return false
}

// deserted reports whether an entry's required affinity by hostname has nobody left in the bin.
func (p *packer) deserted(b *Bin, e Entry) bool {
	st := p.board.Spread
	class := p.done[e.Item].Class
	for _, r := range st.Classes[class].Rules {
		if r.Kind != spread.Near || !st.Keys[r.Key].Host {
			continue
		}
		found := false
		for _, o := range b.Entries {
			other := p.done[o.Item].Class
			found = found || (o.Item != e.Item || r.Self && st.Tallies[r.Tally].Running == 0) && slices.Contains(st.Classes[other].Adds, r.Tally)
		}
		if !found {
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

// own counts the pods of a class that this plan put into a domain.
func (p *packer) own(class int, key, domain int32) int32 {
	n := 0
	for b := range p.bins {
		for _, e := range p.bins[b].Entries {
			if o := p.done[e.Item]; o.Class == class && o.Cell != nil && o.Cell.Domains[key] == domain {
				n += e.Count
			}
		}
	}
	for _, m := range p.board.Moves() {
		if int(m.Class) == class && p.board.Spread.NodeDomain(key, int(m.Node)) == domain {
			n += int(m.Count)
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
