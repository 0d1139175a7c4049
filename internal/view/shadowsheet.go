package view

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sheet is a report before it is known in which form it is printed.
type sheet struct {
	Title   string
	Verdict string
	Parts   []part
}

// part is a heading with sentences and a table beneath it, whose first row is its head.
type part struct {
	Heading string
	Lines   []string
	Rows    [][]string
}

// mostRows is how many rows a table of moves or claims has at most; JSON has all.
const mostRows = 30

// sheet is the report in words.
func (s *Shadow) sheet() sheet {
	out := sheet{
		Title:   "Dovetail in the shadow of Karpenter",
		Verdict: s.verdict(),
		Parts:   []part{s.moment(), s.price(), s.purchases(), s.waits(), s.moves(), s.claims()},
	}
	reckoned := part{Heading: "How this was reckoned"}
	for _, note := range s.Notes {
		reckoned.Lines = append(reckoned.Lines, strings.TrimSuffix(note, ".")+".")
	}
	for _, what := range s.Missing {
		reckoned.Lines = append(reckoned.Lines, "Missing: "+strings.TrimSuffix(what, ".")+".")
	}
	out.Parts = append(out.Parts, reckoned)
	return out
}

// verdict is the report in one sentence.
func (s *Shadow) verdict() string {
	m := &s.Money
	saving := m.Saving()
	switch {
	case s.Looks == 0:
		return "Nothing has been seen yet."
	case saving == 0:
		return fmt.Sprintf("The cluster costs %s an hour, and Dovetail would not change that.", m.Now.Dollars())
	}
	change, by := "less", saving
	if saving < 0 {
		change, by = "more", -saving
	}
	share := ""
	if m.Now > 0 {
		share = fmt.Sprintf(", %.1f %% %s", 100*float64(by)/float64(m.Now), change)
	}
	return fmt.Sprintf("Dovetail would run this cluster for %s an hour instead of %s%s: %s %s a month.",
		m.Then.Dollars(), m.Now.Dollars(), share, by.Month(), change)
}

// Brief is how far a report is, in a few words.
func (s *Shadow) Brief() string {
	return fmt.Sprintf("%s, %s an hour, with Dovetail %s", count(s.Looks, "look"), s.Money.Now.Dollars(),
		s.Money.Then.Dollars())
}

func (s *Shadow) moment() part {
	const form = "2006-01-02 15:04:05"
	text := fmt.Sprintf("%s, at %s UTC.", s.Source, s.From.UTC().Format(form))
	if s.Until.After(s.From) {
		text = fmt.Sprintf("%s, from %s to %s UTC (%s): %s.", s.Source, s.From.UTC().Format(form),
			s.Until.UTC().Format(form), s.Until.Sub(s.From).Round(time.Second), count(s.Looks, "look"))
	}
	return part{Heading: "What was looked at", Lines: []string{text}}
}

func (s *Shadow) price() part {
	m := &s.Money
	out := part{Heading: "Money", Rows: [][]string{
		{"", "as it is", "with Dovetail", "difference"},
		{"an hour, at the end", m.Now.Dollars(), m.Then.Dollars(), (m.Then - m.Now).Change()},
		{"a month at that price", m.Now.Month(), m.Then.Month(), (m.Then - m.Now).Month()},
		{"in this time", dollars(m.Paid), dollars(m.WouldHave), dollars(m.WouldHave - m.Paid)},
		{"nodes removed", strconv.Itoa(s.Karpenter.Removed), strconv.Itoa(s.Dovetail.Removed),
			fmt.Sprintf("%+d", s.Dovetail.Removed-s.Karpenter.Removed)},
		{"pods evicted", strconv.Itoa(s.Karpenter.Evicted), strconv.Itoa(s.Dovetail.Evicted),
			fmt.Sprintf("%+d", s.Dovetail.Evicted-s.Karpenter.Evicted)},
	}}
	if m.Unpriced > 0 {
		out.Lines = append(out.Lines, fmt.Sprintf("%s without a known price: the sums are of the others.",
			are(m.Unpriced, "node")))
	}
	return out
}

// are is a number of things that are.
func are(n int, thing string) string {
	if n == 1 {
		return "1 " + thing + " is"
	}
	return count(n, thing) + " are"
}

// dollars is an amount to the hundredth of a cent, so that short times show.
func dollars(amount float64) string {
	if amount < 0 {
		return "-" + dollars(-amount)
	}
	return fmt.Sprintf("$%.4f", amount)
}

