package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/dovetail-sh/dovetail/bench/arena/contestant"
	"github.com/dovetail-sh/dovetail/bench/arena/match"
	"github.com/dovetail-sh/dovetail/bench/arena/play"
	"github.com/dovetail-sh/dovetail/bench/arena/verdict"
)

// Time limits, on 2 cores.
const (
	fullLimit  = 40 * time.Minute
	shortLimit = 6 * time.Minute
)

// flags are the command line.
type flags struct {
	match.Options

	results string // where results.json goes
	page    string // where the page goes; empty for none
	remake  bool
	list    bool
	version string // of Karpenter
}

func parse(args []string) (flags, error) {
	var f flags
	set := pflag.NewFlagSet("arena", pflag.ContinueOnError)
	set.BoolVar(&f.Short, "short", false, "smaller and shorter plays, fewer contestants: 6 minutes instead of 40")
	set.StringSliceVar(&f.Plays, "play", nil, "plays to perform (default all)")
	set.StringSliceVar(&f.Contestants, "contestant", nil, "who competes (default all)")
	set.StringSliceVar(
		&f.Settings,
		"settings",
		[]string{string(contestant.Own), string(contestant.Equal)},
		"how controllers are set: own, equal",
	)
	set.IntVar(&f.Pods, "pods", 0, "pods of each play (default as many as the play has)")
	set.DurationVar(&f.Limit, "limit", 0, "begin no run that would end after so long (default 40m, 6m with --short)")
	set.Uint64Var(&f.Seed, "seed", 1, "dice of the plays")
	set.StringVar(&f.Trace, "trace", "", "a recorded trace whose day is played (default none: a curve)")
	set.DurationVar(
		&f.Registration,
		"registration-delay",
		0,
		"how long a node takes from its launch until it registers",
	)
	set.StringVar(&f.Playground, "playground", "../../bin/playground", "the playground's binary")
	set.StringVar(
		&f.Dovetail,
		"dovetail-binary",
		"",
		"Dovetail's binary (default the one in the playground's, which takes more memory)",
	)
	set.StringVar(
		&f.Karpenter,
		"karpenter",
		"",
		"Karpenter's binary for kwok, with its CRDs in crds beside it (default none: only Dovetail is run)",
	)
	set.StringVar(&f.version, "karpenter-version", "", "what to call Karpenter's version")
	set.StringArrayVar(&f.More, "dovetail", nil, "a further flag for Dovetail; may be repeated")
	set.BoolVar(&f.Keep, "keep", false, "leave the clusters' folders with their logs in place")
	set.StringVar(&f.results, "results", "results.json", "file that the results are written to")
	set.StringVar(&f.page, "page", "", "Markdown file to write, with plots in pictures beside it (default none)")
	set.BoolVar(&f.remake, "remake", false, "run nothing: write the page from the results that are there")
	set.BoolVar(&f.list, "list", false, "list plays and contestants")
	if err := set.Parse(args); err != nil {
		return f, err
	}
	if set.NArg() > 0 {
		return f, fmt.Errorf("%q is no flag; there are no other arguments", set.Arg(0))
	}
	for _, s := range f.Settings {
		if s != string(contestant.Own) && s != string(contestant.Equal) {
			return f, fmt.Errorf("--settings: %q is neither own nor equal", s)
		}
	}
	if f.Limit == 0 {
		f.Limit = fullLimit
		if f.Short {
			f.Limit = shortLimit
		}
	}
	if f.list || f.remake {
		return f, nil
	}
	return f, f.find()
}

// find makes the paths of programs whole, and sees that they are there.
func (f *flags) find() (err error) {
	for _, path := range []*string{&f.Playground, &f.Dovetail, &f.Karpenter, &f.Trace} {
		if *path == "" {
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil { // programs run in folders of their own
			return fmt.Errorf("finding the binaries: %w", err)
		}
		if _, err := os.Stat(*path); err != nil {
			return fmt.Errorf("a file that is needed is not there: %w; make arena builds all programs", err)
		}
	}
	return nil
}

// run is the whole command.
func run(ctx context.Context, args []string, out io.Writer) error {
	f, err := parse(args)
	if errors.Is(err, pflag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	say := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	switch {
	case f.list:
		list(say)
		return nil
	case f.remake:
		results, err := verdict.Load(f.results)
		if err != nil {
			return err
		}
		return f.publish(out, results)
	}
	results, err := match.All(ctx, f.Options, say)
	if err != nil {
		return err
	}
	results.Command = command(args)
	results.Versions = versions(f)
	if err := verdict.Save(f.results, results); err != nil {
		return err
	}
	if err := f.publish(out, results); err != nil {
		return err
	}
	return failures(results)
}

// command is how to run the same again. Where files lie is of this machine only.
func command(args []string) string {
	own := slices.DeleteFunc(slices.Clone(args), func(arg string) bool {
		return strings.Contains(arg, "/") || strings.HasPrefix(arg, "--karpenter-version")
	})
	return strings.TrimSpace("make arena ARENAFLAGS='" + strings.Join(own, " ") + "'")
}

// publish prints, and writes the page if one is asked for.
func (f flags) publish(out io.Writer, results match.Results) error {
	if err := verdict.Print(out, results); err != nil {
		return err
	}
	if f.page == "" {
		return nil
	}
	return verdict.WritePage(f.page, results)
}

// failures is an error if a run of ours failed: of others it is a result.
func failures(results match.Results) error {
	var errs []error
	for _, r := range results.Runs {
		if r.Failed != "" && r.Controller == contestant.Dovetail {
			errs = append(errs, fmt.Errorf("%s to %s: %s", r.Play, r.Contestant, r.Failed))
		}
	}
	return errors.Join(errs...)
}

func list(say func(string, ...any)) {
	for _, p := range play.All {
		say("play %-10s %4d pods  %s", p.Name, p.Pods, p.About)
	}
	for _, c := range contestant.All {
		say("contestant %-24s %s", c.Name, c.Policy)
	}
}

// versions are of what was measured.
func versions(f flags) map[string]string {
	out := map[string]string{"Go": runtime.Version()}
	if f.version != "" {
		out["Karpenter"] = f.version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "k8s.io/client-go" {
				out["Kubernetes"] = "v1" + strings.TrimPrefix(m.Version, "v0")
			}
		}
	}
	return out
}
