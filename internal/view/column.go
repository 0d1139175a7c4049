package view

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dovetail-sh/dovetail/engine/explain"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Column is one fact about machines, as a table or a screen shows it.
type Column struct {
	Key   string // stable: what a CSV calls it, and a sort
	Title string
	Right bool // numbers are aligned to the right
	Wide  bool // shown only where there is room

	Text    func(m *Machine, now time.Time) string
	word    func(m *Machine) string // Text, where that is a fact of the machine as it is
	Compare func(a, b *Machine) int
}

// Columns are all columns of machines, in their order. The last one says why.
var Columns = []Column{
	fact("name", "NAME", false, func(m *Machine) string { return m.Name }),
	fact("claim", "CLAIM", true, func(m *Machine) string { return m.Claim }),
	fact("pool", "POOL", false, func(m *Machine) string { return m.Pool }),
	fact("phase", "PHASE", false, func(m *Machine) string { return string(m.Phase) }),
	{
		Key:     "age",
		Title:   "AGE",
		Right:   true,
		Text:    func(m *Machine, now time.Time) string { return Age(m.Created, now) },
		Compare: func(a, b *Machine) int { return b.Created.Compare(a.Created) },
	},
	fact("type", "TYPE", false, func(m *Machine) string { return m.InstanceType }),
	fact("arch", "ARCH", true, func(m *Machine) string { return m.Arch }),
	fact("zone", "ZONE", false, func(m *Machine) string { return m.Zone }),
	fact("capacity", "CAPACITY", false, func(m *Machine) string { return m.CapacityType }),
	{
		Key:     "price",
		Title:   "$/h",
		Right:   true,
		Text:    func(m *Machine, _ time.Time) string { return m.PriceText() },
		Compare: by(func(m *Machine) PerHour { return m.Price }),
	},
	fact("priceFrom", "PRICE FROM", true, func(m *Machine) string { return m.PriceFrom }),
	used("cpu", "CPU", shape.CPU),
	used("memory", "MEM", shape.Memory),
	{
		Key:     "pods",
		Title:   "PODS",
		Right:   true,
		Text:    func(m *Machine, _ time.Time) string { return ofMost(m.Used(shape.Pods)) },
		Compare: by(func(m *Machine) int64 { return m.Used(shape.Pods).Used }),
	},
	{Key: "gpu", Title: "GPU", Right: true, Text: func(m *Machine, _ time.Time) string {
		if u, ok := m.device(); ok {
			return ofMost(u)
		}
		return "-"
	}, Compare: by(func(m *Machine) int64 { u, _ := m.device(); return u.Used })},
	{Key: "why", Title: "WHY", Text: func(m *Machine, _ time.Time) string { return m.Reason() },
		word: func(m *Machine) string { return m.Why }, Compare: by(func(m *Machine) string { return m.Why })},
}

// by compares two machines by one fact.
func by[T cmp.Ordered](fact func(*Machine) T) func(a, b *Machine) int {
	return func(a, b *Machine) int { return cmp.Compare(fact(a), fact(b)) }
}

// fact is a column of text.
func fact(key, title string, wide bool, of func(*Machine) string) Column {
	return Column{
		Key:     key,
		Title:   title,
		Wide:    wide,
		Text:    func(m *Machine, _ time.Time) string { return cmp.Or(of(m), "-") },
		word:    of,
		Compare: by(of),
	}
}

// used is a column of a resource's share.
func used(key, title, resource string) Column {
	return Column{Key: key, Title: title, Right: true, Text: func(m *Machine, _ time.Time) string {
		if percent, ok := m.Used(resource).Share(); ok {
			return strconv.Itoa(percent) + "%"
		}
		return "-"
	}, Compare: by(func(m *Machine) int { percent, _ := m.Used(resource).Share(); return percent })}
}

func ofMost(u Use) string {
	if u.Of <= 0 {
		return strconv.FormatInt(u.Used, 10)
	}
	return fmt.Sprintf("%d/%d", u.Used, u.Of)
}

// ColumnOf finds a column by its key.
func ColumnOf(key string) (Column, bool) {
	for _, c := range Columns {
		if c.Key == key {
			return c, true
		}
	}
	return Column{}, false
}

// PriceText is the price, or that nobody knows it: never $0.0000 for want of one.
func (m *Machine) PriceText() string {
	if !m.Priced() {
		return "unknown"
	}
	return shape.Money(m.Price).String()
}

// Reason is Why with what is left of it.
func (m *Machine) Reason() string {
	switch {
	case m.Why == "":
		return "-"
	case m.Left > 0:
		return fmt.Sprintf("%s (%s left)", m.Why, m.Left.Round(time.Second))
	}
	return m.Why
}

// Age is how long ago something was, in two characters to five: "59s", "12m", "3h", "2d"; "-" if that is not known.
func Age(since, now time.Time) string {
	if since.IsZero() {
		return "-"
	}
	age := max(now.Sub(since), 0)
	switch {
	case age < 2*time.Minute:
		return strconv.Itoa(int(age.Seconds())) + "s"
	case age < 2*time.Hour:
		return strconv.Itoa(int(age.Minutes())) + "m"
	case age < 48*time.Hour:
		return strconv.Itoa(int(age.Hours())) + "h"
	}
	return strconv.Itoa(int(age.Hours()/24)) + "d"
}

// Amounts are a resource's use in its own unit: "1.5 of 3.9".
func (u Use) Amounts() string {
	if u.Of <= 0 {
		return explain.Amount(u.Resource, u.Used)
	}
	return strings.Join([]string{explain.Amount(u.Resource, u.Used), "of", explain.Amount(u.Resource, u.Of)}, " ")
}
