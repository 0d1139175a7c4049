package shadow

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/dovetail-sh/dovetail/internal/view"
)

// Report is the account so far.
func (l *Ledger) Report() *view.Shadow {
	out := &view.Shadow{
		Header: view.HeaderOf("Shadow"), Source: l.source, From: l.first.At, Until: l.last.At, Looks: l.looks,
		Money:  l.money(),
		Waited: l.waited(), Moves: []view.Move{}, Claims: l.cameOrWent(),
		Dovetail: view.Deeds{Bought: sorted(l.bought), Removed: len(l.removed), Reasons: map[string]int{}},
	}
	if l.moves != nil {
		out.Moves = append(out.Moves, l.moves.Moves...)
	}
	for _, d := range l.removed {
		out.Dovetail.Evicted += d.pods
		out.Dovetail.Reasons[d.reason]++
	}
	out.Karpenter = l.did(out.Claims)
	out.Notes = slices.Concat(l.basis(&out.Money), l.notes)
	return out
}

// money is what the cluster costs and would.
func (l *Ledger) money() view.ShadowMoney {
	now := priceOf(l.last.Nodes)
	out := view.ShadowMoney{Now: now, Then: now + l.delta(), Paid: cents(l.paid), WouldHave: cents(l.would),
		Sources: map[string]int{}}
	for i := range l.last.Nodes {
		m := &l.last.Nodes[i]
		if !m.Priced() {
			out.Unpriced++
			continue
		}
		out.Sources[m.PriceFrom]++
	}
	return out
}

// cents is an amount of dollars to the millionth, so that sums of floats print alike everywhere.
func cents(dollars float64) float64 { return math.Round(dollars*1e6) / 1e6 }

func money(dollars float64) view.PerHour { return view.PerHour(math.Round(dollars * 1e6)) }

// cameOrWent are the claims that came or went since the first sight, oldest first.
func (l *Ledger) cameOrWent() []view.Life {
	out := []view.Life{}
	for key, c := range l.claims {
		if !l.there[key] || !c.Gone.IsZero() {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b view.Life) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Claim, b.Claim))
	})
	return out
}

// did is what the running controller did.
func (l *Ledger) did(changed []view.Life) view.Deeds {
	bought := map[purchase]view.Purchase{}
	out := view.Deeds{Evicted: len(l.evicted), Reasons: map[string]int{}}
	for i := range changed {
		c := &changed[i]
		if !l.there[cmp.Or(c.UID, c.Claim)] {
			add(bought, c.Pool, c.InstanceType, c.CapacityType, c.Price)
		}
		if !c.Gone.IsZero() {
			out.Removed++
			out.Reasons[c.Reason]++
		}
	}
	out.Bought = sorted(bought)
	return out
}

func sorted(of map[purchase]view.Purchase) []view.Purchase {
	out := slices.AppendSeq([]view.Purchase{}, maps.Values(of))
	slices.SortFunc(out, func(a, b view.Purchase) int {
		return cmp.Or(cmp.Compare(b.Price, a.Price), cmp.Compare(a.Pool, b.Pool),
			cmp.Compare(a.InstanceType, b.InstanceType), cmp.Compare(a.CapacityType, b.CapacityType))
	})
	return out
}

// waited is what became of pods that found no node when they came.
func (l *Ledger) waited() view.Waits {
	out := view.Waits{Pods: len(l.pods), Reasons: []string{}}
	var took []time.Duration
	why := map[string]int{}
	for _, w := range l.pods {
		switch {
		case !w.gone:
			out.Still++
		case !w.bound.IsZero():
			out.Placed++
			took = append(took, max(w.bound.Sub(w.since), 0))
		}
		switch w.verdict {
		case onExisting:
			out.Existing++
		case onNew:
			out.Opened++
		case nowhere:
			out.None++
			why[w.why]++
		}
	}
	if slices.Sort(took); len(took) > 0 {
		out.Half, out.Most = took[(len(took)-1)/2].Seconds(), took[len(took)-1].Seconds()
	}
	for _, text := range slices.Sorted(maps.Keys(why)) {
		out.Reasons = append(out.Reasons, fmt.Sprintf("%s: %s", view.Count(why[text], "pod"), text))
	}
	return out
}

// basis says what the figures stand on.
func (l *Ledger) basis(m *view.ShadowMoney) []string {
	out := []string{
		"Nothing was written to the cluster, no lease was taken and no cloud was asked.",
		"Each look begins with the cluster as Karpenter had left it, so a move that Dovetail would have made " +
			"is found again until Karpenter makes it; a node that Dovetail would give up is counted once, " +
			"with its pods at that time.",
		"Dovetail's plans for pods that waited are made as if Karpenter had bought nothing for them yet.",
	}
	if n := m.Sources["catalogue"] + m.Sources["pool"]; n > 0 {
		out = append(out, fmt.Sprintf("Prices of %s are the built-in catalogue's list prices (spot: averages), not "+
			"those of your account: discounts and today's spot market are not in them.", view.Count(n, "node")))
	}
	if n := m.Sources["label"]; n > 0 {
		out = append(out, fmt.Sprintf("Prices of %s are what their labels say.", view.Count(n, "node")))
	}
	return out
}
