package engine

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strconv"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/pack"
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// open writes down the new nodes.
func (a *assembler) open(bins []pack.Bin) {
	slack := newSlack(a.table, bins)
	for _, left := range slack.left {
		a.left = append(a.left, slices.Clone(left))
	}
	a.launches, a.offers = map[string]*launch{}, map[string]*offer{}
	for i := range bins {
		b := &bins[i]
		n := a.newNode(b, a.launch(b, a.reserve(b, slack.narrow(b, b.Columns))))
		n.ID = "n" + strconv.Itoa(i+1)
		a.decision.Open = append(a.decision.Open, n)
		a.decision.Price += n.Price
	}
}

// launch is what new nodes with the same choice of columns and the same wishes share.
type launch struct {
	first        int // the cheapest column
	options      []Option
	requirements []shape.Requirement
	relaxed      bool
}

// reserve keeps a bin that was planned for a capacity reservation to that one, and all others away
// from reservations: their machines are counted.
func (a *assembler) reserve(b *pack.Bin, columns bitset.Set) bitset.Set {
	name := a.table.Columns[b.Column].Offering.Reservation
	if name == "" && !a.table.Reserved {
		return columns
	}
	out := columns.Clone()
	for i := out.Next(0); i >= 0; i = out.Next(i + 1) {
		if a.table.Columns[i].Offering.Reservation != name {
			out.Remove(i)
		}
	}
	return out
}

// launch settles from which columns a bin may be launched, once for all bins that are alike in it.
func (a *assembler) launch(b *pack.Bin, columns bitset.Set) *launch {
	wheres := a.wheres(b)
	key := make([]byte, 0, 8*len(columns)+64)
	for _, set := range []bitset.Set{{uint64(b.Pool)}, columns, b.Free} {
		for _, word := range set {
			key = binary.LittleEndian.AppendUint64(key, word)
		}
	}
	for _, w := range wheres {
		key = append(append(key, w.Text()...), 0)
	}
	if l := a.launches[string(key)]; l != nil {
		return l
	}
	options := columns.Clone()
	a.settle(b, options)
	o := a.offer(options)
	l := &launch{first: options.Next(0), options: o.options}
	l.requirements = a.requirements(b, wheres, o)
	l.relaxed = a.relax(options, l.requirements)
	a.launches[string(key)] = l
	return l
}

