package feasible

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/fanout"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Table is a Snapshot compiled for planning. Its exported fields are written by
// [Compile] only and never change.
type Table struct {
	Offerings  // what can be bought
	departures // what leaves the nodes that there are

	Pools []*Pool // ascending by weight (highest first), then by name

	// Classes are those that a pod to be placed has, in the order in which they are
	// planned; see sortClasses. After them come variants of classes with preferences.
	Classes []*Class

	Nodes []Node

	// Attached tells which shared volumes, by ID, are attached to which nodes.
	Attached map[[2]int32]bool

	snapshot *shape.Snapshot
	wheres   map[string]*Where
	class    []int32 // from shape's index to Classes, -1 for those without pods
	stray    []shape.PodID
	attaches bool // some pod to be placed has volumes that take slots
	volumes  map[shape.Attach]int32
	expected map[int][]int32 // by node: daemons still to come, as indexes into Snapshot.Classes
}

// Column is one offering of one instance type.
type Column struct {
	Type     *shape.InstanceType
	Offering *shape.Offering

	typeIndex int32
	room      []int64 // allocatable
}

// Price is what a machine from this column costs.
func (c *Column) Price() shape.Money { return c.Offering.Price }

// Class is one class of pods to be placed.
type Class struct {
	*shape.Class
	Pods []int32 // indexes into Snapshot.Pods, oldest first
	Need []int64 // by Table.Resources; equal Needs are one slice
	Size int32   // numbers the distinct Needs and Shareds

	// Shared are volumes that pods of the class share with each other, and with those of other classes.
	Shared []Volume
	// First is Need with a slot for each of Shared: what the first of the pods on a node takes.
	First []int64

	Where *Where

	// Strict is where the pods may go by what they require, preferences aside. Topology spread
	// looks at nodes by it.
	Strict *Where

	// Wished tells by Spread which of it are preferences; nil if none is.
	Wished []bool

	// Source is the class's index in Snapshot.Classes.
	Source int32

	// Base is the position of the class that has the pods, itself but for variants; Next is the
	// variant to try when this one finds no place, -1 for none.
	Base, Next int32

	rank  int32       // of Size: pods of a lower one are harder to place; of equal Needs equal
	avoid bool        // stay off nodes with a PreferNoSchedule taint
	first shape.PodID // the least ID of Pods: the last tie-break between classes
}

// Node is an existing node that may take pods.
type Node struct {
	*shape.Node
	Profile *shape.Profile

	// Free is what is left beside running pods and daemons still to come. It may be negative.
	Free []int64
}

// Compile prepares a Snapshot. Pods, nodes, pools and types may come in any order. With respect,
// preferences are treated as required until they stand in the way; without, there are none.
func Compile(s *shape.Snapshot, respect bool) *Table { return CompileAfter(nil, s, respect) }

// CompileAfter is Compile for a Snapshot that shares lists with one which was compiled before: what follows from the
// same list is taken over. The result is the same. Neither Table may be used from another goroutine then.
func CompileAfter(last *Table, s *shape.Snapshot, respect bool) *Table {
	t := &Table{
		snapshot: s, Offerings: Offerings{keys: map[string]*keyIndex{}}, wheres: map[string]*Where{},
		volumes:  map[shape.Attach]int32{},
		Attached: map[[2]int32]bool{},
	}
	cp := &compiler{t}
	cp.collectClasses()
	cp.nameResources()
	if cp.takeColumns(last) {
		cp.compileClasses(respect)
	} else {
		last = nil
		fanout.Both(func() { cp.compileClasses(respect) }, func() {
			cp.buildColumns()
			cp.indexWishes()
		})
	}
	cp.buildPools(last)
	cp.reserveLastResort()
	cp.buildNodes()
	return t
}

// compiler makes a Table of a Snapshot, step by step.
type compiler struct{ t *Table }

// compileClasses works out what each class needs and where it may go. It looks at no columns: those are built
// meanwhile.
func (cp *compiler) compileClasses(respect bool) {
	cp.sizeClasses()
	for _, c := range cp.t.Classes {
		c.Where, c.Next = cp.t.whereOf(c.Class, false), -1
		c.Strict = c.Where
		if len(c.Where.repelled) > 0 {
			c.Strict = cp.t.where(c.Class)
		}
	}
	for _, d := range cp.t.snapshot.DaemonSets { // before pools, which list what anyone may ask of a free label
		if c := cp.t.daemonClass(d); c != nil {
			cp.t.where(c)
		}
	}
	cp.noteMoving()
	cp.sortClasses()
	for i := range cp.t.class {
		cp.t.class[i] = -1
	}
	for i, c := range cp.t.Classes {
		cp.t.class[c.Source] = int32(i)
		c.Base = int32(i)
	}
	if respect {
		cp.addVariants()
	}
}

