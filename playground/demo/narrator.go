package demo

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Narrator writes the story. On a terminal a wait is one line that is drawn again;
// elsewhere it is a plain line every ten seconds.
type Narrator struct {
	out      io.Writer
	terminal bool
	began    time.Time

	lastPlain time.Time // of a plain progress line
	drawn     bool      // a progress line stands on the terminal
}

const (
	bold, dim, green, red, plain = "\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[31m", "\x1b[0m"
	clearLine                    = "\r\x1b[K"
	plainEvery                   = 10 * time.Second
)

// NewNarrator begins a story now.
func NewNarrator(out io.Writer, terminal bool) *Narrator {
	return &Narrator{out: out, terminal: terminal, began: time.Now()}
}

// Chapter opens a part of the story.
func (n *Narrator) Chapter(title string) {
	n.line("")
	n.line(n.paint(bold, "━━ "+title+" ━━"))
}

// Step says what is done next.
func (n *Narrator) Step(format string, args ...any) {
	n.line("")
	n.line(n.paint(bold, "▶ ") + fmt.Sprintf(format, args...))
}

// Say adds a line to the step.
func (n *Narrator) Say(format string, args ...any) { n.line("  " + fmt.Sprintf(format, args...)) }

// Came says that what the step waited for is there.
func (n *Narrator) Came(format string, args ...any) {
	n.line("  " + n.paint(green, "✔ ") + fmt.Sprintf(format, args...))
}

// Failed says that it never came.
func (n *Narrator) Failed(format string, args ...any) {
	n.line("  " + n.paint(red, "✘ ") + fmt.Sprintf(format, args...))
}

// Waiting shows how a long wait goes on.
func (n *Narrator) Waiting(since time.Time, what, seen string) {
	text := fmt.Sprintf("waiting for %s · %s · %.0f s", what, seen, time.Since(since).Seconds())
	if n.terminal {
		spinner := []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
		frame := spinner[int(time.Since(since)/(100*time.Millisecond))%len(spinner)]
		fmt.Fprintf(n.out, "%s  %s", clearLine, n.paint(dim, string(frame)+" "+text))
		n.drawn = true
		return
	}
	if time.Since(since) >= plainEvery && time.Since(n.lastPlain) >= plainEvery {
		n.lastPlain = time.Now()
		n.line("  … " + text)
	}
}

// Table draws rows under a header, as wide as their widest cells.
func (n *Narrator) Table(header []string, rows [][]string) {
	widths := make([]int, len(header))
	for _, row := range append([][]string{header}, rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	draw := func(row []string) string {
		var b strings.Builder
		for i, cell := range row {
			fmt.Fprintf(&b, "%s%s  ", cell, strings.Repeat(" ", widths[i]-len([]rune(cell))))
		}
		return "    " + strings.TrimRight(b.String(), " ")
	}
	n.line(n.paint(dim, draw(header)))
	for _, row := range rows {
		n.line(draw(row))
	}
}

func (n *Narrator) line(text string) {
	if n.drawn {
		fmt.Fprint(n.out, clearLine)
		n.drawn = false
	}
	fmt.Fprintln(n.out, text)
}

func (n *Narrator) paint(colour, text string) string {
	if !n.terminal {
		return text
	}
	return colour + text + plain
}

// number is a number of things whose plural ends in s.
func number(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
