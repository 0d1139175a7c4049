package view

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Order sorts machines by a column, ascending or not; equal ones by name.
func Order(list []Machine, key string, descending bool) error {
	column, ok := ColumnOf(key)
	if !ok {
		return fmt.Errorf("there is no column %q; there are %s", key, strings.Join(keys(), ", "))
	}
	slices.SortStableFunc(list, func(a, b Machine) int {
		c := column.Compare(&a, &b)
		if descending {
			c = -c
		}
		if c == 0 {
			c = strings.Compare(a.Name, b.Name)
		}
		return c
	})
	return nil
}

func keys() []string {
	out := make([]string, len(Columns))
	for i, c := range Columns {
		out[i] = c.Key
	}
	return out
}

// Filter picks machines: all of its words must fit. A word is a part of the text of any column that is no number, or of
// the one that it names: pool=web, price=0.19; one that begins with ! must not fit.
type Filter struct{ words []word }

type word struct {
	column string // key; empty for any
	text   string
	not    bool
}

// ParseFilter reads a filter. It takes everything: a word with = whose first part is no column is text.
func ParseFilter(text string) Filter {
	var f Filter
	for part := range strings.FieldsSeq(strings.ToLower(text)) {
		w := word{text: part}
		if rest, not := strings.CutPrefix(part, "!"); not && rest != "" {
			w.text, w.not = rest, true
		}
		if key, value, ok := strings.Cut(w.text, "="); ok {
			if c, known := ColumnOf(key); known {
				w.column, w.text = c.Key, value
			}
		}
		f.words = append(f.words, w)
	}
	return f
}

// Fits reports whether a machine is picked.
func (f Filter) Fits(m *Machine, now time.Time) bool {
	for _, w := range f.words {
		if w.fits(m, now) == w.not {
			return false
		}
	}
	return true
}

func (w word) fits(m *Machine, now time.Time) bool {
	for i := range Columns {
		switch c := &Columns[i]; {
		case w.column == c.Key:
			return containsFold(c.Text(m, now), w.text)
		case w.column == "" && c.word != nil && containsFold(c.word(m), w.text):
			return true
		}
	}
	return false
}

// containsFold is strings.Contains whatever the case of s; of ASCII letters, as names are made of. It allocates
// nothing, since a large fleet is looked through for each key that is typed.
func containsFold(s, lower string) bool {
	for i := 0; i+len(lower) <= len(s); i++ {
		k := 0
		for k < len(lower) && fold(s[i+k]) == lower[k] {
			k++
		}
		if k == len(lower) {
			return true
		}
	}
	return false
}

func fold(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
