package part

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/dovetail-sh/dovetail/internal/cli"
)

// dovetail is the whole command line, as cmd/dovetail builds it.
func dovetail(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return cli.Main(ctx, args, os.Stdout, os.Stderr)
}
