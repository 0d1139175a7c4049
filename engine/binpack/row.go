package binpack

import (
	"cmp"
	"math"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/feasible"
)

// row is items that are interchangeable while packing: the same requests, the same places,
// the same part in hostname rules.
type row struct {
	need   []int64
	shared []feasible.Volume // that its pods share; they take slots beyond need
	scope  int
	class  int // of any of its items, for hostname rules
	rules  []hostRule
	adds   []int32 // hostname tallies that its pods grow
	scarce bool    // hostname rules, not resources, decide how many nodes its pods need
	items  []int   // in plan order; those before next are used up
	next   int
	left   int // pods
	worth  float64
	bucket int // that the row is in
}

// bucket is rows with the same requests and places, so that how many fit is worked out once.
type bucket struct {
	need  []int64
	scope int
	rows  []int
	left  int

	// scarce rows come first: one of them is what makes another node worth its money.
	scarce bool
}

// rowKey is what the items of a row have in common.
type rowKey struct{ size, scope, part int32 }

// buildRows groups the items.
func (s *solver) buildRows() {
	at := make(map[rowKey]int, len(s.items))
	rowOf := make([]int, len(s.items))
	var firsts []int // by row: its first item
	hosts := newHosts(s.spread)
	for i, it := range s.items {
		key := rowKey{s.table.Classes[it.Class].Size, int32(s.scopeOf[i]), hosts.part(it.Class)}
		r, ok := at[key]
		if !ok {
			r = len(firsts)
			at[key] = r
			firsts = append(firsts, i)
		}
		rowOf[i] = r
	}
	s.near = hosts.near
	s.rows = make([]row, len(firsts))
	for r, i := range firsts {
		class := s.items[i].Class
		c, part := s.table.Classes[class], &hosts.parts[hosts.part(class)]
		s.rows[r] = row{
			need: c.Need, shared: c.Shared, scope: s.scopeOf[i], class: class, rules: part.rules, adds: part.adds,
		}
	}
	for i, r := range rowOf {
		s.rows[r].next++ // counts its items for now
		s.rows[r].left += s.items[i].Count
	}
	rest := make([]int, len(s.items))
	for r := range s.rows {
		row := &s.rows[r]
		row.items, rest = rest[:0:row.next], rest[row.next:]
		row.next = 0
	}
	for i, r := range rowOf {
		s.rows[r].items = append(s.rows[r].items, i)
	}
}

// buildBuckets groups the rows.
func (p *greedy) buildBuckets() {
	p.s.buckets = p.s.buckets[:0]
	buckets := map[[2]int32]int{}
	for r := range p.s.rows {
		if p.s.rows[r].left == 0 {
			continue
		}
		k := [2]int32{p.s.table.Classes[p.s.rows[r].class].Size, int32(p.s.rows[r].scope) << 1}
		if p.s.rows[r].scarce {
			k[1]++
		}
		b, ok := buckets[k]
		if !ok {
			b = len(p.s.buckets)
			buckets[k] = b
			p.s.buckets = append(p.s.buckets, bucket{
				need: p.s.rows[r].need, scope: p.s.rows[r].scope, scarce: p.s.rows[r].scarce,
			})
		}
		p.s.buckets[b].rows = append(p.s.buckets[b].rows, r)
		p.s.buckets[b].left += p.s.rows[r].left
		p.s.rows[r].bucket = b
	}
}

// filling is what one machine would take: scratch that is filled again and again.
type filling struct {
	kind    *kind
	entries []board.Entry // Item is a row
	room    []int64
	load    []int64
	free    bitset.Set
	columns bitset.Set // that suit all rows in it
	scopes  []bool
	touched []int
	host    []int32 // by tally
	hosted  []int32

	// Scratch of blend.
	base    []int
	rest    []int64
	need    []float64
	volumes []feasible.Volume // shared ones

	column int // the cheapest of columns that holds load
	keeps  []int64
	price  float64
	value  float64
}

func (s *solver) newFilling() *filling {
	d := len(s.table.Resources)
	return &filling{
		room: make([]int64, d), load: make([]int64, d), columns: bitset.New(len(s.table.Columns)),
		scopes: make([]bool, len(s.scopes)), host: make([]int32, len(s.spread.Tallies)),
	}
}

