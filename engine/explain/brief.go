package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dovetail-sh/dovetail/engine/feasible"
)

// near says how close a refusal of a kind is to a placement: a limit or a shortage is met by what would suit otherwise,
// a taint or a label is met by what was never meant. Higher is closer.
var near = map[feasible.Kind]int{
	feasible.Refused: 9, feasible.NoPools: 9,
	feasible.OverLimit: 8, feasible.Unavailable: 8, feasible.Full: 8, feasible.TooFewTypes: 8, feasible.Later: 8,
	feasible.NotReady: 7,
	feasible.Spread:   6, feasible.NoDomain: 6, feasible.Affinity: 6, feasible.AntiAffinity: 6, feasible.PortTaken: 6,
	feasible.NoAttach: 6,
	feasible.TooSmall: 5, feasible.NoRoom: 5, feasible.WrongVolume: 4, feasible.NoDevices: 4, feasible.InVain: 4,
	feasible.WrongLabel: 3, feasible.PoolExcludes: 2, feasible.Tainted: 1, feasible.Leaving: 0,
}

// told is how many reasons of one place Brief tells.
const told = 2

// Brief is the tree in one line of at most so many characters (bytes; 100 or more), for events: of each place what came
// closest, the place that came closest first, and how many more there are. Explain has the rest.
func (t *Tree) Brief(most int) string {
	list := slices.Clone(t.Children)
	slices.SortStableFunc(list, func(a, b Tree) int {
		return cmp.Or(cmp.Compare(b.nearest(), a.nearest()), cmp.Compare(rank(a), rank(b)))
	})
	var parts []string
	if len(t.Groups) > 0 {
		parts = append(parts, t.groups())
	}
	for i := range list {
		parts = append(parts, list[i].briefly())
	}
	out, room := "", most-len("; and 10000 more")
	for i, part := range parts {
		next := part
		if i > 0 {
			next = out + "; " + part
		}
		if len(next) > room && i > 0 {
			return shortened(out, room) + fmt.Sprintf("; and %d more", len(parts)-i)
		}
		out = next
	}
	return shortened(out, most)
}

// rank puts pools before nodes that came as close.
func rank(t Tree) int {
	if t.Noun == "nodes" {
		return 1
	}
	return 0
}

// nearest is how close the best of a tree's groups came.
func (t *Tree) nearest() int {
	best := -1
	for _, g := range t.Groups {
		best = max(best, near[g.Reason.Kind])
	}
	return best
}

// briefly is a clause with the groups that came closest, and how many alternatives the others are.
func (t *Tree) briefly() string {
	if t.Of == 0 && len(t.Groups) == 0 {
		return t.Subject + ": no " + t.Noun
	}
	short := *t
	short.Groups = slices.Clone(t.Groups)
	slices.SortStableFunc(short.Groups, func(a, b Group) int {
		return cmp.Compare(near[b.Reason.Kind], near[a.Reason.Kind])
	})
	others := 0
	for _, g := range short.Groups[min(len(short.Groups), told):] {
		others += g.Count
	}
	short.Groups = short.Groups[:min(len(short.Groups), told)]
	out := short.Subject + ": " + short.groups()
	if others > 0 {
		out += ", " + strconv.Itoa(others) + " for other reasons"
	}
	return out
}

// shortened cuts a sentence that is too long between two words.
func shortened(s string, most int) string {
	if len(s) <= most {
		return s
	}
	s = s[:most-len(" …")]
	if i := strings.LastIndexByte(s, ' '); i > 0 {
		s = s[:i]
	}
	return strings.ToValidUTF8(s, "") + " …"
}