// sizeClasses finds the distinct sizes, and ranks them by how hard pods of the size are to place.
func (cp *compiler) sizeClasses() {
	known := map[string]*Class{}
	var sizes []*Class // of each size the first
	scratch, text := make([]int64, len(cp.t.Resources)), []byte(nil)
	for _, c := range cp.t.Classes {
		clear(scratch)
		cp.t.add(scratch, &c.Requests, 1)
		c.Need = scratch
		cp.addAttach(c)
		text = appendNumbers(text[:0], c.Need)
		for _, v := range c.Shared {
			text = binary.LittleEndian.AppendUint32(text, uint32(v.ID))
		}
		same := known[string(text)]
		if same == nil {
			same, c.Size = c, int32(len(sizes))
			known[string(text)] = c
			sizes = append(sizes, c)
			if c.Need = slices.Clone(scratch); len(c.Shared) == 0 {
				c.First = c.Need
			}
		}
		c.Need, c.First, c.Size = same.Need, same.First, same.Size
	}
	hard := func(a, b *Class) int {
		return cmp.Or(
			slices.Compare(b.Need[4:], a.Need[4:]), cmp.Compare(bulk(b.Need), bulk(a.Need)),
			slices.Compare(b.Need, a.Need),
		)
	}
	order := slices.Clone(sizes)
	slices.SortStableFunc(order, hard)
	rank := int32(0)
	for i, c := range order {
		if i > 0 && hard(order[i-1], c) != 0 {
			rank++
		}
		c.rank = rank
	}
	for _, c := range cp.t.Classes {
		c.rank = sizes[c.Size].rank
	}
}

// Snapshot is what the Table was compiled from.
func (t *Table) Snapshot() *shape.Snapshot { return t.snapshot }

// Stray are pods whose class does not exist; a correct Snapshot has none.
func (t *Table) Stray() []shape.PodID { return t.stray }

// ClassOf is the position in Classes of a class of the Snapshot, -1 if no pod to be placed has it.
func (t *Table) ClassOf(source int32) int32 { return t.class[source] }

// collectClasses finds which classes have pods to be placed.
func (cp *compiler) collectClasses() {
	s := cp.t.snapshot
	cp.t.class = make([]int32, len(s.Classes))
	counts := make([]int32, len(s.Classes))
	for i := range s.Pods {
		if c := s.Pods[i].Class; c >= 0 && int(c) < len(counts) {
			counts[c]++
		}
	}
	rest := make([]int32, len(s.Pods))
	wanted := 0
	for _, n := range counts {
		if n > 0 {
			wanted++
		}
	}
	list := make([]Class, wanted)
	cp.t.Classes = make([]*Class, 0, wanted)
	for source, n := range counts {
		cp.t.class[source] = -1
		if n > 0 {
			i := len(cp.t.Classes)
			cp.t.class[source] = int32(i)
			list[i] = Class{Class: s.Classes[source], Source: int32(source), Pods: rest[:0:n]}
			cp.t.Classes = append(cp.t.Classes, &list[i])
			rest = rest[n:]
		}
	}
	for i := range s.Pods {
		p := &s.Pods[i]
		if p.Class < 0 || int(p.Class) >= len(counts) {
			cp.t.stray = append(cp.t.stray, p.ID)
			continue
		}
		c := cp.t.Classes[cp.t.class[p.Class]]
		c.Pods = append(c.Pods, int32(i))
	}
	slices.Sort(cp.t.stray)
	for _, c := range cp.t.Classes {
		c.sortPods(s.Pods)
	}
}

// sortPods puts the oldest first, and notes the least ID.
func (c *Class) sortPods(pods []shape.Pod) {
	for i, p := range c.Pods {
		if id := pods[p].ID; i == 0 || id < c.first {
			c.first = id
		}
	}
	slices.SortFunc(c.Pods, func(a, b int32) int {
		if c := pods[a].Created.Compare(pods[b].Created); c != 0 {
			return c
		}
		return cmp.Compare(pods[a].ID, pods[b].ID)
	})
}

