package pages

import (
	"fmt"
	"regexp"
	"strings"
)

// Block is a fenced block of shell commands.
type Block struct {
	Line   int // of the fence
	Text   string
	NotRun string // why it is not run; empty if it is
}

// reason is the comment on the line before a block that is not run. It is not shown where the page is.
var reason = regexp.MustCompile(`^<!-- not run: (.+) -->$`)

// Blocks finds the shell blocks of a page in Markdown: those fenced as sh or bash.
func Blocks(page string) ([]Block, error) {
	var r reader
	for i, line := range strings.Split(page, "\n") {
		r.read(i+1, line)
	}
	if r.open != nil && r.shell {
		return nil, fmt.Errorf("the block of line %d has no end", r.open.Line)
	}
	return r.blocks, nil
}

// fence begins and ends a block.
const fence = "```"

// reader goes through a page line by line.
type reader struct {
	blocks []Block
	open   *Block // the block that the line is in, of any language
	shell  bool   // whether open is one that counts
	before string // the last line that was not empty
}

func (r *reader) read(number int, line string) {
	text := strings.TrimSpace(line)
	switch {
	case r.open != nil && text == fence:
		if r.shell {
			r.blocks = append(r.blocks, *r.open)
		}
		r.open = nil
	case r.open != nil:
		r.open.Text += line + "\n"
	case strings.HasPrefix(text, fence):
		language := strings.TrimPrefix(text, fence)
		r.open, r.shell = &Block{Line: number}, language == "sh" || language == "bash"
		if match := reason.FindStringSubmatch(r.before); match != nil {
			r.open.NotRun = match[1]
		}
	}
	if text != "" {
		r.before = text
	}
}

// Script joins blocks to one script for bash, which ends at the first command that fails and says before each block
// where it stands.
func Script(page string, blocks []Block) string {
	var out strings.Builder
	for _, b := range blocks {
		if b.NotRun != "" {
			continue
		}
		fmt.Fprintf(&out, "echo '== %s:%d' >&2\n%s", page, b.Line, b.Text)
	}
	return out.String()
}
