package screen

import (
	"charm.land/bubbles/v2/key"

	"github.com/dovetail-sh/dovetail/internal/view"
)

// keymap are all keys: help is made from it, and nothing is bound beside it.
type keymap struct {
	up, down, pageUp, pageDown, top, end key.Binding
	enter, back, last                    key.Binding
	nodes, pods, pools, moves            key.Binding
	filter, command, wide                key.Binding
	older, newer                         key.Binding
	help, quit                           key.Binding

	sort map[string]key.Binding // by column
}

func bind(help, what string, keys ...string) key.Binding {
	return key.NewBinding(key.WithKeys(keys...), key.WithHelp(help, what))
}

// sorts are the letters of columns, which sort with shift, as in k9s.
var sorts = map[string]string{
	"name":      "N",
	"pool":      "L",
	"phase":     "F",
	"age":       "A",
	"type":      "T",
	"zone":      "Z",
	"capacity":  "K",
	"price":     "P",
	"cpu":       "C",
	"memory":    "M",
	"pods":      "O",
	"gpu":       "U",
	"why":       "W",
	"claim":     "I",
	"arch":      "H",
	"priceFrom": "R",
}

var keys = func() keymap {
	k := keymap{
		up:   bind("↑ k", "up", "up", "k"),
		down: bind("↓ j", "down", "down", "j"),
		pageUp: bind(
			"pgup ^b",
			"a page up",
			"pgup",
			"ctrl+b",
		),
		pageDown: bind("pgdn ^f", "a page down", "pgdown", "ctrl+f"),
		top:      bind("g", "first row", "g", "home"),
		end:      bind("G", "last row", "G", "end"),
		enter: bind(
			"enter",
			"into the row: pool, node, pod, explanation",
			"enter",
		),
		back: bind("esc", "back, or clear the filter", "esc"),
		last: bind("-", "the view before", "-"),
		nodes: bind(
			"1",
			"nodes",
			"1",
		),
		pods:  bind("2", "pods that wait", "2"),
		pools: bind("3", "NodePools", "3"),
		moves: bind("4", "moves", "4"),
		filter: bind(
			"/",
			"filter: words, pool=web, !text",
			"/",
		),
		command: bind(":", "go to nodes, pods, pools, moves; q quits", ":"),
		wide:    bind("ctrl+w", "more columns, or fewer", "ctrl+w"),
		older: bind(
			"[",
			"an older plan of the journal",
			"[",
		),
		newer: bind("]", "a newer one, and last the present", "]"),
		help:  bind("?", "these keys", "?"),
		quit:  bind("q", "quit", "q"),
		sort:  map[string]key.Binding{},
	}
	for column, letter := range sorts {
		k.sort[column] = bind("shift-"+letter, "sort by "+column, letter)
	}
	return k
}()

// all lists the keys in the order of the help.
func (k *keymap) all() []key.Binding {
	out := []key.Binding{
		k.up,
		k.down,
		k.pageUp,
		k.pageDown,
		k.top,
		k.end,
		k.enter,
		k.back,
		k.last,
		k.nodes,
		k.pods,
		k.pools,
		k.moves,
		k.filter,
		k.command,
		k.wide,
		k.older,
		k.newer,
		k.help,
		k.quit,
	}
	for _, c := range view.Columns {
		out = append(out, k.sort[c.Key])
	}
	return out
}
