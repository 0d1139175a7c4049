package binpack

import (
	"encoding/binary"

	"github.com/dovetail-sh/dovetail/engine/spread"
)

// hostPart is the part that pods have in hostname rules. There are few, and most rows share theirs.
type hostPart struct {
	rules []hostRule
	adds  []int32 // hostname tallies that the pods grow
}

// hostRule is a hostname rule with what the innermost loop asks of it.
type hostRule struct {
	kind  spread.RuleKind
	self  bool
	first bool // no pod is counted anywhere yet: a pod of the row may be the first
	max   int32
	tally int32
}

// near reports whether the rule looks for others on the node.
func (r hostRule) near() bool { return r.kind == spread.Near }

// room is how many more pods a node with this count may take, at most n.
func (r *hostRule) room(have, n int32) int32 {
	switch r.kind {
	case spread.Skew:
		// A new node could always be made, and would be empty: the minimum is 0.
		if r.self {
			return min(n, r.max-have)
		}
		if have > r.max {
			return 0
		}
	case spread.Near:
		if have == 0 && !r.first {
			return 0
		}
	case spread.Apart:
		if have > 0 {
			return 0
		}
		if r.self {
			return min(n, 1)
		}
	}
	return n
}

// hosts numbers the parts of classes.
type hosts struct {
	st               *spread.State
	parts            []hostPart
	near             []int32          // hostname tallies that some part needs
	byRepresentative map[int32]int32  // by the representative of a class
	byText           map[string]int32 // equal parts are one
}

func newHosts(st *spread.State) *hosts {
	return &hosts{st: st, byRepresentative: map[int32]int32{}, byText: map[string]int32{}}
}

// part is the number of a class's.
func (h *hosts) part(class int) int32 {
	first := h.st.Representative(class)
	if n, known := h.byRepresentative[first]; known {
		return n
	}
	text := appendHosts(nil, h.st, class)
	n, known := h.byText[string(text)]
	if !known {
		n = int32(len(h.parts))
		h.byText[string(text)] = n
		h.parts = append(h.parts, h.bind(class))
	}
	h.byRepresentative[first] = n
	return n
}

// bind compiles a class's hostname rules.
func (h *hosts) bind(class int) (part hostPart) {
	own := &h.st.Classes[class]
	for i := range own.Rules {
		if rule := &own.Rules[i]; h.st.Keys[rule.Key].Host {
			if rule.Kind == spread.Near {
				h.near = append(h.near, rule.Tally)
			}
			part.rules = append(part.rules, hostRule{
				kind: rule.Kind, self: rule.Self, first: h.st.FirstHere(rule), max: rule.MaxSkew, tally: rule.Tally,
			})
		}
	}
	for _, tally := range own.Adds {
		if h.st.Keys[h.st.Tallies[tally].Key].Host {
			part.adds = append(part.adds, tally)
		}
	}
	return part
}

// appendHosts describes which part a class has in hostname rules.
func appendHosts(key []byte, st *spread.State, class int) []byte {
	own := &st.Classes[class]
	for i := range own.Rules {
		if r := &own.Rules[i]; st.Keys[r.Key].Host {
			key = append(key, 'r', byte(r.Kind), 0)
			if r.Self {
				key[len(key)-1] = 1
			}
			key = binary.LittleEndian.AppendUint32(key, uint32(r.Tally))
			key = binary.LittleEndian.AppendUint32(key, uint32(r.MaxSkew))
		}
	}
	for _, tally := range own.Adds {
		if st.Keys[st.Tallies[tally].Key].Host {
			key = binary.LittleEndian.AppendUint32(append(key, 'a'), uint32(tally))
		}
	}
	return key
}
