package view

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// Page is all that the web page shows: the fleet, what was decided, and how the controller fares.
type Page struct {
	APIVersion   string        `json:"apiVersion"`
	Kind         string        `json:"kind"` // Page
	Fleet        Fleet         `json:"fleet"`
	Decisions    []Decision    `json:"decisions"` // newest first
	Series       []Point       `json:"series"`    // oldest first
	Reservations []Reservation `json:"reservations"`
	Loops        []Loop        `json:"loops"` // by name
	Trouble      string        `json:"trouble,omitempty"`
}

// Point is what NodePools' nodes cost at one moment. Bound is 0 where nobody had worked it out.
type Point struct {
	At    time.Time `json:"at"`
	Price PerHour   `json:"perHour"`
	Bound PerHour   `json:"boundPerHour"`
}

// Decision is one thing that was done to the fleet: claims that were opened, or given up, for one reason together.
type Decision struct {
	ID      string    `json:"id"` // stable
	At      time.Time `json:"at"`
	Kind    string    `json:"kind"`   // "opened" or "gave up"
	Reason  string    `json:"reason"` // as metrics name it, or "opened"
	Cause   string    `json:"cause"`  // one clause
	Pool    string    `json:"pool,omitempty"`
	Change  PerHour   `json:"changePerHour"` // positive for what is opened
	Before  PerHour   `json:"beforePerHour"` // what NodePools' nodes cost then
	After   PerHour   `json:"afterPerHour"`
	Evicted int       `json:"evicted"`
	Claims  []Moved   `json:"claims"`
	Others  []string  `json:"others,omitempty"` // claims that were opened in their place, or that they replace
}

// Moved is a claim of a decision.
type Moved struct {
	Claim        string  `json:"claim"`
	Node         string  `json:"node,omitempty"`
	InstanceType string  `json:"instanceType,omitempty"`
	Zone         string  `json:"zone,omitempty"`
	CapacityType string  `json:"capacityType,omitempty"`
	Price        PerHour `json:"pricePerHour"`
	Cause        string  `json:"cause,omitempty"`
}

// Reservation is a capacity reservation that node classes may launch into.
type Reservation struct {
	ID           string    `json:"id"`
	Class        string    `json:"class"`
	InstanceType string    `json:"instanceType"`
	Zone         string    `json:"zone"`
	Kind         string    `json:"kind"`
	State        string    `json:"state"`
	Used         int       `json:"used"` // nodes of this cluster
	Ends         time.Time `json:"ends,omitzero"`
}

// Loop is one of the controller's loops.
type Loop struct {
	Name    string  `json:"name"`
	Healthy bool    `json:"healthy"`
	Runs    int64   `json:"runs"`
	Errors  int64   `json:"errors"`
	Waiting int64   `json:"waiting"`     // objects in its queue
	Longest float64 `json:"longestSecs"` // that one run has been going for now
	Note    string  `json:"note,omitempty"`
}

// together is how far apart what was done for one reason may be.
const together = 3 * time.Second

// mostDecisions is how many are shown.
const mostDecisions = 500

// turn is one end of a life.
type turn struct {
	at     time.Time
	opened bool
	life   *Life
}

// Decisions are what was done to a fleet, read off the lives of its claims, newest first.
func Decisions(lives []Life) []Decision {
	out, price := []Decision{}, PerHour(0)
	for _, t := range turns(lives) {
		last := len(out) - 1
		d := t.decision()
		if last < 0 || !out[last].takes(&d) {
			d.Before, d.After = price, price
			out = append(out, d)
			last++
		} else {
			out[last].join(&d)
		}
		price += d.Change
		out[last].After = price
	}
	for i := range out {
		out[i].ID = strconv.FormatInt(out[i].At.UnixMilli(), 36) + "-" + out[i].Claims[0].Claim + "-" + out[i].Kind[:1]
	}
	slices.Reverse(out)
	return out[:min(len(out), mostDecisions)]
}

// turns are all ends of lives, oldest first.
func turns(lives []Life) []turn {
	var out []turn
	for i := range lives {
		l := &lives[i]
		if l.Created.IsZero() {
			continue
		}
		out = append(out, turn{l.Created, true, l})
		if end := first(l.Chosen, l.Deleting, l.Gone); !end.IsZero() {
			out = append(out, turn{end, false, l})
		}
	}
	slices.SortStableFunc(
		out,
		func(a, b turn) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.life.Claim, b.life.Claim)) },
	)
	return out
}

func (t turn) decision() Decision {
	l := t.life
	d := Decision{
		At:     t.at,
		Kind:   "opened",
		Reason: "opened",
		Cause:  l.Came,
		Pool:   l.Pool,
		Change: l.Price,
		Others: slices.Clone(l.Replaces),
	}
	if !t.opened {
		d.Kind, d.Reason, d.Cause, d.Change, d.Evicted, d.Others = "gave up", cmp.Or(
			l.Reason,
			"deleted",
		), l.Went, -l.Price, l.Evicted, slices.Clone(
			l.Instead,
		)
	}
	d.Claims = []Moved{{l.Claim, l.Node, l.InstanceType, l.Zone, l.CapacityType, l.Price, d.Cause}}
	return d
}

// takes reports whether another one is a part of a decision.
func (d *Decision) takes(o *Decision) bool {
	return d.Kind == o.Kind && d.Reason == o.Reason && d.Pool == o.Pool && o.At.Sub(d.At) <= together
}

func (d *Decision) join(o *Decision) {
	d.Change += o.Change
	d.Evicted += o.Evicted
	d.Claims = append(d.Claims, o.Claims...)
	for _, other := range o.Others {
		if !slices.Contains(d.Others, other) {
			d.Others = append(d.Others, other)
		}
	}
}

// Series is what NodePools' nodes cost over time by the lives of their claims, without a bound, oldest first.
func Series(lives []Life, until time.Time) []Point {
	var out []Point
	price := PerHour(0)
	for _, t := range turns(lives) {
		if t.opened {
			price += t.life.Price
		} else {
			price -= t.life.Price
		}
		if n := len(out); n > 0 && t.at.Sub(out[n-1].At) < time.Second {
			out[n-1].Price = price
			continue
		}
		if t.at.Before(until) {
			out = append(out, Point{At: t.at, Price: price})
		}
	}
	return out
}
