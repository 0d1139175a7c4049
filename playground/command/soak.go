package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/awssim/control"
	"github.com/dovetail-sh/dovetail/playground/agreement"
	"github.com/dovetail-sh/dovetail/playground/cluster"
	"github.com/dovetail-sh/dovetail/playground/demo"
	"github.com/dovetail-sh/dovetail/playground/lifeline"
	"github.com/dovetail-sh/dovetail/playground/soak"
)

// paybacksInADay is how often a day is as long as moves have for paying for themselves.
const paybacksInADay = 3

type soakFlags struct {
	trace  string
	day    int
	oneIn  int
	length time.Duration
	keep   bool
}

func newSoak() *cobra.Command {
	var f soakFlags
	cmd := &cobra.Command{
		Use:   "soak",
		Short: "Play a compressed day of a trace, check what must hold all along, and report",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
			defer stop()
			if err := lifeline.Watch(stop); err != nil {
				return err
			}
			return runSoak(ctx, cmd.OutOrStdout(), f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(
		&f.trace,
		"trace",
		"../shared/traces/azure-vm-2020-batched.csv.gz",
		"CSV trace, gzip, whose groups become Deployments",
	)
	flags.IntVar(&f.day, "day", 2, "day of the trace, from 0")
	flags.IntVar(&f.oneIn, "one-in", 16, "take one in so many groups")
	flags.DurationVar(&f.length, "for", 5*time.Minute, "how long the day takes")
	flags.BoolVar(&f.keep, "keep", false, "leave the cluster's directory with its logs in place")
	return cmd
}

func runSoak(ctx context.Context, out io.Writer, f soakFlags) (err error) {
	if f.oneIn < 1 || f.day < 0 || f.length <= 0 {
		return errors.New("--one-in must be 1 or more, --day 0 or more, --for more than 0")
	}
	say := demo.NewNarrator(out, false)
	day, err := soak.ReadDay(f.trace, f.day, f.oneIn)
	if err != nil {
		return err
	}
	programs, err := programsNamed(programNames, func(*cluster.Cluster) []string {
		// Machines boot no faster in a compressed day, and are paid meanwhile: what a move costs has to come back in it
		// all the same.
		return []string{"--consolidation-payback=" + (f.length / paybacksInADay).String()}
	})
	if err != nil {
		return err
	}
	c, err := cluster.Start(ctx, cluster.Options{Keep: f.keep, Programs: programs, Report: func(e cluster.Event) {
		if e.Kind == cluster.Died {
			say.Failed("%s", e)
		}
	}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	if f.keep {
		say.Say("logs are in %s", c.Dir())
	}
	user, err := soakClient(ctx, c)
	if err != nil {
		return err
	}
	say.Chapter(fmt.Sprintf("Day %d of %s in %s", f.day, f.trace, f.length))
	report, err := soak.Run(ctx, soak.Setting{
		Client: user, Metrics: "http://" + addressOf(c, metricsOfDovetail) + "/metrics", For: f.length, Say: say.Say,
		Machines: func(ctx context.Context) ([]control.Instance, error) {
			status, err := control.New(awsEndpoint(c)).Status(ctx)
			return status.Instances, err
		},
	}, day)
	if report != nil {
		say.Table([]string{"MEASURED", ""}, report.Rows())
	}
	return err
}

// soakClient makes a client, and the pool and its class: c, m and r types on demand, consolidated as they come.
func soakClient(ctx context.Context, c *cluster.Cluster) (client.Client, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return nil, fmt.Errorf("reading the cluster's kubeconfig: %w", err)
	}
	config.QPS, config.Burst = 200, 400
	scheme := runtime.NewScheme()
	if err := errors.Join(
		clientgoscheme.AddToScheme(scheme),
		karpenterv1.AddToScheme(scheme),
		awsv1.AddToScheme(scheme),
	); err != nil {
		return nil, fmt.Errorf("building the scheme: %w", err)
	}
	user, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	object, class := agreement.AWSPool(clusterName)
	pool, ok := object.(*karpenterv1.NodePool)
	if !ok {
		return nil, fmt.Errorf("the pool is a %T", object)
	}
	pool.Spec.Disruption.ConsolidateAfter = karpenterv1.After(10 * time.Second)
	pool.Spec.Disruption.ConsolidationPolicy = karpenterv1.ConsolidationPolicyWhenEmptyOrUnderutilized
	pool.Spec.Disruption.Budgets = []karpenterv1.Budget{{Nodes: fmt.Sprintf("%d%%", soak.BudgetPercent)}}
	for _, o := range []client.Object{class, pool} {
		if err := user.Create(ctx, o); err != nil {
			return nil, fmt.Errorf("creating %s: %w", o.GetName(), err)
		}
	}
	return user, nil
}
