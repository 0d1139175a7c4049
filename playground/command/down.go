package command

import (
	"context"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/playground/cluster"
)

// downLimit is how long `down` waits for a cluster to end by itself. The worst
// case is every part being killed after its patience: 15 seconds.
const downLimit = 20 * time.Second

func newDown() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Stop a cluster; its directory goes too, unless it was started with --keep",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return down(cmd.Context(), dir, cmd.OutOrStdout())
		},
	}
	addDirFlag(cmd, &dir)
	return cmd
}

func addDirFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "dir", "", "directory of the cluster (default the only one that is up)")
}

func down(ctx context.Context, dir string, out io.Writer) error {
	s, err := cluster.Find(dir)
	if err != nil {
		return err
	}
	if err := syscall.Kill(s.PID, syscall.SIGTERM); err != nil {
		return fmt.Errorf("stopping process %d of the playground in %s: %w", s.PID, s.Dir, err)
	}
	ctx, cancel := context.WithTimeout(ctx, downLimit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if s.Down() {
			_, err := fmt.Fprintf(out, "The playground in %s is down.\n", s.Dir)
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf(
				"the playground in %s is not down after %s; its process is %d, its logs are in %s/logs",
				s.Dir,
				downLimit,
				s.PID,
				s.Dir,
			)
		case <-tick.C:
		}
	}
}
