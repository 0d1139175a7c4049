package match

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/dovetail-sh/dovetail/bench/arena/contestant"
	"github.com/dovetail-sh/dovetail/bench/arena/ware"
)

// patience is how long pods may take to run, each time that they are waited for.
const patience = 4 * time.Minute

// All makes the runs one after the other. It returns what there is when ctx ends; the error is of what keeps every run
// from beginning.
func All(ctx context.Context, o Options, say func(format string, args ...any)) (Results, error) {
	began := time.Now()
	out := Results{
		Began:   began.UTC().Format(time.RFC3339),
		Seed:    o.Seed,
		Short:   o.Short,
		Machine: describe(),
		Runs:    []Result{},
	}
	runs := Schedule(o)
	if len(runs) == 0 {
		return out, errors.New("no play and contestant of these names: nothing to do; --list shows them")
	}
	dir, err := os.MkdirTemp("", "dovetail-arena-")
	if err != nil {
		return out, fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(dir)
	types := filepath.Join(dir, "types.json")
	text, err := ware.File(ware.Types())
	if err != nil {
		return out, err
	}
	if err := os.WriteFile(types, text, 0o600); err != nil {
		return out, fmt.Errorf("writing the instance types: %w", err)
	}
	longest := time.Duration(0)
	for i, r := range runs {
		name := fmt.Sprintf("%s to %s, %s settings", r.Play.Name, r.Contestant.Name, r.Settings)
		if why := o.skip(ctx, r, time.Since(began), longest); why != "" {
			out.Skipped = append(out.Skipped, name+": "+why)
			say("skipped: %s: %s", name, why)
			continue
		}
		say("%d of %d: %s", i+1, len(runs), name)
		start := time.Now()
		result := one(ctx, o, r, types, say)
		longest = max(longest, time.Since(start))
		out.Runs = append(out.Runs, result)
		say("  %s", line(result))
	}
	out.Took = time.Since(began).Round(time.Second).Seconds()
	return out, nil
}

// skip is why a run is not made; empty if it is.
func (o Options) skip(ctx context.Context, r Run, spent, longest time.Duration) string {
	switch {
	case ctx.Err() != nil:
		return "interrupted"
	case r.Contestant.Controller == contestant.Karpenter && o.Karpenter == "":
		return "Karpenter is not built; it needs a newer Go, which GOTOOLCHAIN=go1.27.3 fetches (hack/arena.sh)"
	case o.Limit > 0 && spent+min(longest, o.Limit/4) > o.Limit:
		return fmt.Sprintf("no time is left of %s", o.Limit)
	}
	return ""
}

// line is a run in one line.
func line(r Result) string {
	if r.Failed != "" {
		return "failed: " + r.Failed
	}
	return fmt.Sprintf(
		"half of %d ran after %.1f s, all after %.1f s; $%.3f paid for a bound of $%.3f; "+
			"%.1f s of CPU, %d MiB, %d requests",
		r.Pods,
		r.HalfRun,
		r.AllRun,
		r.Dollars,
		r.Measures.Bound,
		r.CPU,
		r.PeakMemory>>20,
		r.Requests,
	)
}