// wheres lists what the bin's pods want of its labels, without repeats, in a fixed order.
func (a *assembler) wheres(b *pack.Bin) []*feasible.Where {
	var out []*feasible.Where
	for _, e := range b.Entries {
		w := a.table.Classes[a.items[e.Item].Class].Where
		if w.Text() != "" && !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	slices.SortFunc(out, func(x, y *feasible.Where) int { return cmp.Compare(x.Text(), y.Text()) })
	return out
}

func (a *assembler) newNode(b *pack.Bin, l *launch) NewNode {
	pool := a.table.Pools[b.Pool]
	n := NewNode{Pool: pool.Name, Options: l.options, Requirements: l.requirements, Relaxed: l.relaxed, Price: l.options[0].Price}
	sum := slices.Clone(b.Load)
	for d, room := range pool.Room(l.first) {
		sum[d] += a.table.Columns[l.first].Allocatable(d) - room // the daemons there
	}
	n.Requests = a.table.Vector(sum)
	count := 0
	for _, e := range b.Entries {
		count += e.Count
	}
	n.Pods = make([]shape.PodID, 0, count)
	for _, e := range b.Entries {
		n.Pods = a.take(n.Pods, a.items[e.Item].Class, e.Count)
	}
	slices.Sort(n.Pods)
	return n
}

// offer is a choice of columns in words; launches that differ in other things share it.
type offer struct {
	options                []Option
	types, zones, capacity []string // of options; ascending, without repeats
}

func (a *assembler) offer(columns bitset.Set) *offer {
	key := make([]byte, 0, 512)
	for _, word := range columns {
		key = binary.LittleEndian.AppendUint64(key, word)
	}
	if o := a.offers[string(key)]; o != nil {
		return o
	}
	o := &offer{}
	o.options, o.types = a.options(columns)
	o.zones = valuesOf(o.options, func(o *Option) string { return o.Zone })
	o.capacity = valuesOf(o.options, func(o *Option) string { return o.CapacityType })
	a.offers[string(key)] = o
	return o
}

// options lists the columns of the cheapest types, as many types as the policy allows, and those types' names.
func (a *assembler) options(columns bitset.Set) (out []Option, names []string) {
	out = make([]Option, 0, columns.Count())
	types := map[string]bool{}
	var last *shape.InstanceType // of equal price are mostly columns of one type
	for i := columns.Next(0); i >= 0; i = columns.Next(i + 1) {
		c := &a.table.Columns[i]
		if c.Type != last && !types[c.Type.Name] {
			if a.policy.MaxInstanceTypes > 0 && len(types) == a.policy.MaxInstanceTypes {
				continue
			}
			types[c.Type.Name] = true
			if c.Type.Name != "" {
				names = append(names, c.Type.Name)
			}
		}
		last = c.Type
		out = append(out, Option{
			Type: c.Type.Name, Zone: c.Offering.Zone, CapacityType: c.Offering.CapacityType,
			Reservation: c.Offering.Reservation, Price: c.Price(),
		})
	}
	slices.Sort(names)
	return out, names
}

// requirements are what the NodeClaim asks for: the pool's wishes, narrowed to the options. Of a label
// that the pool leaves open one value is left: the node needs one, whatever pods want it.
func (a *assembler) requirements(b *pack.Bin, wheres []*feasible.Where, o *offer) []shape.Requirement {
	pool := a.table.Pools[b.Pool]
	set := pool.Wishes
	for _, w := range wheres {
		// Offerings satisfy the selector already; it is repeated for what they leave open.
		set = set.And(w.Selector())
	}
	for i := range pool.Free {
		f := &pool.Free[i]
		if value, ok := f.Settled(b.Free); ok {
			set = set.Without(f.Key).With(require.Of(shape.Requirement{Key: f.Key, Values: []string{value}, MinValues: set.Get(f.Key).MinValues()}))
		}
	}
	set = narrowTo(set, shape.LabelInstanceType, o.types)
	set = narrowTo(set, shape.LabelZone, o.zones)
	set = narrowTo(set, shape.LabelCapacityType, o.capacity)
	return set.Requirements()
}

// relax lowers minValues to what the options keep, and reports whether it had to.
func (a *assembler) relax(options bitset.Set, reqs []shape.Requirement) bool {
	relaxed := false
	for i := range reqs {
		if r := &reqs[i]; r.MinValues > 0 {
			if have := a.table.Variety(r.Key, options); have < r.MinValues {
				r.MinValues, relaxed = have, true
			}
		}
	}
	return relaxed
}

// fewValues is up to how many values are searched for one more.
const fewValues = 8

// valuesOf lists the values of options that are not empty.
func valuesOf(options []Option, value func(*Option) string) []string {
	var values []string // only many repeats are worth avoiding before sorting
	for i := range options {
		v := value(&options[i])
		if v != "" && (len(values) == 0 || values[len(values)-1] != v) && (len(values) > fewValues || !slices.Contains(values, v)) {
			values = append(values, v)
		}
	}
	slices.Sort(values)
	return slices.Compact(values)
}

func narrowTo(set require.Set, key string, values []string) require.Set {
	if len(values) == 0 {
		return set
	}
	return set.Without(key).With(require.Of(shape.Requirement{Key: key, Values: values, MinValues: set.Get(key).MinValues()}))
}

// settle narrows the options until every combination of their types, zones and capacity types
// suits the pods: a claim lists the three separately, and the cloud may combine them.
func (a *assembler) settle(b *pack.Bin, options bitset.Set) {
	first := options.Next(0)
	for _, key := range []string{"", shape.LabelZone, shape.LabelCapacityType, shape.LabelInstanceType} {
		if key != "" {
			free := b.Free.Clone()
			v, _ := a.table.Columns[first].Label(key)
			if value, ok := v.Some(); ok {
				a.table.Restrict(a.table.Pools[b.Pool], options, free, key, value, false)
			}
		}
		if a.closed(b, options) {
			return
		}
	}
}

// closed reports whether every column of the pool that the options' types, zones and capacity
// types can be combined to is an option, or cannot be bought.
func (a *assembler) closed(b *pack.Bin, options bitset.Set) bool {
	if a.traits == nil {
		a.traits = traitsOf(a.table)
		a.offered = make([]bool, 3*len(a.traits))
	}
	clear(a.offered)
	for i := options.Next(0); i >= 0; i = options.Next(i + 1) {
		for _, trait := range a.traits[i] {
			a.offered[trait] = true
		}
	}
	usable := a.table.Pools[b.Pool].Usable
	for i := usable.Next(0); i >= 0; i = usable.Next(i + 1) {
		if t := &a.traits[i]; a.offered[t[0]] && a.offered[t[1]] && a.offered[t[2]] && !options.Has(i) {
			return false
		}
	}
	return true
}

// traitsOf numbers every column's type, zone and capacity type, all in one sequence.
func traitsOf(t *feasible.Table) [][3]int32 {
	out := make([][3]int32, len(t.Columns))
	known := map[[2]string]int32{}
	number := func(kind, name string) int32 {
		n, ok := known[[2]string{kind, name}]
		if !ok {
			n = int32(len(known))
			known[[2]string{kind, name}] = n
		}
		return n
	}
	for i := range t.Columns {
		c := &t.Columns[i]
		out[i] = [3]int32{number("type", c.Type.Name), number("zone", c.Offering.Zone), number("capacity", c.Offering.CapacityType)}
	}
	return out
}
