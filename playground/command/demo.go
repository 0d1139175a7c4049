package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/dovetail-sh/dovetail/playground/cluster"
	"github.com/dovetail-sh/dovetail/playground/demo"
	"github.com/dovetail-sh/dovetail/playground/lifeline"
)

// tutorialKubernetes is the version whose images the tutorial asks for; AL2 ends with 1.32.
const tutorialKubernetes = "1.31"

// batchIdle is Dovetail's batch window, its default.
const batchIdle = time.Second

func newDemo() *cobra.Command {
	var keep bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Play two tutorials on a cluster with a simulated AWS, and tell what happens",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), cmd.OutOrStdout(), keep)
		},
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "leave the cluster's directory with its logs in place")
	return cmd
}

func runDemo(ctx context.Context, out io.Writer, keep bool) (err error) {
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := lifeline.Watch(stop); err != nil {
		return err
	}
	file, isFile := out.(*os.File)
	say := demo.NewNarrator(out, isFile && term.IsTerminal(int(file.Fd())))

	say.Chapter("A cluster on loopback")
	say.Say("starting etcd, kube-apiserver, kube-scheduler, kube-controller-manager, kwok, a simulated AWS and Dovetail")
	programs, err := programsNamed(programNames)
	if err != nil {
		return err
	}
	began := time.Now()
	c, err := cluster.Start(ctx, cluster.Options{
		Keep: keep, Programs: programs,
		Report: func(e cluster.Event) {
			if e.Kind == cluster.Died {
				say.Failed("%s", e)
			}
		},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	say.Came("control plane ready after %.1f s, everything after %.1f s", c.ControlPlaneAfter().Seconds(), time.Since(began).Seconds())

	setting, err := demoSetting(ctx, c)
	if err != nil {
		return err
	}
	if err := demo.Run(ctx, setting, say); err != nil {
		return fmt.Errorf("the demo did not come true: %w; run `playground demo --keep` and look at %s", err, c.Dir())
	}
	return nil
}

// demoSetting fills in the tutorials' shell variables, the AMI IDs as they do: from the parameter store.
func demoSetting(ctx context.Context, c *cluster.Cluster) (demo.Setting, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return demo.Setting{}, fmt.Errorf("reading the cluster's kubeconfig: %w", err)
	}
	variables := map[string]string{"CLUSTER_NAME": clusterName}
	for variable, image := range map[string]string{"ARM_AMI_ID": "amazon-linux-2-arm64", "AMD_AMI_ID": "amazon-linux-2"} {
		name := fmt.Sprintf("/aws/service/eks/optimized-ami/%s/%s/recommended/image_id", tutorialKubernetes, image)
		if variables[variable], err = parameter(ctx, awsEndpoint(c), name); err != nil {
			return demo.Setting{}, err
		}
	}
	return demo.Setting{
		Config: config, Variables: variables, BatchIdle: batchIdle, ControlPlane: c.ControlPlaneAfter(),
		Prices: func(ctx context.Context) (map[string]float64, error) { return prices(ctx, awsEndpoint(c)) },
	}, nil
}

// prices are dollars an hour by provider ID.
func prices(ctx context.Context, aws string) (map[string]float64, error) {
	all, err := machines(ctx, aws)
	if err != nil {
		return nil, err
	}
	out := make(map[string]float64, len(all))
	for _, m := range all {
		out[fmt.Sprintf("aws:///%s/%s", m.Zone, m.ID)] = float64(m.Price) / 1e6
	}
	return out, nil
}