func (f *filling) reset(s *solver, k *kind) {
	f.kind, f.entries, f.value = k, f.entries[:0], 0
	copy(f.room, k.room)
	clear(f.load)
	pool := s.table.Pools[k.pool]
	f.free = append(f.free[:0], s.allFree[k.pool]...)
	copy(f.columns, pool.Usable)
	for _, m := range f.touched {
		f.scopes[m] = false
	}
	for _, t := range f.hosted {
		f.host[t] = 0
	}
	f.touched, f.hosted, f.volumes = f.touched[:0], f.hosted[:0], f.volumes[:0]
}

// add puts up to n pods of a row in, as many as hostname rules and free labels allow.
func (f *filling) add(s *solver, r, n int) int {
	row := &s.rows[r]
	for i := range row.rules {
		rule := &row.rules[i]
		if n = int(rule.room(f.host[rule.tally], int32(n))); n <= 0 {
			return 0
		}
	}
	attach, n := f.attach(row, n)
	if n <= 0 {
		return 0
	}
	if !f.scopes[row.scope] {
		alt := pick(&s.scopes[row.scope], s.table.Pools[f.kind.pool], f.kind, f.free)
		if alt == nil {
			return 0
		}
		f.scopes[row.scope] = true
		f.touched = append(f.touched, row.scope)
		f.columns.Keep(alt.Columns)
		f.free.Keep(alt.Free)
	}
	for _, v := range attach {
		f.volumes = append(f.volumes, v)
		f.room[v.Dim]--
		f.load[v.Dim]++
	}
	for _, tally := range row.adds {
		f.host[tally] += int32(n)
		f.hosted = append(f.hosted, tally)
	}
	for d, need := range row.need {
		f.room[d] -= need * int64(n)
		f.load[d] += need * int64(n)
	}
	f.entries = append(f.entries, board.Entry{Item: r, Count: n})
	f.value += float64(row.worth * float64(n))
	return n
}

// attach lists the volumes that a row shares and that are not in the filling yet, and how many of n pods fit beside
// them.
func (f *filling) attach(r *row, n int) ([]feasible.Volume, int) {
	if len(r.shared) == 0 {
		return nil, n
	}
	var more []feasible.Volume
	for _, v := range r.shared {
		if !slices.Contains(f.volumes, v) {
			more = append(more, v)
			f.room[v.Dim]--
		}
	}
	enough := true
	for _, v := range more {
		enough = enough && f.room[v.Dim] >= 0
	}
	if n = fits(r.need, f.room, n); !enough {
		n = 0
	}
	for _, v := range more {
		f.room[v.Dim]++
	}
	return more, n
}

// finish finds the cheapest column for what is in; false if there is none. Pods are taken out until the columns that
// hold the rest keep the pool's minValues.
func (f *filling) finish(s *solver) bool {
	for len(f.entries) > 0 {
		s.table.Pools[f.kind.pool].Holding(f.load, f.columns)
		found, some := f.choose(s)
		if found || !some {
			return found
		}
		f.shrink(s)
	}
	return false
}

// choose finds the cheapest column that holds what is in and from which it may be launched. some reports whether the
// limits allow some column that holds it.
func (f *filling) choose(s *solver) (found, some bool) {
	p := f.kind.pool
	if s.spared != nil {
		f.spare(s)
	}
	var tried []string // zones: with columns of one there is the same choice, near enough
	for i := f.columns.Next(0); i >= 0; i = f.columns.Next(i + 1) {
		if s.limits.Machines(p, i) == 0 {
			continue
		}
		some = true
		if c := &s.table.Columns[i]; !slices.Contains(tried, c.Offering.Zone) {
			if launch, keeps, ok := s.limits.Reserve(p, f.columns, f.free, i); ok {
				copy(f.columns, launch)
				f.column, f.keeps, f.price = i, keeps, s.cost(p, i)
				return true, true
			}
			tried = append(tried, c.Offering.Zone)
		}
	}
	return false, some
}

// spare leaves of the columns those that count for least where limits come before money, if any can be opened.
func (f *filling) spare(s *solver) {
	least := math.Inf(1)
	for i := f.columns.Next(0); i >= 0; i = f.columns.Next(i + 1) {
		if s.limits.Machines(f.kind.pool, i) > 0 {
			least = min(least, s.spared.Share(f.kind.pool, i))
		}
	}
	for i := f.columns.Next(0); i >= 0; i = f.columns.Next(i + 1) {
		if s.spared.Share(f.kind.pool, i) > least {
			f.columns.Remove(i)
		}
	}
}

// density is worth for money.
func (f *filling) density() float64 { return f.value / max(f.price, 1) }

