package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/dovetail-sh/dovetail/internal/view"
)

// kept is how many changes are remembered for readers that were cut off.
const kept = 256

// Hub holds the page as it is now, and what changed last.
type Hub struct {
	boot string // tells revisions of one process from those of another

	mu       sync.Mutex // guards the fields below
	revision uint64
	parts    map[string]json.RawMessage // all but nodes, by name
	nodes    map[string]json.RawMessage // by key
	changes  []change                   // the last ones, ascending
	changed  chan struct{}              // closed once there is something new
	at       time.Time
	ask      func(kind, name string) string
}

// change is what a revision brought.
type change struct {
	revision uint64
	text     []byte
}

// delta is a change as it is written.
type delta struct {
	At    time.Time                  `json:"at"`
	Whole bool                       `json:"whole,omitempty"` // nothing of what was known holds
	Parts map[string]json.RawMessage `json:"parts,omitempty"`
	Nodes map[string]json.RawMessage `json:"nodes,omitempty"`
	Gone  []string                   `json:"gone,omitempty"` // keys of nodes
}

// NewHub is an empty one. boot is different for each process.
func NewHub(boot string) *Hub {
	return &Hub{
		boot:    boot,
		parts:   map[string]json.RawMessage{},
		nodes:   map[string]json.RawMessage{},
		changed: make(chan struct{}),
	}
}

// Put has the page be this from now on. ask answers questions about a "pod" or a "node" in words; it may be nil.
func (h *Hub) Put(p *view.Page, ask func(kind, name string) string) error {
	parts, nodes, err := split(p)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at, h.ask = p.Fleet.At, ask
	d := delta{At: p.Fleet.At, Parts: news(h.parts, parts), Nodes: news(h.nodes, nodes)}
	for key := range h.nodes {
		if nodes[key] == nil {
			d.Gone = append(d.Gone, key)
		}
	}
	if len(d.Parts)+len(d.Nodes)+len(d.Gone) == 0 {
		return nil
	}
	slices.Sort(d.Gone)
	text, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("writing what changed: %w", err)
	}
	h.parts, h.nodes = parts, nodes
	h.revision++
	h.changes = append(h.changes, change{h.revision, text})
	if len(h.changes) > kept {
		h.changes = slices.Delete(h.changes, 0, len(h.changes)-kept)
	}
	close(h.changed)
	h.changed = make(chan struct{})
	return nil
}

// news are those of now that are not the same before.
func news(before, now map[string]json.RawMessage) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for key, text := range now {
		if !bytes.Equal(before[key], text) {
			out[key] = text
		}
	}
	return out
}

// split is a page in parts that change apart from each other.
func split(p *view.Page) (parts, nodes map[string]json.RawMessage, err error) {
	f := &p.Fleet
	parts, nodes = map[string]json.RawMessage{}, make(map[string]json.RawMessage, len(f.Nodes))
	for name, value := range map[string]any{
		"source": f.Source, "money": f.Money, "pending": f.Pending, "pools": f.Pools, "moves": f.Moves,
		"missing": f.Missing, "notes": f.Notes,
		"decisions": p.Decisions, "series": p.Series, "reservations": p.Reservations, "loops": p.Loops,
		"trouble": p.Trouble,
	} {
		if parts[name], err = json.Marshal(value); err != nil {
			return nil, nil, fmt.Errorf("writing %s: %w", name, err)
		}
	}
	for i := range f.Nodes {
		text, err := json.Marshal(&f.Nodes[i])
		if err != nil {
			return nil, nil, fmt.Errorf("writing node %s: %w", f.Nodes[i].Name, err)
		}
		nodes[f.Nodes[i].Claim+"/"+f.Nodes[i].Name] = text // names alone may repeat
	}
	return parts, nodes, nil
}

// since is what a reader who knows a revision has not seen: changes, or everything. wait is closed once there is more.
func (h *Hub) since(revision uint64) (out []change, wait <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	wait = h.changed
	switch {
	case revision == h.revision:
		return nil, wait
	case revision > 0 && revision < h.revision && len(h.changes) > 0 && h.changes[0].revision <= revision+1:
		i := slices.IndexFunc(h.changes, func(c change) bool { return c.revision > revision })
		return slices.Clone(h.changes[i:]), wait
	}
	text, err := json.Marshal(delta{At: h.at, Whole: true, Parts: maps.Clone(h.parts), Nodes: maps.Clone(h.nodes)})
	if err != nil {
		return nil, wait // raw messages have been written before
	}
	return []change{{h.revision, text}}, wait
}

// Whole is all of the page, as JSON; nil before there is any.
func (h *Hub) Whole() []byte {
	if changes, _ := h.since(0); len(changes) > 0 {
		return changes[0].text
	}
	return nil
}

func (h *Hub) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

func (h *Hub) answer(kind, name string) string {
	h.mu.Lock()
	ask := h.ask
	h.mu.Unlock()
	if ask == nil {
		return "nobody has looked yet; try again in a moment"
	}
	return ask(kind, name)
}