func (s *Shadow) purchases() part {
	out := part{Heading: "Nodes for pods that waited"}
	bought := func(d *Deeds) string {
		if d.Nodes() == 0 {
			return "none"
		}
		return fmt.Sprintf("%s for %s an hour", count(d.Nodes(), "node"), d.Price().Dollars())
	}
	out.Lines = []string{"Karpenter bought " + bought(&s.Karpenter) + "; Dovetail would have bought " +
		bought(&s.Dovetail) + "."}
	if s.Karpenter.Nodes()+s.Dovetail.Nodes() == 0 {
		return out
	}
	out.Rows = [][]string{{"by", "nodes", "pool", "instance type", "capacity", "$/h"}}
	for _, by := range []struct {
		name string
		did  *Deeds
	}{{"Karpenter", &s.Karpenter}, {"Dovetail", &s.Dovetail}} {
		for i := range by.did.Bought {
			p := &by.did.Bought[i]
			out.Rows = append(out.Rows, []string{by.name, strconv.Itoa(p.Nodes), dash(p.Pool), dash(p.InstanceType),
				dash(p.CapacityType), p.Price.Dollars()[1:]})
		}
	}
	return out.atMost("more kinds of nodes")
}

// atMost leaves out rows that nobody would read.
func (p part) atMost(what string) part {
	if more := len(p.Rows) - 1 - mostRows; more > 0 {
		p.Rows = p.Rows[:1+mostRows]
		p.Lines = append(p.Lines, fmt.Sprintf("%d %s are in the JSON.", more, what))
	}
	return p
}

func (s *Shadow) waits() part {
	w := &s.Waited
	out := part{Heading: "Pods that waited"}
	if w.Pods == 0 {
		out.Lines = []string{"No pod waited for a node."}
		return out
	}
	text := count(w.Pods, "pod") + " waited for a node."
	if w.Placed > 0 {
		text += fmt.Sprintf(" %d got one: half of them within %s, the last after %s.", w.Placed, seconds(w.Half),
			seconds(w.Most))
	}
	if w.Still > 0 {
		text += fmt.Sprintf(" %d still wait.", w.Still)
	}
	out.Lines = append([]string{text, fmt.Sprintf(
		"Dovetail, when it saw them first, had room for %d on nodes that were there, would have bought nodes for %d, "+
			"and had no place for %d.", w.Existing, w.Opened, w.None)}, w.Reasons...)
	return out
}

func seconds(n float64) string {
	return time.Duration(n * float64(time.Second)).Round(time.Second).String()
}

func (s *Shadow) moves() part {
	out := part{Heading: "Moves that Dovetail would make at the end"}
	if len(s.Moves) == 0 {
		out.Lines = []string{"None."}
		return out
	}
	out.Rows = [][]string{{"reason", "saves $/h", "pods evicted", "opens", "gives up"}}
	for i := range s.Moves {
		m := &s.Moves[i]
		out.Rows = append(out.Rows, []string{cmp.Or(m.Reason, "Underutilized"), fmt.Sprintf("%.4f", m.Price-m.Instead),
			strconv.Itoa(m.Evicted), m.open(), m.giveUp()})
	}
	return out.atMost("more moves")
}

func (s *Shadow) claims() part {
	out := part{Heading: "What Karpenter did"}
	came, went := 0, 0
	rows := [][]string{{"NodeClaim", "instance type", "capacity", "$/h", "came", "went", "why"}}
	for i := range s.Claims {
		l := &s.Claims[i]
		clock := func(at time.Time) string {
			if at.IsZero() || at.Before(s.From) {
				return "-"
			}
			return at.UTC().Format("15:04:05")
		}
		if clock(l.Created) != "-" {
			came++
		}
		if !l.Gone.IsZero() {
			went++
		}
		rows = append(rows, []string{l.Claim, dash(l.InstanceType), dash(l.CapacityType), l.Price.Dollars()[1:],
			clock(l.Created), clock(l.Gone), dash(l.Reason)})
	}
	out.Lines = []string{fmt.Sprintf("%s came, %d went; %s seen to be evicted.", count(came, "NodeClaim"), went,
		was(s.Karpenter.Evicted, "pod"))}
	if text := counts(s.Karpenter.Reasons); text != "" {
		out.Lines = append(out.Lines, "Why nodes went: "+text+".")
	}
	if len(s.Claims) == 0 {
		return out
	}
	out.Rows = rows
	return out.atMost("more NodeClaims")
}

func was(n int, thing string) string {
	if n == 1 {
		return "1 " + thing + " was"
	}
	return count(n, thing) + " were"
}

func counts(of map[string]int) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		list = append(list, fmt.Sprintf("%s %d", strings.ReplaceAll(name, "_", " "), of[name]))
	}
	return strings.Join(list, ", ")
}
