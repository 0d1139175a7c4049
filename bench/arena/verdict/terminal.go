package verdict

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/dovetail-sh/dovetail/bench/arena/contestant"
	"github.com/dovetail-sh/dovetail/bench/arena/match"
)

// Print writes a table of each play, figures in lines so that it fits a terminal, and where the reference wins.
func Print(out io.Writer, results match.Results) error {
	for _, b := range bouts(results) {
		fmt.Fprintf(out, "\n%s, %s settings: %s\n", b.play, b.settings, b.about)
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		head := []string{""}
		cells := make([][]string, len(b.runs))
		for i, r := range b.runs {
			cells[i] = row(r)
			head = append(head, cells[i][0])
		}
		fmt.Fprintln(w, "  "+strings.Join(head, "\t"))
		for i, name := range heads()[1:] {
			line := []string{name}
			for _, c := range cells {
				line = append(line, c[i+1])
			}
			fmt.Fprintln(w, "  "+strings.Join(line, "\t"))
		}
		if err := w.Flush(); err != nil {
			return fmt.Errorf("printing the table of %s: %w", b.play, err)
		}
		for _, r := range b.runs {
			if r.Failed != "" {
				fmt.Fprintf(out, "  %s failed: %s\n", r.Contestant, r.Failed)
			}
		}
		for _, w := range b.wins() {
			if w.by == contestant.Karpenter {
				fmt.Fprintf(out, "  %s wins: %s\n", w.karpenterVariant, w.sentence())
			}
		}
	}
	for _, s := range results.Skipped {
		fmt.Fprintf(out, "\nskipped: %s", s)
	}
	_, err := fmt.Fprintln(out)
	return err
}
