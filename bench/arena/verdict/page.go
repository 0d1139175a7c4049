package verdict

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dovetail-sh/dovetail/bench/arena/contestant"
	"github.com/dovetail-sh/dovetail/bench/arena/gauge"
	"github.com/dovetail-sh/dovetail/bench/arena/match"
)

// Save writes results as JSON.
func Save(file string, results match.Results) error {
	text, err := json.MarshalIndent(results, "", " ")
	if err != nil {
		return fmt.Errorf("writing results: %w", err)
	}
	if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing results: %w", err)
	}
	return nil
}

// Load reads what Save wrote.
func Load(file string) (match.Results, error) {
	var out match.Results
	text, err := os.ReadFile(file)
	if err != nil {
		return out, fmt.Errorf("reading results: %w", err)
	}
	if err := json.Unmarshal(text, &out); err != nil {
		return out, fmt.Errorf("reading results from %s: %w", file, err)
	}
	return out, nil
}

// pictures is where plots are, as seen from the page.
const pictures = "pictures"

// WritePage writes docs/arena.md, or whatever file is named, and its plots into the folder "pictures" beside it.
func WritePage(file string, results match.Results) error {
	dir := filepath.Join(filepath.Dir(file), pictures)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the folder of the plots: %w", err)
	}
	if err := clearPlots(dir); err != nil {
		return err
	}
	var page strings.Builder
	begin, err := opening(results)
	if err != nil {
		return err
	}
	page.WriteString(begin)
	all := bouts(results)
	page.WriteString(summary(all))
	for _, b := range all {
		plots, err := b.plots()
		if err != nil {
			return err
		}
		for name, picture := range plots {
			if err := os.WriteFile(filepath.Join(dir, name), picture, 0o644); err != nil {
				return fmt.Errorf("writing a plot: %w", err)
			}
		}
		page.WriteString(b.section(slices.Sorted(maps.Keys(plots))))
	}
	page.WriteString(omissions(results))
	if err := os.WriteFile(file, []byte(page.String()), 0o644); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}

// clearPlots removes the plots of an earlier page.
func clearPlots(dir string) error {
	old, err := filepath.Glob(filepath.Join(dir, "arena-*.svg"))
	for _, file := range old {
		err = errors.Join(err, os.Remove(file))
	}
	if err != nil {
		return fmt.Errorf("removing the plots of an earlier page: %w", err)
	}
	return nil
}

// summary says first where the reference wins.
func summary(all []bout) string {
	var lost, won []string
	for _, b := range all {
		for _, w := range b.wins() {
			line := fmt.Sprintf(
				"- %s, %s settings, beside %s: %s\n",
				b.play,
				b.settings,
				w.karpenterVariant,
				w.sentence(),
			)
			if w.by == contestant.Karpenter {
				lost = append(lost, line)
			} else {
				won = append(won, line)
			}
		}
	}
	if len(lost)+len(won) == 0 {
		return "Nothing was compared.\n\n"
	}
	var out strings.Builder
	out.WriteString("## Where Karpenter wins\n\n")
	if len(lost) == 0 {
		out.WriteString("In no figure of these runs.\n")
	}
	out.WriteString(strings.Join(lost, ""))
	out.WriteString("\n## Where Dovetail wins\n\n")
	if len(won) == 0 {
		out.WriteString("In no figure of these runs.\n")
	}
	out.WriteString(strings.Join(won, "") + "\n")
	fmt.Fprintf(&out, "Figures that differ by less than %.0f %% are left out: runs differ by that much.\n\n", 100*even)
	return out.String()
}

// section is a play: its plots, its table, and what failed.
func (b bout) section(plots []string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "## %s, %s settings\n\n%s\n\n", b.play, b.settings, b.about)
	for _, name := range plots {
		fmt.Fprintf(&out, "![%s](%s/%s)\n\n", strings.TrimSuffix(name, ".svg"), pictures, name)
	}
	out.WriteString(markdown(b.runs))
	for _, r := range b.runs {
		if r.Failed != "" {
			fmt.Fprintf(&out, "\n%s failed: %s.\n", r.Contestant, strings.TrimSuffix(r.Failed, "."))
		}
	}
	out.WriteString("\n")
	return out.String()
}

// markdown is a table with a line for each figure: there are more figures than contestants.
func markdown(runs []match.Result) string {
	cells := make([][]string, len(runs))
	head := []string{""}
	for i, r := range runs {
		cells[i] = row(r)
		head = append(head, cells[i][0])
	}
	lines := []string{"| " + strings.Join(head, " | ") + " |", "|" + strings.Repeat("---|", len(head))}
	for i, name := range heads()[1:] {
		line := []string{name}
		for _, c := range cells {
			line = append(line, c[i+1])
		}
		lines = append(lines, "| "+strings.Join(line, " | ")+" |")
	}
	return strings.Join(lines, "\n") + "\n"
}

// plots are the pictures of a play by file name.
func (b bout) plots() (map[string][]byte, error) {
	seconds := 0.0
	var running, price []series
	for i, r := range b.runs {
		seconds = max(seconds, r.Seconds)
		running = append(
			running,
			over(r.Contestant, r.Timeline, func(p gauge.Point) float64 { return float64(p.Running) }),
		)
		price = append(price, over(r.Contestant, r.Timeline, func(p gauge.Point) float64 { return p.Rate }))
		if i == len(b.runs)-1 {
			running = append(
				running,
				over("wanted", r.Timeline, func(p gauge.Point) float64 { return float64(p.Wanted) }),
			)
			price = append(price, over("bound", r.Timeline, func(p gauge.Point) float64 { return p.Bound }))
		}
	}
	out := map[string][]byte{}
	for name, lines := range map[string][]series{"running": running, "price": price} {
		title := map[string]string{"running": "Pods that run", "price": "Dollars an hour"}[name]
		picture, err := plot(title, seconds, lines)
		if err != nil {
			return nil, err
		}
		out[fmt.Sprintf("arena-%s-%s-%s.svg", b.play, b.settings, name)] = picture
	}
	return out, nil
}

// omissions are runs that were not made.
func omissions(results match.Results) string {
	if len(results.Skipped) == 0 {
		return ""
	}
	return "## Not run\n\n- " + strings.Join(results.Skipped, "\n- ") + "\n"
}
