package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/playground/cluster"
	"github.com/dovetail-sh/dovetail/playground/lifeline"
)

// upFlags are what the user chose for `playground up`.
type upFlags struct {
	dir    string
	parts  []string
	with   []string
	keep   bool
	detach bool
	output string
}

func newUp() *cobra.Command {
	var flags upFlags
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start a cluster and run it until Ctrl-C, or in the background",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if flags.output != "text" && flags.output != "json" {
				return fmt.Errorf("--output is %q, must be text or json", flags.output)
			}
			if flags.detach {
				return detach(cmd.Context(), flags, cmd.OutOrStdout())
			}
			return up(cmd.Context(), flags, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().
		StringVar(
			&flags.dir,
			"dir",
			"",
			"directory for everything the cluster writes; empty or from an earlier cluster (default a new temporary "+
				"one)",
		)
	cmd.Flags().
		StringSliceVar(
			&flags.parts,
			"parts",
			nil,
			"parts to run: etcd, apiserver, controller-manager, scheduler, kwok (default all)",
		)
	cmd.Flags().
		StringSliceVar(&flags.with, "with", nil, "what to have beside Kubernetes: "+strings.Join(programNames, ", "))
	cmd.Flags().
		BoolVar(
			&flags.keep,
			"keep",
			false,
			"leave the directory in place after the cluster ends, so that it can be looked at or continued",
		)
	cmd.Flags().
		BoolVar(
			&flags.detach,
			"detach",
			false,
			"return when the cluster is ready and leave it running; stop it with playground down",
		)
	cmd.Flags().
		StringVarP(
			&flags.output,
			"output",
			"o",
			"text",
			"what to print when the cluster is ready: text, or json on one line",
		)
	return cmd
}

// up runs a cluster until a signal comes or the lifeline is cut.
func up(ctx context.Context, flags upFlags, out, progress io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := lifeline.Watch(stop); err != nil {
		return err
	}
	// Whoever reads our output may be gone when we tidy up after it.
	signal.Ignore(syscall.SIGPIPE)
	programs, err := programsNamed(flags.with)
	if err != nil {
		return err
	}
	c, err := cluster.Start(ctx, cluster.Options{
		Dir: flags.dir, Keep: flags.keep, Parts: flags.parts, Programs: programs,
		Report: func(e cluster.Event) { fmt.Fprintf(progress, "%s %s\n", e.At.Format(time.TimeOnly), e) },
	})
	if err != nil {
		return err
	}
	if slices.Contains(flags.with, withSample) {
		if err := applySample(ctx, c.Kubeconfig()); err != nil {
			return errors.Join(err, c.Stop())
		}
	}
	if err := announce(out, c.State(), flags); err != nil {
		return fmt.Errorf("printing how to reach the cluster: %w", err)
	}
	<-ctx.Done()
	fmt.Fprintf(progress, "%s stopping\n", time.Now().Format(time.TimeOnly))
	return c.Stop()
}

// announce prints how to reach a cluster that is ready.
func announce(out io.Writer, s cluster.State, flags upFlags) error {
	if flags.output == "json" {
		return json.NewEncoder(out).Encode(s)
	}
	after := "Stop it with Ctrl-C."
	if flags.detach {
		after = "Stop it with: " + program() + " down --dir " + s.Dir
	}
	if s.Keep {
		after += "\nIts directory stays when it ends (--keep)."
	}
	_, err := fmt.Fprintf(
		out,
		"\nThe cluster is ready after %s at %s, in %s.\n\n%s\n%s\n",
		s.ReadyAfter,
		s.Endpoint,
		s.Dir,
		nextSteps(s, flags.with),
		after,
	)
	return err
}

// program is how the user called this binary.
func program() string { return os.Args[0] }

// nextSteps are commands to go on with, as far as what was started has something to show.
func nextSteps(s cluster.State, with []string) string {
	steps := []string{"export KUBECONFIG=" + s.Kubeconfig}
	add := func(wants string, lines ...string) {
		if slices.Contains(with, wants) {
			steps = append(steps, lines...)
		}
	}
	add(withAWS, "source "+awsEnvFile(s.Dir)+"   # leads aws and dovetail sim to the simulated account")
	if !slices.Contains(with, withSample) {
		steps = append(steps, "kubectl get nodes")
	}
	add(
		withSample,
		"kubectl get nodepools,nodeclaims,nodes",
		"kubectl scale deployment web --replicas 20          # more machines; --replicas 0, and they go",
		program()+" dovetail top                        # what there is, what it costs, and why each node is still "+
			"there",
		program()+" dovetail explain pod POD            # why it runs where it does; and why giant waits",
		program()+" dovetail sim interrupt NODE         # a spot interruption, two minutes ahead",
		"kubectl logs -n kube-system karpenter -f            # what the controller says",
	)
	if s.Page != "" {
		steps = append(steps, "open "+s.Page+"                # the fleet, its price, and why")
	}
	add(withMetrics, "kubectl top pods                                    # after a quarter of a minute")
	return "  " + strings.Join(steps, "\n  ") + "\n"
}
