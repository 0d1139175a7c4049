package redact

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/journal"
)

// Plan is a plan of the journal without what is private, and how many texts were replaced. The decision is made again.
func Plan(r journal.Record) (journal.Record, int, error) {
	c := newCode(&r.Snapshot)
	out := r
	if err := c.through(&out.Snapshot); err != nil {
		return out, 0, err
	}
	out.Decision = engine.Plan(out.Snapshot, out.Policy)
	return out, len(c.names), nil
}

// Search is a search of the journal without what is private. The moves are searched again.
func Search(s journal.Search) (journal.Search, int, error) {
	c := newCode(&s.Snapshot)
	for _, more := range []any{s.Courses, s.Followed, s.Allowed, s.Policy} {
		if err := c.collect(more); err != nil {
			return s, 0, err
		}
	}
	c.assign()
	out := s
	for _, part := range []any{&out.Snapshot, &out.Courses, &out.Followed, &out.Allowed, &out.Policy} {
		if err := c.through(part); err != nil {
			return s, 0, err
		}
	}
	out.Result = out.Again()
	return out, len(c.names), nil
}

// code replaces texts.
type code struct {
	public map[string]bool
	seen   map[string]bool
	names  map[string]string // by what they replace
	err    error             // of collecting
}

// newCode reads what is public and what is there.
func newCode(s *shape.Snapshot) *code {
	c := &code{public: publicOf(s), seen: map[string]bool{}}
	c.err = c.collect(s)
	c.assign()
	return c
}

// collect notes all texts of a value.
func (c *code) collect(value any) error {
	tree, err := treeOf(value)
	if err != nil {
		return err
	}
	walk(tree, func(text string) string {
		if !c.open(text) {
			c.seen[text] = true
		}
		return text
	})
	return nil
}

// open reports whether a text says nothing of anybody.
func (c *code) open(text string) bool {
	if text == "" || c.public[text] || ours(text) {
		return true
	}
	if _, err := strconv.Atoi(text); err == nil && len(text) <= mostDigits {
		return true // of requirements such as Gt
	}
	return isTime(text)
}

// mostDigits is what a number may have: ports and sizes, and no account.
const mostDigits = 5

// isTime reports whether a text is a time as JSON has it.
func isTime(text string) bool {
	return len(text) >= 20 && text[4] == '-' && text[10] == 'T' && strings.HasSuffix(text, "Z") &&
		strings.Trim(text, "0123456789-:.TZ") == ""
}

// assign gives every text that was seen another one, in the same order among themselves and among what is public.
func (c *code) assign() {
	var stay []string
	for text := range c.public {
		stay = append(stay, text)
	}
	slices.Sort(stay)
	var all []string
	for text := range c.seen {
		all = append(all, text)
	}
	slices.Sort(all)
	c.names = make(map[string]string, len(all))
	for i, text := range all {
		before := ""
		if k := sort.SearchStrings(stay, text); k > 0 {
			before = stay[k-1]
		}
		// "!" sorts before whatever can follow in a name, so that this comes right after what is public before it.
		name := fmt.Sprintf("%s!%06d", before, i)
		if strings.Contains(text, "/") {
			name += "/x" // IDs are a namespace and a name
		}
		c.names[text] = name
	}
}

// through replaces all texts of what value points to.
func (c *code) through(value any) error {
	if c.err != nil {
		return c.err
	}
	tree, err := treeOf(value)
	if err != nil {
		return err
	}
	tree = walk(tree, func(text string) string {
		if name, ok := c.names[text]; ok {
			return name
		}
		return text
	})
	text, err := json.Marshal(tree)
	if err != nil {
		return fmt.Errorf("writing what is left: %w", err)
	}
	into := reflect.ValueOf(value).Elem()
	into.SetZero() // or maps would keep what they had
	if err := json.Unmarshal(text, value); err != nil {
		return fmt.Errorf("reading what is left: %w", err)
	}
	return nil
}

func treeOf(value any) (tree any, err error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("writing what is to be redacted: %w", err)
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		return nil, fmt.Errorf("reading what is to be redacted: %w", err)
	}
	return tree, nil
}

// walk replaces every text of a tree of JSON, keys of maps among them: fields of structs are public, as they are found
// in ours.
func walk(tree any, f func(string) string) any {
	switch t := tree.(type) {
	case string:
		return f(t)
	case []any:
		for i := range t {
			t[i] = walk(t[i], f)
		}
	case map[string]any:
		out := make(map[string]any, len(t))
		for key, value := range t {
			if !fields[key] {
				key = f(key)
			}
			out[key] = walk(value, f)
		}
		return out
	}
	return tree
}
