package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// furtherIn is how far what does not fit on a line is set in beneath it.
const furtherIn = 4

// fold breaks lines that are wider than a terminal, at spaces where there are any. A width of 0 breaks nothing.
func fold(text string, width int) string {
	if width <= 0 {
		return text
	}
	var out strings.Builder
	for line := range strings.Lines(text) {
		line, ended := strings.CutSuffix(line, "\n")
		out.WriteString(foldLine(line, width))
		if ended {
			out.WriteByte('\n')
		}
	}
	return out.String()
}

func foldLine(line string, width int) string {
	if ansi.StringWidth(line) <= width {
		return line
	}
	bare := strings.TrimLeft(line, " ")
	indent := min(len(line)-len(bare), width/2)
	under := min(indent+furtherIn, width/2)
	first, rest := cut(bare, width-indent)
	lines := []string{strings.Repeat(" ", indent) + first}
	for rest != "" {
		first, rest = cut(rest, width-under)
		lines = append(lines, strings.Repeat(" ", under)+first)
	}
	return strings.Join(lines, "\n")
}

// cut is what of a text fits on so many columns, up to a space if there is one, and the rest.
func cut(text string, width int) (first, rest string) {
	if ansi.StringWidth(text) <= width {
		return text, ""
	}
	first = ansi.Truncate(text, max(width, 1), "")
	if i := strings.LastIndexByte(text[:min(len(first)+1, len(text))], ' '); i > 0 {
		first = text[:i]
	}
	return strings.TrimRight(first, " "), strings.TrimLeft(text[len(first):], " ")
}

// widthOf is how wide lines may be: as $COLUMNS says, else as a terminal does; 0 for files and pipes, whose lines are
// as
// long as they must be.
func widthOf(out any) int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	f, ok := out.(*os.File)
	if !ok {
		return 0
	}
	return terminalWidth(f)
}

// write writes a read model as it was asked for.
func write(w io.Writer, output string, model any, text func(io.Writer) error) error {
	if output == "json" {
		return writeJSON(w, model)
	}
	return writeText(w, text)
}

// writeText writes what is for people, no wider than they see.
func writeText(w io.Writer, text func(io.Writer) error) error {
	var b bytes.Buffer
	if err := text(&b); err != nil {
		return err
	}
	_, err := io.WriteString(w, fold(b.String(), widthOf(w)))
	return err
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
