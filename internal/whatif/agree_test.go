package whatif_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/dovetail-sh/dovetail/internal/feed"
	"github.com/dovetail-sh/dovetail/internal/history"
	"github.com/dovetail-sh/dovetail/internal/roster"
	"github.com/dovetail-sh/dovetail/internal/view"
	"github.com/dovetail-sh/dovetail/internal/web"
	"github.com/dovetail-sh/dovetail/internal/whatif"
)

// TestNumbersAgreeEverywhere looks at random fleets by every way that people have, and compares prices, bounds and what
// can be saved: they are read off the same objects, so they are the same, to the last digit.
func TestNumbersAgreeEverywhere(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			in := fleet(t, seed)
			seen, err := roster.Look(in)
			if err != nil {
				t.Fatal(err)
			}
			thoughts, err := seen.Think()
			if err != nil {
				t.Fatal(err)
			}
			top := seen.Fleet(thoughts)
			a := agreement{t, &top}
			a.sums()
			a.explained(seen, thoughts)
			a.page(in, &top)
			a.planned(in)
			a.costs(in)
			a.history(in)
		})
	}
}

type agreement struct {
	*testing.T
	top *view.Fleet
}

func (a *agreement) same(what string, got, want view.PerHour) {
	a.Helper()
	if got != want {
		a.Errorf("%s says %s, top says %s", what, got.Dollars(), want.Dollars())
	}
}

// sums are of rows, of NodePools, in the line of money and in JSON.
func (a *agreement) sums() {
	rows, pools := view.PerHour(0), view.PerHour(0)
	for i := range a.top.Nodes {
		rows += a.top.Nodes[i].Price
	}
	for i := range a.top.Pools {
		pools += a.top.Pools[i].PerHour
	}
	a.same("the sum of the rows", rows, a.top.Money.PerHour)
	a.same("the sum of the NodePools", pools, a.top.Money.Pools)
	if line := a.top.Line(); !strings.Contains(line, a.top.Money.PerHour.Dollars()[1:]) ||
		!strings.Contains(line, a.top.Money.PerHour.Month()) {
		a.Errorf(
			"the line %q does not say %s and %s",
			line,
			a.top.Money.PerHour.Dollars(),
			a.top.Money.PerHour.Month(),
		)
	}
}

func (a *agreement) explained(seen *roster.Seen, thoughts *roster.Thoughts) {
	for i := range a.top.Nodes {
		m := &a.top.Nodes[i]
		said, err := seen.Node(thoughts.Plan(), m.Name)
		if err != nil {
			a.Fatal(err)
		}
		if said.Price != m.Price.Dollar() || said.PriceFrom != m.PriceFrom {
			a.Errorf("explain says that %s costs %v (%s), top says %s (%s)", m.Name, said.Price, said.PriceFrom,
				m.Price.Dollars(), m.PriceFrom)
		}
	}
}

// page is what browsers are sent, and how they and others read it.
func (a *agreement) page(in roster.Input, top *view.Fleet) {
	hub := web.NewHub("b")
	pager := &feed.Pager{
		Hub: hub,
		Lives: func(feed.Frame) (out []view.Life) {
			for _, c := range in.Set.NodeClaims {
				out = append(out, history.Of(c))
			}
			return out
		},
		Ask: func(feed.Frame, string, string) string { return "" },
	}
	if err := pager.Frame(feed.Frame{Fleet: *top, Input: in}); err != nil {
		a.Fatal(err)
	}
	var page struct {
		Parts struct {
			Money  view.Money
			Series []view.Point
		}
	}
	if err := json.Unmarshal(hub.Whole(), &page); err != nil {
		a.Fatal(err)
	}
	money := page.Parts.Money
	a.same("the page", money.PerHour, top.Money.PerHour)
	a.same("the page's NodePools", money.Pools, top.Money.Pools)
	a.same("the page's bound", money.Bound, top.Money.Bound)
	a.same("the page's saving", money.Saving, top.Money.Saving)
	last := page.Parts.Series[len(page.Parts.Series)-1]
	a.same("the page's last point", last.Price, top.Money.Pools)
	a.same("the bound of the page's last point", last.Bound, top.Money.Bound)
}

func (a *agreement) planned(in roster.Input) {
	f, err := whatif.Foresee(in, in.Set, whatif.Scenario{}, 1)
	if err != nil {
		a.Fatal(err)
	}
	a.same("plan", f.Totals.Before, a.top.Money.Pools)
	a.same("plan's bound", f.Totals.Bound, a.top.Money.Bound)
	steps, saved := view.PerHour(0), view.PerHour(0)
	for i := range f.Steps {
		steps += f.Steps[i].Change
		if f.Steps[i].Kind != "add" {
			saved -= f.Steps[i].Change
		}
	}
	a.same("the sum of plan's steps", f.Totals.Before+steps, f.Totals.After)
	a.same("what plan's moves save", saved, a.top.Money.Saving)
}

func (a *agreement) costs(in roster.Input) {
	c, err := whatif.Costs(in, func() bool { return false })
	if err != nil {
		a.Fatal(err)
	}
	a.same("costs", c.PerHour, a.top.Money.Pools)
	if c.Anew < a.top.Money.Bound {
		a.Errorf("costs buys all anew for %s, below the bound %s", c.Anew.Dollars(), a.top.Money.Bound.Dollars())
	}
}

// history is of the claims that top shows: as many, of the same types, and for what their plans reckoned.
func (a *agreement) history(in roster.Input) {
	lives := make([]view.Life, 0, len(in.Set.NodeClaims))
	for _, c := range in.Set.NodeClaims {
		lives = append(lives, history.Of(c))
	}
	shown := map[string]*view.Machine{}
	for i := range a.top.Nodes {
		shown[a.top.Nodes[i].Claim] = &a.top.Nodes[i]
	}
	for i := range lives {
		l, m := &lives[i], shown[lives[i].Claim]
		if m == nil {
			a.Errorf("history has claim %s, top has not", l.Claim)
			continue
		}
		if !alike(l, m) {
			a.Errorf("history says %+v, top says %+v", l, m)
		}
		if l.Price != 0 && m.PriceFrom == "plan" {
			a.same("history of "+l.Claim, l.Price, m.Price)
		}
	}
	a.listed(&view.History{Header: view.HeaderOf("History"), At: in.Now, Lives: lives})
	series := view.Series(lives, in.Now)
	sum := view.PerHour(0)
	for i := range lives {
		sum += lives[i].Price
	}
	if len(series) > 0 {
		a.same("the last point of the past", series[len(series)-1].Price, sum)
	}
}

// alike reports whether a claim's life and its row are of the same machine.
func alike(l *view.Life, m *view.Machine) bool {
	return l.InstanceType == m.InstanceType && l.Zone == m.Zone && l.CapacityType == m.CapacityType &&
		l.Pool == m.Pool &&
		l.Node == m.Name && l.Created.Equal(m.Created) &&
		l.Deleting.IsZero() == (m.Phase != view.Draining)
}

// listed has as many rows as there are claims.
func (a *agreement) listed(h *view.History) {
	var table, list strings.Builder
	if err := errors.Join(h.Table(&table, 0), h.CSV(&list)); err != nil {
		a.Fatal(err)
	}
	if rows := strings.Count(table.String(), "\n") - 1; len(h.Lives) > 0 && rows != len(h.Lives) {
		a.Errorf("history lists %d claims, there are %d", rows, len(h.Lives))
	}
	if rows := strings.Count(list.String(), "\n") - 1; rows != len(h.Lives) {
		a.Errorf("history as CSV has %d claims, there are %d", rows, len(h.Lives))
	}
}
