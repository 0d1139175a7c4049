package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/dovetail-sh/dovetail/internal/trace"
	"github.com/dovetail-sh/dovetail/playground/agreement"
	"github.com/dovetail-sh/dovetail/playground/cluster"
	"github.com/dovetail-sh/dovetail/playground/demo"
	"github.com/dovetail-sh/dovetail/playground/lifeline"
)

// agreementFlags choose what is deployed, and on what.
type agreementFlags struct {
	aws       bool
	pods      int
	trace     string
	at        float64
	cpu       float64
	placement []string
	patience  time.Duration
	keep      bool
	dovetails []string // further flags for dovetail
}

func newAgreement() *cobra.Command {
	var f agreementFlags
	cmd := &cobra.Command{
		Use:   "agreement",
		Short: "Measure whether pods come to be where Dovetail planned them, however that is brought about",
		Example: "  playground agreement                             # 3,000 pods of four Deployments on kwok\n" +
			"  playground agreement --aws --trace day.csv.gz --at 600000 --cpu-multiplier 2 --pods 500",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
			defer stop()
			if err := lifeline.Watch(stop); err != nil {
				return err
			}
			return compareAgreement(ctx, cmd.OutOrStdout(), f)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(
		&f.aws,
		"aws",
		false,
		"buy c, m and r types on demand from the simulated AWS (default the kwok cloud's types)",
	)
	flags.IntVar(&f.pods, "pods", 3000, "how many pods")
	flags.StringVar(&f.trace, "trace", "", "CSV trace to take the pods from (default four Deployments)")
	flags.Float64Var(&f.at, "at", 0, "second of the trace")
	flags.Float64Var(&f.cpu, "cpu-multiplier", 1, "what a core of the trace is in cores of the cluster")
	flags.StringSliceVar(
		&f.placement,
		"placement",
		[]string{"bind", "nominate", "off"},
		"values of Dovetail's --placement to compare",
	)
	flags.DurationVar(&f.patience, "patience", 10*time.Minute, "how long all pods may take to run")
	flags.BoolVar(&f.keep, "keep", false, "leave the clusters' directories with their logs in place")
	flags.StringArrayVar(&f.dovetails, "dovetail", nil, "a further flag for dovetail; may be repeated")
	return cmd
}

// compareAgreement runs the same workload once for each setting, each on a cluster of its own.
func compareAgreement(ctx context.Context, out io.Writer, f agreementFlags) error {
	workload, err := f.workload()
	if err != nil {
		return err
	}
	say := demo.NewNarrator(out, false)
	say.Chapter("Agreement with kube-scheduler: " + workload.Name)
	var rows [][]string
	for _, placement := range f.placement {
		say.Step("placement: %s", placement)
		result, err := f.measure(ctx, say, workload, placement)
		if err != nil {
			return err
		}
		rows = append(rows, agreementRow(placement, result))
	}
	say.Say("")
	say.Table(
		[]string{
			"PLACEMENT",
			"PODS",
			"AS PLANNED",
			"REFUSED",
			"PLANNED $/H",
			"BOUND",
			"BOUGHT",
			"RUNNING",
			"RUNNING/PLANNED",
			"NODES",
			"PLANS",
			"ALL RUN AFTER",
			"CPU",
			"MEMORY",
		},
		rows,
	)
	return nil
}

func (f agreementFlags) workload() (agreement.Workload, error) {
	if f.trace == "" {
		return agreement.Four(f.pods), nil
	}
	pods, err := trace.Read(f.trace, trace.Options{At: f.at, Pods: f.pods, CPUMultiplier: f.cpu})
	if err != nil {
		return agreement.Workload{}, err
	}
	return agreement.OfPods(fmt.Sprintf("%s at second %g", filepath.Base(f.trace), f.at), pods), nil
}

func (f agreementFlags) measure(
	ctx context.Context,
	say *demo.Narrator,
	workload agreement.Workload,
	placement string,
) (result agreement.Result, err error) {
	pool, class := agreement.KwokPool()
	names := []string{withDovetail}
	if f.aws {
		pool, class = agreement.AWSPool(clusterName)
		names = programNames
	}
	setting := agreement.Setting{Pool: pool, Class: class, Patience: f.patience, Say: say.Say}
	err = stage(
		ctx,
		setting,
		names,
		append([]string{"--placement=" + placement}, f.dovetails...),
		f.keep,
		func(s agreement.Setting) error {
			result, err = agreement.Run(ctx, s, workload)
			return err
		},
	)
	return result, err
}

// stage runs a play on a cluster of its own: with these programs, these further flags for dovetail, and the setting
// completed.
func stage(
	ctx context.Context,
	setting agreement.Setting,
	names, dovetails []string,
	keep bool,
	play func(agreement.Setting) error,
) (err error) {
	logf.SetLogger(logr.Discard()) // the watching client would warn that nobody hears it
	programs, err := programsNamed(names, func(c *cluster.Cluster) []string {
		setting.Journal = filepath.Join(c.Dir(), "journal")
		return append([]string{"--journal-dir=" + setting.Journal}, dovetails...)
	})
	if err != nil {
		return err
	}
	c, err := cluster.Start(ctx, cluster.Options{Keep: keep, Programs: programs, Report: func(e cluster.Event) {
		if e.Kind == cluster.Died {
			setting.Say("%s", e)
		}
	}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	if keep {
		setting.Say("logs are in %s", c.Dir())
	}
	setting.Config, err = clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return fmt.Errorf("reading the cluster's kubeconfig: %w", err)
	}
	setting.Config.QPS, setting.Config.Burst = 200, 400
	setting.Metrics = "http://" + addressOf(c, metricsOfDovetail) + "/metrics"
	return play(setting)
}

func agreementRow(placement string, r agreement.Result) []string {
	share := 100.0
	if all := r.AsPlanned + r.Elsewhere; all > 0 {
		share = 100 * float64(r.AsPlanned) / float64(all)
	}
	return []string{
		placement,
		fmt.Sprint(r.Pods),
		fmt.Sprintf("%.1f %%", share),
		fmt.Sprint(r.Refused),
		fmt.Sprintf(
			"%.4f",
			r.Planned,
		),
		fmt.Sprintf("%.4f", r.Bound),
		fmt.Sprintf("%.4f", r.Bought),
		fmt.Sprintf("%.4f", r.Running),
		fmt.Sprintf("%.3f", r.Running/r.Planned),
		fmt.Sprint(r.Nodes),
		fmt.Sprint(r.Plans),
		fmt.Sprintf(
			"%.1f s",
			r.Took.Seconds(),
		),
		fmt.Sprintf("%.1f s", r.CPU.Seconds()),
		fmt.Sprintf("%d MiB", r.Memory>>20),
	}
}
