package main

import (
	"fmt"
	"io"
	"strings"
)

// Write writes the differences as Markdown: what differs of each kind in one line, and a table of all.
func Write(w io.Writer, module string, versions [2]string, differences []Difference) error {
	var out strings.Builder
	fmt.Fprintf(&out, "# %s: %s to %s\n\n", module, versions[0], versions[1])
	if len(differences) == 0 {
		out.WriteString("Nothing that a user can see differs.\n")
	}
	for _, kind := range kinds {
		var added, gone, changed int
		for _, d := range differences {
			switch {
			case d.Kind != kind:
			case d.New:
				added++
			case d.Gone:
				gone++
			default:
				changed++
			}
		}
		if added+gone+changed > 0 {
			fmt.Fprintf(&out, "- %s: %d new, %d gone, %d changed\n", kind, added, gone, changed)
		}
	}
	if len(differences) > 0 {
		out.WriteString("\n| Kind | Name | Before | After |\n|---|---|---|---|\n")
	}
	for _, d := range differences {
		before, after := cell(d.Before), cell(d.After)
		if d.New {
			before = "–"
		}
		if d.Gone {
			after = "–"
		}
		fmt.Fprintf(&out, "| %s | %s | %s | %s |\n", d.Kind, cell(d.Name), before, after)
	}
	if _, err := io.WriteString(w, out.String()); err != nil {
		return fmt.Errorf("writing the table: %w", err)
	}
	return nil
}

// longest is how many characters of a value a cell shows.
const longest = 240

func cell(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > longest {
		text = string(runes[:longest]) + "…"
	}
	text = strings.ReplaceAll(text, "|", `\|`)
	if text == "" {
		return "yes"
	}
	return text
}
