package view

import (
	"strings"
	"unicode"

	"github.com/charmbracelet/x/ansi"
)

// plainASCII reports whether each byte of a text is one column of a terminal.
func plainASCII(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// Clean is a text without control characters: what objects carry may come from anybody, and a terminal obeys it.
func Clean(text string) string {
	if plainASCII(text) {
		return text
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r) || r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, text)
}

// Width is how many columns of a terminal a text takes.
func Width(text string) int {
	if plainASCII(text) {
		return len(text)
	}
	return ansi.StringWidth(Clean(text))
}

// Cut is a text of at most so many columns, with a mark where something was left out.
func Cut(text string, most int) string {
	if plainASCII(text) {
		if len(text) <= most {
			return text
		}
		return text[:max(most-1, 0)] + mark[:min(most, 1)*len(mark)]
	}
	return ansi.Truncate(Clean(text), most, mark)
}

// mark stands for what was left out.
const mark = "…"

// Fit is a text of exactly so many columns, with spaces after it, or before it.
func Fit(text string, columns int, right bool) string {
	text = Cut(text, columns)
	pad := strings.Repeat(" ", max(columns-Width(text), 0))
	if right {
		return pad + text
	}
	return text + pad
}
