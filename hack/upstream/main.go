package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
)

// modules are the names that -module takes.
var modules = map[string]string{
	"core": "sigs.k8s.io/karpenter",
	"aws":  "github.com/aws/karpenter-provider-aws",
}

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "upstream:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("upstream", flag.ContinueOnError)
	module := flags.String("module", "core", "core, aws, or a module's path")
	from := flags.String("from", "", "the older version, such as v1.14.1")
	to := flags.String("to", "", "the newer version, such as v1.15.0")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *from == "" || *to == "" {
		return fmt.Errorf("give both versions, as in -from v1.14.1 -to v1.15.0")
	}
	path := *module
	if known, ok := modules[path]; ok {
		path = known
	}
	var facts [2]Facts
	for i, version := range []string{*from, *to} {
		dir, err := Download(ctx, path, version)
		if err != nil {
			return err
		}
		if facts[i], err = Collect(os.DirFS(dir)); err != nil {
			return fmt.Errorf("reading %s %s: %w", path, version, err)
		}
	}
	return Write(out, path, [2]string{*from, *to}, Differences(facts[0], facts[1]))
}