// appendNumbers appends a vector to a map key.
func appendNumbers(key []byte, v []int64) []byte {
	for _, n := range v {
		key = binary.LittleEndian.AppendUint64(key, uint64(n))
	}
	return key
}

func (cp *compiler) nameResources() {
	cp.t.Resources = []string{shape.CPU, shape.Memory, shape.Ephemeral, shape.Pods}
	var extended []string
	note := func(v shape.Vector) {
		for _, a := range v.Extended {
			extended = append(extended, a.Resource)
		}
	}
	for _, c := range cp.t.Classes {
		note(c.Requests)
	}
	for _, d := range cp.t.snapshot.DaemonSets {
		if c := cp.t.daemonClass(d); c != nil {
			note(c.Requests)
		}
	}
	slices.Sort(extended)
	cp.t.Resources = append(cp.t.Resources, slices.Compact(extended)...)
	var drivers []string
	for _, c := range cp.t.Classes {
		for _, a := range c.Attach {
			drivers = append(drivers, attachPrefix+a.Driver)
		}
	}
	cp.t.attaches = len(drivers) > 0
	slices.Sort(drivers)
	cp.t.Resources = append(cp.t.Resources, slices.Compact(drivers)...)
}

func (t *Table) daemonClass(d shape.DaemonSet) *shape.Class {
	if d.Class < 0 || int(d.Class) >= len(t.snapshot.Classes) {
		return nil
	}
	return t.snapshot.Classes[d.Class]
}

// Fits is how many copies of need room holds, at most limit. Only what need asks for counts.
func Fits(need, room []int64, limit int) int {
	n := int64(limit)
	for d, want := range need {
		if want <= 0 {
			continue
		}
		if room[d] < want {
			return 0
		}
		if want*n > room[d] {
			n = room[d] / want
		}
	}
	return int(n)
}

// FitsAfter is Fits where the first copy takes more than the others.
func FitsAfter(first, need, room []int64, limit int) int {
	if &first[0] == &need[0] {
		return Fits(need, room, limit)
	}
	if Fits(first, room, 1) == 0 {
		return 0
	}
	rest := slices.Clone(room)
	for d := range rest {
		rest[d] -= first[d] - need[d]
	}
	return Fits(need, rest, limit)
}

// Holds reports whether room has load's amount of everything that load has some of.
func Holds(load, room []int64) bool {
	for d, have := range load {
		if have > 0 && have > room[d] {
			return false
		}
	}
	return true
}

// sortClasses orders classes for planning: higher priority first, then those that
// are harder to place. It looks at content only and at the first pod last, so the order
// does not depend on how the Snapshot is laid out.
func (cp *compiler) sortClasses() {
	texts := slices.Sorted(maps.Keys(cp.t.wheres))
	place := make(map[*Where]int32, len(texts))
	for i, text := range texts {
		place[cp.t.wheres[text]] = int32(i)
	}
	type entry struct { // what is compared, side by side
		class                        *Class
		first                        shape.PodID
		priority, rank, where, rules int32
	}
	list := make([]entry, len(cp.t.Classes))
	for i, c := range cp.t.Classes {
		list[i] = entry{c, c.first, c.Priority, c.rank, place[c.Where], int32(len(c.Spread) + len(c.Affinity))}
	}
	slices.SortFunc(list, func(a, b entry) int {
		switch {
		case a.priority != b.priority:
			return cmp.Compare(b.priority, a.priority)
		case a.rank != b.rank:
			return cmp.Compare(a.rank, b.rank)
		case a.where != b.where:
			return cmp.Compare(a.where, b.where)
		case a.rules != b.rules:
			return cmp.Compare(b.rules, a.rules)
		}
		return cmp.Compare(a.first, b.first)
	})
	for i := range list {
		cp.t.Classes[i] = list[i].class
	}
}

// Shifts make bytes comparable with thousandths of a core. A core weighs as much as 4 GiB of memory, the shape of a
// general-purpose machine (as in engine/eviction), and as 32 GiB of disk, of which nodes
// rarely run short. They only order classes: large ones come first. What fits does not depend on them.
const (
	memoryShift = 22
	diskShift   = 25
)

// bulk weighs a request, in thousandths of a core: what it takes most of.
func bulk(need []int64) int64 { return max(need[0], need[1]>>memoryShift, need[2]>>diskShift) }
