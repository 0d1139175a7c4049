package verdict

import (
	"fmt"

	"github.com/dovetail-sh/dovetail/bench/arena/contestant"
	"github.com/dovetail-sh/dovetail/bench/arena/match"
)

// even is how far figures must be apart, as a share of the larger one, for one to win: less is noise.
const even = 0.03

// bout is all runs of one play with the same settings.
type bout struct {
	play, about, settings string
	runs                  []match.Result
}

// bouts groups runs, in their order.
func bouts(results match.Results) []bout {
	var out []bout
	at := map[[2]string]int{}
	for _, r := range results.Runs {
		key := [2]string{r.Play, r.Settings}
		i, known := at[key]
		if !known {
			i = len(out)
			at[key] = i
			out = append(out, bout{play: r.Play, about: r.About, settings: r.Settings})
		}
		out[i].runs = append(out[i].runs, r)
	}
	return out
}

// win is a figure in which one controller is better than the other.
type win struct {
	by, figure       string
	winner, loser    string // cells
	ratio            float64
	karpenterVariant string
}

// wins compares our run with that of a variant of the reference. Only runs that came true are compared.
func (b bout) wins() []win {
	ours := b.find(contestant.Dovetail)
	if len(ours) == 0 || ours[0].Failed != "" {
		return nil
	}
	var out []win
	for _, theirs := range b.find(contestant.Karpenter) {
		if theirs.Failed != "" {
			continue
		}
		for _, c := range columns {
			if w, decided := c.judge(ours[0], theirs); decided {
				out = append(out, w)
			}
		}
	}
	return out
}

func (b bout) find(controller string) []match.Result {
	var out []match.Result
	for _, r := range b.runs {
		if r.Controller == controller {
			out = append(out, r)
		}
	}
	return out
}

// judge says who is better in a figure, if one is.
func (c column) judge(ours, theirs match.Result) (win, bool) {
	a, b := c.value(ours), c.value(theirs)
	if !c.contest || max(a, b) == 0 || max(a, b)-min(a, b) <= even*max(a, b) {
		return win{}, false
	}
	w := win{
		by:               contestant.Dovetail,
		figure:           c.name,
		winner:           c.cell(ours),
		loser:            c.cell(theirs),
		karpenterVariant: theirs.Contestant,
	}
	if b < a {
		w.by, w.winner, w.loser = contestant.Karpenter, w.loser, w.winner
	}
	if least := min(a, b); least > 0 {
		w.ratio = max(a, b) / least
	}
	return w, true
}

// sentence says a win in words.
func (w win) sentence() string {
	times := ""
	if w.ratio > 0 {
		times = fmt.Sprintf(" (%.2f times)", w.ratio)
	}
	return fmt.Sprintf("%s: %s against %s%s", w.figure, w.winner, w.loser, times)
}
