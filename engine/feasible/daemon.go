package feasible

import (
	"fmt"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// repelledDaemon is a daemon that pods cannot share a domain with.
type repelledDaemon struct {
	daemon int    // index into Snapshot.DaemonSets
	key    string // of the label by whose values they must differ
	reason Reason
}

// repelledBy lists the daemons that pods of a class cannot be near: host ports collide, or one of the two has a
// required anti-affinity that selects the other.
func (t *Table) repelledBy(c *shape.Class) []repelledDaemon {
	var out []repelledDaemon
	for i, ds := range t.snapshot.DaemonSets {
		d := t.daemonClass(ds)
		if d == nil || d == c {
			continue
		}
		for _, p := range c.HostPorts {
			if slices.ContainsFunc(d.HostPorts, p.Collides) {
				out = append(out, repelledDaemon{
					i, shape.LabelHostname, Reason{Kind: PortTaken, Key: fmt.Sprintf("%s/%d", p.Protocol, p.Port)},
				})
				break
			}
		}
		out = apart(out, i, c, d)
		out = apart(out, i, d, c)
	}
	return out
}

// apart adds the daemon for each required anti-affinity of a that selects b.
func apart(out []repelledDaemon, daemon int, a, b *shape.Class) []repelledDaemon {
	for i := range a.Affinity {
		term := &a.Affinity[i]
		if term.Anti && term.Weight == 0 && require.TermSelects(term, a.Namespace, b) {
			out = append(out, repelledDaemon{daemon, term.Key, Reason{Kind: AntiAffinity, Key: term.Key}})
		}
	}
	return out
}

// withoutDaemon leaves of alternatives the nodes on which a repelled daemon does not run, or which have no such label.
func (t *Table) withoutDaemon(alts []Alternative, p *Pool, s *repelledDaemon) []Alternative {
	d := t.daemonClass(t.snapshot.DaemonSets[s.daemon])
	for _, where := range t.Alternatives(t.where(d), p) {
		taken := Alternative{Columns: where.Columns.Clone(), Free: where.Free.Clone()}
		if s.key == shape.LabelHostname || t.labelled(p, &taken, s.key) {
			alts = without(alts, p, taken)
		}
	}
	return alts
}

// labelled narrows to nodes that have a label, whatever its value; false if there are none.
func (off *Offerings) labelled(p *Pool, a *Alternative, key string) bool {
	if f := p.free(key); f != nil {
		if f.Absent {
			a.Free.Remove(f.upto - 1)
		}
		return a.Free.AnyIn(f.from, f.upto)
	}
	a.Columns.Drop(off.key(key).absent)
	return a.Columns.Any()
}

// without takes nodes out of alternatives. What is left of one may fall into several: columns that are not
// taken, and for taken ones each free label's values that are not.
func without(alts []Alternative, p *Pool, taken Alternative) []Alternative {
	var out []Alternative
	keep := func(columns, free bitset.Set) {
		if !columns.Any() || !p.FreeLeft(free) {
			return
		}
		if k := slices.IndexFunc(out, func(o Alternative) bool { return o.Free.Equal(free) }); k >= 0 {
			out[k].Columns.Join(columns)
			return
		}
		out = append(out, Alternative{Columns: columns, Free: free})
	}
	for _, a := range alts {
		rest := a.Columns.Clone()
		rest.Drop(taken.Columns)
		keep(rest, a.Free)
		for i := range p.Free {
			f := &p.Free[i]
			free := a.Free.Clone()
			for bit := f.from; bit < f.upto; bit++ {
				if taken.Free.Has(bit) {
					free.Remove(bit)
				}
			}
			keep(a.Columns.And(taken.Columns), free)
		}
	}
	return out
}

// expectDaemons leaves room for daemons that will start on a node but have not yet.
func (cp *compiler) expectDaemons() {
	cp.t.expected = map[int][]int32{}
	for i, ds := range cp.t.snapshot.DaemonSets {
		c := cp.t.daemonClass(ds)
		if c == nil {
			continue
		}
		w := cp.t.where(c)
		for k := range cp.t.Nodes {
			n := &cp.t.Nodes[k]
			if _, running := slices.BinarySearch(n.Daemons, int32(i)); !running && w.AllowsNode(n) {
				cp.t.add(n.Free, &c.Requests, -1)
				cp.t.expected[k] = append(cp.t.expected[k], ds.Class)
			}
		}
	}
}

// DaemonClasses are the classes of the pods that daemons have, ascending by daemon.
func (t *Table) DaemonClasses() []*shape.Class {
	var out []*shape.Class
	for _, ds := range t.snapshot.DaemonSets {
		if c := t.daemonClass(ds); c != nil {
			out = append(out, c)
		}
	}
	return out
}

// RunsNew reports whether a daemon's pod runs on a new node from a column, with the free labels that it gets of the
// values that remain.
func (t *Table) RunsNew(daemon *shape.Class, p *Pool, column int, free bitset.Set) bool {
	free = p.settled(free)
	return slices.ContainsFunc(t.Alternatives(t.where(daemon), p), func(a Alternative) bool {
		return a.Columns.Has(column) && p.FreeLeft(a.Free.And(free))
	})
}

// Expected are the classes of daemons that will start on a node but have not yet, as indexes into Snapshot.Classes.
func (t *Table) Expected(node int) []int32 { return t.expected[node] }
