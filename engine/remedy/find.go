package remedy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/explain"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Remedy is what would give a pod a place.
type Remedy struct {
	Changes []Change `json:"changes"` // all of them together; one if one is enough
	Goes    string   `json:"goes"`    // where the pod goes then
	Others  []string `json:"others"`  // single changes that would do as well, and are more to ask for

	class int32
}

// mostOthers is how many further changes are named.
const mostOthers = 4

// mostPairs is how many pairs of changes are tried where no single one is enough.
const mostPairs = 80

// maxHalvings is how often a request is halved until it fits: a pod that does not fit with a four-thousandth of what it
// asks for is kept out by something else. Each halving is a plan.
const maxHalvings = 12

// precision is the part of an amount to which the least change is found, a thousandth: people round what they are told,
// and each factor of two is one more plan.
const precision = 1000

// Apply is a Snapshot with all changes made.
func (r *Remedy) Apply(s shape.Snapshot) shape.Snapshot { return all(s, r.class, r.Changes) }

// all makes changes one after the other: each that relaxes the pods begins with what those before have made of them.
func all(s shape.Snapshot, class int32, list []Change) shape.Snapshot {
	for i := range list {
		before := len(s.Classes)
		s = list[i].Apply(s, class)
		if len(s.Classes) > before {
			class = int32(before)
		}
	}
	return s
}

// search looks for changes for one pod.
type search struct {
	s      shape.Snapshot
	policy engine.Policy
	pod    shape.PodID
	class  int32
}

// Find is the smallest change that gives a pod a place, of those that are known here; false if the pod does not wait,
// has a place, or nothing known helps.
func Find(s shape.Snapshot, p engine.Policy, pod shape.PodID) (Remedy, bool) {
	i := slices.IndexFunc(s.Pods, func(o shape.Pod) bool { return o.ID == pod })
	if i < 0 || int(s.Pods[i].Class) >= len(s.Classes) || s.Pods[i].Class < 0 {
		return Remedy{}, false
	}
	d := engine.Plan(s, p)
	u := slices.IndexFunc(d.Unplaced, func(u engine.Unplaced) bool { return u.Pod == pod })
	if u < 0 {
		return Remedy{}, false
	}
	why := d.Unplaced[u].Why
	// Whether a pod has a place is seen without looking for a cheaper one; what is offered is proven with that as well.
	quick := p
	quick.Effort = 0
	f := &search{s, quick, pod, s.Pods[i].Class}
	list := changes(&s, s.Classes[f.class], &why)
	r, ok := f.single(list)
	if !ok {
		r, ok = f.several(list)
	}
	if !ok {
		return Remedy{}, false
	}
	f.policy = p
	if r.Goes, ok = f.try(r.Changes...); ok {
		return r, true
	}
	r, ok = f.everything(list)
	return r, ok
}

// try plans with changes made.
func (f *search) try(list ...Change) (where string, ok bool) {
	d := engine.Plan(all(f.s, f.class, list), f.policy)
	return placed(&d, f.pod)
}

func (f *search) single(list []Change) (Remedy, bool) {
	out := Remedy{class: f.class}
	for i := range list {
		c := list[i]
		where, ok := f.try(c)
		if !ok && c.Kind == Request {
			c, where, ok = f.shrink(c)
		}
		switch {
		case !ok:
		case out.Changes == nil:
			switch c.Kind {
			case Limit:
				c, where = f.exact(c, where)
			case Request:
				c, where = f.grow(c, where)
			}
			out.Changes, out.Goes = []Change{c}, where
		case len(out.Others) < mostOthers:
			out.Others = append(out.Others, c.What)
		}
	}
	return out, out.Changes != nil
}

// several tries pairs, and then everything together, taking back what is not needed.
func (f *search) several(list []Change) (Remedy, bool) {
	tried := 0
	for j := range list {
		for i := range j {
			if tried++; tried > mostPairs {
				return f.everything(list)
			}
			if where, ok := f.try(list[i], list[j]); ok {
				return Remedy{Changes: []Change{list[i], list[j]}, Goes: where, class: f.class}, true
			}
		}
	}
	return f.everything(list)
}

// everything makes all changes that can be made beside each other, and takes back one after the other, the most to ask
// for first.
func (f *search) everything(list []Change) (Remedy, bool) {
	left := slices.Clone(list)
	slices.Reverse(left)
	where, ok := f.try(left...)
	if !ok {
		return Remedy{}, false
	}
	for i := 0; i < len(left); {
		fewer := slices.Delete(slices.Clone(left), i, i+1)
		if then, still := f.try(fewer...); still {
			left, where = fewer, then
			continue
		}
		i++
	}
	return Remedy{Changes: left, Goes: where, class: f.class}, true
}

// shrink halves what a pod asks for of what is short, until it fits: what came closest to one pod may be taken by
// others.
func (f *search) shrink(c Change) (Change, string, bool) {
	class := *f.s.Classes[f.class]
	c.relax(&class)
	for range maxHalvings {
		half, asked := class.Requests, f.s.Classes[f.class].Requests
		class.Requests.Each(func(resource string, n int64) {
			if n < asked.Get(resource) {
				half = with(half, resource, n/2)
			}
		})
		class.Requests = half
		c = ask(c, asked, half)
		if where, ok := f.try(c); ok {
			return c, where, true
		}
	}
	return c, "", false
}

// grow asks for as much as still fits, one resource after the other, to a thousandth: a change that works may take away
// more than it must, since what came closest to the pod was turned down for that resource alone, and others for others.
func (f *search) grow(c Change, where string) (Change, string) {
	class := *f.s.Classes[f.class]
	asked := class.Requests
	c.relax(&class)
	fits := class.Requests
	asked.Each(func(resource string, most int64) {
		low, high := fits.Get(resource), most
		for high-low > max(1, most/precision) {
			middle := low + (high-low)/2
			if at, ok := f.try(ask(c, asked, with(fits, resource, middle))); ok {
				low, where = middle, at
			} else {
				high = middle
			}
		}
		fits = with(fits, resource, low)
	})
	return ask(c, asked, fits), where
}

// ask is a change that asks for other amounts.
func ask(c Change, before, after shape.Vector) Change {
	c.What = asking(before, after)
	c.relax = func(c *shape.Class) { c.Requests = after }
	return c
}

// exact finds how far a limit has to be raised.
func (f *search) exact(c Change, where string) (Change, string) {
	if c.limit == nil {
		return c, where
	}
	pool, limit := c.limit[0], c.limit[1]
	l := f.s.Pools[pool].Limits[limit]
	enough := func(most int64) bool {
		_, ok := f.try(Change{Kind: Limit, pools: raise(pool, limit, most)})
		return ok
	}
	low, high := l.Max, max(l.Used, l.Max)+1
	for ; high < noLimit/2 && !enough(high); high = 2*high + 1 { // doubling ends below what noLimit proved
		low = high
	}
	for high-low > max(1, high/precision) {
		if middle := low + (high-low)/2; enough(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	c.What = fmt.Sprintf("%s from %s to %s", c.What, explain.Amount(l.Resource, l.Max), explain.Amount(l.Resource,
		high))
	c.pools = raise(pool, limit, high)
	then, ok := f.try(c)
	if !ok {
		return c, where
	}
	return c, then
}

// Sentence is the remedy for people.
func (r *Remedy) Sentence() string {
	var words []string
	for i := range r.Changes {
		words = append(words, r.Changes[i].What)
	}
	return strings.Join(words, ", and ") + "; then it goes on " + r.Goes
}
