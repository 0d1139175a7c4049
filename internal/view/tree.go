package view

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dovetail-sh/dovetail/engine/explain"
)

// body is a reason tree without its first line, indented by two spaces for each level. What no
// group accounts for is left over, and counted.
func body(t *explain.Tree) string {
	var b strings.Builder
	groups(&b, t, "  ")
	for i := range t.Children {
		branch(&b, &t.Children[i], "  ", "left")
	}
	return b.String()
}

// branch calls what is left over by its name.
func branch(b *strings.Builder, t *explain.Tree, indent, leftover string) {
	b.WriteString(indent + t.Subject)
	switch {
	case t.Noun != "" && t.Of > 0:
		left := t.Of
		for _, g := range t.Groups {
			left -= g.Count
		}
		fmt.Fprintf(b, ": %s, %d %s", count(t.Of, strings.TrimSuffix(t.Noun, "s")), left, leftover)
	case t.Noun != "" && len(t.Groups) == 0:
		fmt.Fprintf(b, ": no %s", t.Noun)
	}
	b.WriteByte('\n')
	groups(b, t, indent+"  ")
	for i := range t.Children {
		branch(b, &t.Children[i], indent+"  ", leftover)
	}
}

func groups(b *strings.Builder, t *explain.Tree, indent string) {
	width := 0
	for _, g := range t.Groups {
		width = max(width, len(strconv.Itoa(g.Count)))
	}
	for _, g := range t.Groups {
		title, detail := explain.Words(g.Reason)
		if detail != "" {
			title += ": " + detail
		}
		fmt.Fprintf(b, "%s%*d %s\n", indent, width, g.Count, title)
	}
}
