package spread

import (
	"encoding/binary"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/feasible"
)

// Site is what topology rules see of a new node.
type Site struct {
	number  int32
	domains []int32 // by State.Keys; -1 for a missing label, empty for hostname
	counted []bool  // by State.Tallies: the tally looks at the node
	// tallies that count the node's daemons, ascending; only those of which that can matter to other nodes
	hosts []int32
}

// sites are all there are.
type sites struct {
	byText   map[string]*Site           // equal ones are one
	byColumn map[*feasible.Pool][]*Site // of pools without free labels
	byFree   map[string]*Site           // by pool, column and what remains of the pool's free labels
	text     []byte                     // scratch
}

// Site is that of a new node from a column, of whose free labels only some values remain. Equal ones are one.
func (s *State) Site(p *feasible.Pool, column int, free bitset.Set) *Site {
	if s.sites.byText == nil {
		s.sites = sites{byText: map[string]*Site{}, byColumn: map[*feasible.Pool][]*Site{}, byFree: map[string]*Site{}}
	}
	if len(free) == 0 {
		list := s.sites.byColumn[p]
		if list == nil {
			list = make([]*Site, len(s.table.Columns))
			s.sites.byColumn[p] = list
		}
		if list[column] == nil {
			list[column] = s.newSite(p, column, free)
		}
		return list[column]
	}
	text := binary.LittleEndian.AppendUint32(append(append(s.sites.text[:0], p.Name...), 0), uint32(column))
	for _, word := range free {
		text = binary.LittleEndian.AppendUint64(text, word)
	}
	s.sites.text = text
	if known := s.sites.byFree[string(text)]; known != nil {
		return known
	}
	from := string(text)
	site := s.newSite(p, column, free)
	s.sites.byFree[from] = site
	return site
}

// newSite makes a site, or finds the one that is equal to it.
func (s *State) newSite(p *feasible.Pool, column int, free bitset.Set) *Site {
	site := &Site{domains: make([]int32, len(s.Keys)), counted: make([]bool, len(s.Tallies))}
	for k := range s.Keys {
		if site.domains[k] = -1; s.Keys[k].Host {
			site.domains[k] = empty
			continue
		}
		if value, ok := s.table.NewLabel(p, column, free, s.Keys[k].Name); ok {
			if d, found := slices.BinarySearch(s.Keys[k].Domains, value); found {
				site.domains[k] = int32(d)
			}
		}
	}
	for k := range s.Tallies {
		site.counted[k] = s.countsNew(s.Tallies[k].filter, site, p, column, free)
	}
	site.hosts = daemonTallies(s, p, column, free)
	text := s.sites.text[:0]
	for _, d := range site.domains {
		text = binary.LittleEndian.AppendUint32(text, uint32(d))
	}
	for _, yes := range site.counted {
		text = append(text, flag(yes))
	}
	for _, k := range site.hosts {
		text = binary.LittleEndian.AppendUint32(text, uint32(k))
	}
	s.sites.text = text
	if known := s.sites.byText[string(text)]; known != nil {
		return known
	}
	site.number = int32(len(s.sites.byText))
	s.sites.byText[string(text)] = site
	return site
}

// countsNew is filter.counts for a new node.
func (s *State) countsNew(f *filter, site *Site, p *feasible.Pool, column int, free bitset.Set) bool {
	if f == nil {
		return true
	}
	if slices.ContainsFunc(f.keys, func(key string) bool { return site.domains[s.byKey[key]] < 0 }) {
		return false
	}
	if f.taints {
		if _, ok := f.where.Tolerates(p.Taints); !ok {
			return false
		}
	}
	return !f.affinity || s.table.LabelsAllowNew(f.where, p, column, free)
}

// Outcome is a domain in which nodes from some columns would be to a tally.
type Outcome struct {
	Domain  int32 // -1 if the tally does not look at them; 0 for hostname
	Columns bitset.Set
}

// Outcomes lists where new nodes of a pool would be to a tally, by column; of free labels only some values remain.
func (s *State) Outcomes(tally int32, p *feasible.Pool, free bitset.Set) []Outcome {
	t, own := s.table, &s.Tallies[tally]
	seen := s.seen(own.filter, p, free)
	unseen := p.Usable.Clone()
	key := &s.Keys[own.Key]
	if key.Host {
		unseen.Drop(seen)
		return []Outcome{{0, seen}, {-1, unseen}}
	}
	var out []Outcome
	for d, value := range key.Domains {
		columns := seen.And(t.WithLabel(p, free, key.Name, value))
		if columns.Any() {
			out = append(out, Outcome{int32(d), columns})
			unseen.Drop(columns)
		}
	}
	return append(out, Outcome{-1, unseen})
}

// seen are the usable columns of a pool of which the nodes pass a filter.
func (s *State) seen(f *filter, p *feasible.Pool, free bitset.Set) bitset.Set {
	t := s.table
	out := p.Usable.Clone()
	if f == nil {
		return out
	}
	if f.taints {
		if _, ok := f.where.Tolerates(p.Taints); !ok {
			return bitset.New(len(t.Columns))
		}
	}
	if f.affinity {
		out.Keep(t.Labelled(f.where, p, free))
	}
	for _, key := range f.keys {
		having := bitset.New(len(t.Columns))
		for _, value := range s.Keys[s.byKey[key]].Domains {
			having.Join(t.WithLabel(p, free, key, value))
		}
		out.Keep(having)
	}
	return out
}
