package feasible

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// FreeLabel is one free label. Its values are members from to upto-1 of an Alternative's Free.
type FreeLabel struct {
	Key        string
	Values     []string // what any pod or the pool mentions; absence is the empty string with Absent
	Absent     bool     // the last member stands for the missing label
	open       bool     // any value will do, so pods say which there are
	named      int      // of Values, how many come first that somebody names; the others are made up
	from, upto int
}

// addFree makes a free label of a wish that no offering of the pool can answer.
func (p *Pool) addFree(cp *compiler, v require.Values) {
	f := FreeLabel{Key: v.Key(), from: p.freeBits, Absent: v.HasAbsent()}
	if members, ok := v.List(); ok {
		f.Values, f.named = members, len(members)
	} else {
		f.Values, f.named = cp.mentioned(v)
		f.open = true
	}
	f.upto = f.from + len(f.Values)
	if f.Absent {
		f.upto++
	}
	p.freeBits = f.upto
	p.Choices = p.Choices || f.upto > f.from+1
	p.Free = append(p.Free, f)
}

// mentioned lists those values of an open set that are named: by classes, and by nodes if pods look for their
// neighbours by the label. After these, of which it returns the number, come values that are not named, as many as
// there may be use for.
func (cp *compiler) mentioned(v require.Values) (out []string, named int) {
	rest := v
	note := func(w require.Values) {
		rest = rest.And(w.Spare())
		for _, m := range w.Named() {
			if v.Has(m) {
				out = append(out, m)
			}
		}
	}
	for _, w := range cp.t.wheres {
		note(w.selector.Get(v.Key()))
		for _, list := range w.lists() {
			for _, tm := range list {
				note(tm.labels.Get(v.Key()))
			}
		}
	}
	domains := cp.domainsWanted(v.Key())
	if domains > 0 {
		for _, p := range cp.t.snapshot.Profiles {
			if value, ok := shape.LabelValue(p.Labels, v.Key()); ok {
				note(require.Only(v.Key(), value))
			}
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	named = len(out)
	for range domains + 1 {
		if other, ok := rest.Some(); ok {
			out = append(out, other)
			rest = rest.And(require.Only(v.Key(), other).Spare())
		}
	}
	return out, named
}

// MadeUp reports whether nobody names a value of a label: new nodes get it only to differ from others.
func MadeUp(t *Table, key, value string) bool {
	made := false
	for _, p := range t.Pools {
		f := p.free(key)
		if f == nil {
			continue
		}
		if slices.Contains(f.Values[:f.named], value) {
			return false
		}
		made = made || slices.Contains(f.Values[f.named:], value)
	}
	return made
}

// maxNewDomains is how many values of an open label are made up at most for pods that keep apart by it.
const maxNewDomains = 10

// domainsWanted is how many pods have a rule about neighbours by the label: each of them may need a value
// that no other node has. It is at least as many domains as any of them wants.
func (cp *compiler) domainsWanted(key string) int {
	n, least := 0, 0
	for _, c := range cp.t.Classes {
		looks := slices.ContainsFunc(c.Affinity, func(a shape.PodTerm) bool { return a.Key == key })
		for i := range c.Spread {
			if c.Spread[i].Key == key {
				looks, least = true, max(least, int(c.Spread[i].MinDomains))
			}
		}
		if looks {
			n += len(c.Pods)
		}
	}
	return min(max(n, least), maxNewDomains)
}

func (p *Pool) free(key string) *FreeLabel {
	for i := range p.Free {
		if p.Free[i].Key == key {
			return &p.Free[i]
		}
	}
	return nil
}

func (f *FreeLabel) narrow(free bitset.Set, v require.Values) {
	for i := f.from; i < f.upto; i++ {
		keep := false
		if i-f.from < len(f.Values) {
			keep = v.Has(f.Values[i-f.from])
		} else {
			keep = v.HasAbsent()
		}
		if !keep {
			free.Remove(i)
		}
	}
}

// FreeLeft reports whether every free label still has a value.
func (p *Pool) FreeLeft(free bitset.Set) bool {
	for i := range p.Free {
		if !free.AnyIn(p.Free[i].from, p.Free[i].upto) {
			return false
		}
	}
	return true
}

// Settled is the value that a node with this Free gets for the label: of those that remain the first that
// named somewhere. ok is false if the node goes without the label.
func (f *FreeLabel) Settled(free bitset.Set) (value string, ok bool) {
	if at := f.settled(free); at >= f.from && at < f.from+len(f.Values) {
		return f.Values[at-f.from], true
	}
	return "", false
}

// settled is the member that stands for what Settled returns, -1 if none remains.
func (f *FreeLabel) settled(free bitset.Set) int {
	if f.Absent && free.Has(f.upto-1) {
		return f.upto - 1
	}
	if at := free.Next(f.from); at < f.upto {
		return at
	}
	return -1
}

// settled is what a node with this Free gets: of each free label one value.
func (p *Pool) settled(free bitset.Set) bitset.Set {
	if !p.Choices {
		return free
	}
	out := bitset.New(p.freeBits)
	for i := range p.Free {
		if at := p.Free[i].settled(free); at >= 0 {
			out.Add(at)
		}
	}
	return out
}

// AllFree is the Free of a node about whose free labels nothing is known yet.
func (p *Pool) AllFree() bitset.Set { return p.freeFull.Clone() }
