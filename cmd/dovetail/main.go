// Dovetail buys the cheapest nodes that a cluster's pods fit on, and keeps them fitting.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/dovetail-sh/dovetail/internal/cli"
)

func main() {
	ctx, stop := context.WithCancelCause(context.Background())
	told := make(chan os.Signal, 1)
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}
	signal.Notify(told, ends...)
	go func() {
		first := <-told
		signal.Reset(ends...) // a second one ends the process at once
		stop(cli.Stopped{Signal: first})
	}()
	os.Exit(cli.Main(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
