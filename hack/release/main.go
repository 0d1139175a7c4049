// Release builds what a release consists of: the controller's image, the charts, and the command line for people's
// machines.
//
//	go run . check [-version 0.2.0]     builds all of it twice, into registries of its own, and compares; uploads
//
// nothing
//
//	go run . publish                    builds the version that the commit is tagged with, uploads and signs it
//
// check runs anywhere. publish is for the release workflow: it wants GITHUB_TOKEN, and an identity that cosign can
// ask
// for.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	version := flags.String("version", "0.0.0-check", "version that check builds, without v")
	one := flags.Bool("one-platform", false, "build the command line for this platform alone")
	if len(args) == 0 {
		return errors.New("say what to do: check or publish")
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	root, err := gitRoot(ctx)
	if err != nil {
		return err
	}
	switch args[0] {
	case "check":
		return check(ctx, root, *version, *one)
	case "publish":
		return publish(ctx, root)
	default:
		return fmt.Errorf("there is no %s: say check or publish", args[0])
	}
}
