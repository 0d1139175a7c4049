package match

import (
	"slices"
	"time"

	"github.com/dovetail-sh/dovetail/bench/arena/contestant"
	"github.com/dovetail-sh/dovetail/bench/arena/play"
)

// Run is one play to one contestant.
type Run struct {
	Play       play.Play
	Contestant contestant.Contestant
	Settings   contestant.Settings
}

// Options choose what is played.
type Options struct {
	Short       bool
	Plays       []string // names; none means all
	Contestants []string // names; none means all
	Pods        int      // of each play; 0 means what the play says
	Settings    []string // own, equal
	Limit       time.Duration
	Seed        uint64
	Trace       string // path of a recorded trace, for plays that have one; empty for none

	Playground string // path of the playground's binary
	Dovetail   string // path of our own binary; empty means the one in the playground's
	Karpenter  string // path of the reference's binary; empty means that there is none
	Keep       bool   // leave the clusters' folders with their logs
	More       []string

	Registration time.Duration // from a launch until the node registers
}

// Schedule is the order of runs. All contestants play one play before the next begins, so that what changes on the
// machine meanwhile touches all of them. Where no node becomes superfluous, consolidation policies do not differ, and
// one contestant of each controller is enough; so it is for the second settings, which only the first play has, and in
// the short form.
func Schedule(o Options) []Run {
	var out []Run
	for _, settings := range o.Settings {
		for i, p := range play.All {
			first := settings == string(contestant.Own)
			if !o.chosen(p) || !first && i > 0 && len(o.Plays) == 0 {
				continue
			}
			for _, c := range o.field(!p.Shrinks || !first || o.Short) {
				out = append(out, Run{Play: p, Contestant: c, Settings: contestant.Settings(settings)})
			}
		}
	}
	return out
}

// chosen reports whether a play is asked for, and in this form.
func (o Options) chosen(p play.Play) bool {
	return (len(o.Plays) == 0 || slices.Contains(o.Plays, p.Name)) && (!o.Short || p.ShortPods > 0)
}

// field is who competes: those that are named or else all, or only the first of each controller.
func (o Options) field(few bool) (out []contestant.Contestant) {
	seen := map[string]bool{}
	for _, c := range contestant.All {
		named := slices.Contains(o.Contestants, c.Name)
		if named || len(o.Contestants) == 0 && !(few && seen[c.Controller]) {
			out = append(out, c)
		}
		seen[c.Controller] = true
	}
	return out
}

// size is how large and long a play is.
func (o Options) size(p play.Play) (pods int, during time.Duration) {
	pods, during = p.Pods, p.For
	if o.Short {
		pods, during = p.ShortPods, p.ShortFor
	}
	if o.Pods > 0 {
		pods = o.Pods
	}
	return pods, during
}