// fill fills a machine bucket by bucket, in order.
func (f *filling) fill(s *solver, k *kind, order []int) bool {
	if s.limits.Exhausted(k.pool) {
		return false
	}
	f.reset(s, k)
	for _, b := range order {
		bk := &s.buckets[b]
		if bk.left == 0 || !k.takes.Has(bk.scope) {
			continue
		}
		n := fits(bk.need, f.room, bk.left)
		for i := 0; n > 0 && i < len(bk.rows); i++ {
			r := bk.rows[i]
			if left := s.rows[r].left; left > 0 {
				n -= f.add(s, r, min(n, left))
			}
		}
	}
	return f.finish(s)
}

// blend fills a machine with an equal part of every bucket, as if one machine of this room after the other
// were filled until nothing is left, and then goes on as fill does. Where machines hold many pods, that
// uses up all resources of all of them at once.
func (f *filling) blend(s *solver, k *kind, order []int) bool {
	f.reset(s, k)
	part := f.part(s, k)
	f.base, f.rest = slices.Grow(f.base[:0], len(s.buckets))[:len(s.buckets)], append(f.rest[:0], k.room...)
	base, rest := f.base, f.rest
	clear(base)
	carry := 0.0 // parts of pods add up from bucket to bucket
	for _, b := range order {
		if bk := &s.buckets[b]; bk.left > 0 && k.takes.Has(bk.scope) {
			carry += float64(part * float64(bk.left))
			base[b] = min(int(carry), fits(bk.need, rest, bk.left))
			carry -= float64(base[b])
			for d, need := range bk.need {
				rest[d] -= need * int64(base[b])
			}
		}
	}
	for _, b := range order {
		bk := &s.buckets[b]
		if bk.left == 0 || !k.takes.Has(bk.scope) {
			continue
		}
		n := base[b] + fits(bk.need, rest, bk.left-base[b])
		for d, need := range bk.need {
			rest[d] -= need * int64(n-base[b])
		}
		for i := 0; n > 0 && i < len(bk.rows); i++ {
			if left := s.rows[bk.rows[i]].left; left > 0 {
				n -= f.add(s, bk.rows[i], min(n, left))
			}
		}
	}
	return f.finish(s)
}

// part is which part of all pods left the kind's room takes, at most 1.
func (f *filling) part(s *solver, k *kind) float64 {
	f.need = slices.Grow(f.need[:0], len(k.room))[:len(k.room)]
	need := f.need
	clear(need)
	for b := range s.buckets {
		if bk := &s.buckets[b]; bk.left > 0 && k.takes.Has(bk.scope) {
			for d, n := range bk.need {
				need[d] += float64(float64(n) * float64(bk.left))
			}
		}
	}
	part := 1.0
	for d, n := range need {
		if n > 0 {
			part = min(part, float64(k.room[d])/n)
		}
	}
	return part
}

// fits is feasible.Fits for the innermost loop.
func fits(need, room []int64, limit int) int {
	for d, want := range need {
		if want > room[d] && want > 0 {
			return 0
		}
	}
	n := int64(limit)
	for d, want := range need {
		if want > 0 && want*n > room[d] {
			n = room[d] / want
		}
	}
	return int(n)
}

// bulkFirst orders buckets by their dominant share of an average machine, largest first.
func (p *greedy) bulkFirst(scale []float64) []int {
	order := make([]int, len(p.s.buckets))
	share := make([]float64, len(p.s.buckets))
	for b := range p.s.buckets {
		order[b] = b
		for d, n := range p.s.buckets[b].need {
			share[b] = max(share[b], float64(float64(n)*scale[d]))
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(scarceFirst(&p.s.buckets[a], &p.s.buckets[b]), cmp.Compare(share[b], share[a]))
	})
	return order
}

func scarceFirst(a, b *bucket) int {
	switch {
	case a.scarce == b.scarce:
		return 0
	case a.scarce:
		return -1
	}
	return 1
}

// shrink takes half of the pods that came last out.
func (f *filling) shrink(s *solver) {
	pool := s.table.Pools[f.kind.pool]
	last := len(f.entries) - 1
	e := &f.entries[last]
	n := (e.Count + 1) / 2
	row := &s.rows[e.Item]
	e.Count -= n
	f.value -= float64(row.worth * float64(n))
	for d, need := range row.need {
		f.load[d] -= need * int64(n)
	}
	if e.Count == 0 {
		f.entries = f.entries[:last]
	}
	copy(f.columns, pool.Usable)
	for _, e := range f.entries {
		f.columns.Keep(pick(&s.scopes[s.rows[e.Item].scope], pool, f.kind, f.free).Columns)
	}
}
