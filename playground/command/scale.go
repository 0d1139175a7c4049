package command

import (
	"context"
	"fmt"
	"io"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/playground/agreement"
	"github.com/dovetail-sh/dovetail/playground/demo"
	"github.com/dovetail-sh/dovetail/playground/lifeline"
)

// scaleFlags choose what is deployed, and what it is scaled to.
type scaleFlags struct {
	pods      int
	then      int32
	after     time.Duration // consolidateAfter
	during    time.Duration
	patience  time.Duration
	keep      bool
	dovetails []string // further flags for dovetail
}

func newScale() *cobra.Command {
	var f scaleFlags
	cmd := &cobra.Command{
		Use:   "scale",
		Short: "Measure a scale-up of four Deployments and the scale-down after it on the kwok cloud",
		Example: "  playground scale                             # 3,000 pods, then 350 of each Deployment for 8 " +
			"minutes\n" +
			"  playground scale --pods 300 --then 35 --for 2m",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
			defer stop()
			if err := lifeline.Watch(stop); err != nil {
				return err
			}
			return upAndDown(ctx, cmd.OutOrStdout(), f)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&f.pods, "pods", 3000, "how many pods there are at first")
	flags.Int32Var(&f.then, "then", 350, "how many pods each Deployment keeps")
	flags.DurationVar(&f.after, "consolidate-after", 30*time.Second, "the NodePool's consolidateAfter")
	flags.DurationVar(&f.during, "for", 8*time.Minute, "how long to watch after scaling down")
	flags.DurationVar(&f.patience, "patience", 10*time.Minute, "how long all pods may take to run")
	flags.BoolVar(&f.keep, "keep", false, "leave the cluster's directory with its logs in place")
	flags.StringArrayVar(&f.dovetails, "dovetail", nil, "a further flag for dovetail; may be repeated")
	return cmd
}

func upAndDown(ctx context.Context, out io.Writer, f scaleFlags) error {
	workload := agreement.Four(f.pods)
	say := demo.NewNarrator(out, false)
	say.Chapter("Up and down: " + workload.Name)
	pool, class := agreement.ScalePool(f.after)
	setting := agreement.Setting{Pool: pool, Class: class, Patience: f.patience, Say: say.Say}
	var samples []agreement.Sample
	err := stage(ctx, setting, []string{withDovetail}, f.dovetails, f.keep, func(s agreement.Setting) (err error) {
		down := agreement.Descent{Replicas: f.then, For: f.during, Every: max(f.during/16, time.Second)}
		samples, err = agreement.Scale(ctx, s, workload, down, func(s agreement.Sample) {
			say.Say("%6.1f s  %4d pods run, %3d nodes, $%.2f an hour", s.At.Seconds(), s.Running, s.Nodes, s.Price)
		})
		return err
	})
	if len(samples) == 0 {
		return err
	}
	rows := make([][]string, len(samples))
	for i, s := range samples {
		rows[i] = scaleRow(s, i == 0)
	}
	say.Say("")
	say.Table(
		[]string{
			"",
			"AFTER",
			"PODS RUN",
			"NODES",
			"$/H",
			"BOUND",
			"PRICE/BOUND",
			"DISRUPTED",
			"EVICTIONS",
			"CPU",
			"MEMORY",
		},
		rows,
	)
	return err
}

func scaleRow(s agreement.Sample, up bool) []string {
	what := "down"
	if up {
		what = "all run"
	}
	return []string{
		what,
		fmt.Sprintf("%.1f s", s.At.Seconds()),
		fmt.Sprint(s.Running),
		fmt.Sprint(s.Nodes),
		fmt.Sprintf("%.2f", s.Price),
		fmt.Sprintf("%.2f", s.Bound),
		fmt.Sprintf("%.3f", s.Price/s.Bound),
		fmt.Sprint(
			s.Disrupted,
		),
		fmt.Sprint(s.Evictions),
		fmt.Sprintf("%.1f s", s.CPU.Seconds()),
		fmt.Sprintf("%d MiB", s.Memory>>20),
	}
}
