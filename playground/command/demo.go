package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/dovetail-sh/dovetail/awssim/control"
	"github.com/dovetail-sh/dovetail/playground/cluster"
	"github.com/dovetail-sh/dovetail/playground/demo"
	"github.com/dovetail-sh/dovetail/playground/lifeline"
)

// tutorialKubernetes is the version whose images the tutorial asks for; AL2 ends with 1.32.
const tutorialKubernetes = "1.31"

// batchIdle is Dovetail's batch window, its default.
const batchIdle = time.Second

// demoGoal is how long the two stories of the demo should take.
const demoGoal = 3 * time.Minute

func newDemo() *cobra.Command {
	return storyteller(&cobra.Command{
		Use:   "demo",
		Short: "Play two tutorials on a cluster with a simulated AWS, and tell what happens",
		Args:  cobra.NoArgs,
	}, demoGoal, func([]string) []string { return []string{"openfaas", "spot"} })
}

func newE2E() *cobra.Command {
	var all []string
	for _, s := range demo.Stories {
		all = append(all, s.Name)
	}
	return storyteller(&cobra.Command{
		Use:       "e2e [story …]",
		Short:     "Play every tutorial, or the named stories: " + strings.Join(all, ", "),
		ValidArgs: all,
	}, 0, func(named []string) []string {
		if len(named) == 0 {
			return all
		}
		return named
	})
}

// storyteller completes a command that plays stories.
func storyteller(cmd *cobra.Command, goal time.Duration, choose func(args []string) []string) *cobra.Command {
	var keep bool
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return tell(cmd.Context(), cmd.OutOrStdout(), keep, goal, choose(args))
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "leave the cluster's directory with its logs in place")
	return cmd
}

// tell plays stories on a cluster of their own.
func tell(ctx context.Context, out io.Writer, keep bool, goal time.Duration, stories []string) (err error) {
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
	say.Say(
		"starting etcd, kube-apiserver, kube-scheduler, kube-controller-manager, kwok, a simulated AWS and Dovetail",
	)
	programs, err := programsNamed(
		programNames,
		func(*cluster.Cluster) []string {
			return []string{
				"--feature-gates=NodeOverlay=true",
				"--ignore-dra-requests=false", "--aws-feature-gates=DRANVIDIAGPU=true",
			}
		},
	)
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
	say.Came(
		"control plane ready after %.1f s, everything after %.1f s",
		c.ControlPlaneAfter().Seconds(),
		time.Since(began).Seconds(),
	)

	setting, err := demoSetting(ctx, c)
	if err != nil {
		return err
	}
	setting.Goal = goal
	if err := demo.Run(ctx, setting, say, stories...); err != nil {
		return fmt.Errorf(
			"the stories did not come true: %w; play them again with --keep and look at %s",
			err,
			c.Dir(),
		)
	}
	return denied(c.State())
}

// denied is an error if Dovetail's log tells of a call that the roles of its chart do not allow.
func denied(s cluster.State) error {
	for _, part := range s.Parts {
		if part.Name != withDovetail {
			continue
		}
		text, err := os.ReadFile(part.Log)
		if err != nil {
			return fmt.Errorf("reading Dovetail's log: %w", err)
		}
		for line := range strings.Lines(string(text)) {
			// Whether a namespace that is going takes an event has to do with the moment, not with rights.
			if strings.Contains(line, "is forbidden") && !strings.Contains(line, "is being terminated") {
				return fmt.Errorf(
					"the roles of the chart do not allow what Dovetail does: %s",
					strings.TrimSpace(line),
				)
			}
		}
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
	for variable, image := range map[string]string{"ARM_AMI_ID": "amazon-linux-2-arm64",
		"AMD_AMI_ID": "amazon-linux-2"} {
		name := fmt.Sprintf("/aws/service/eks/optimized-ami/%s/%s/recommended/image_id", tutorialKubernetes, image)
		if variables[variable], err = parameter(ctx, awsEndpoint(c), name); err != nil {
			return demo.Setting{}, err
		}
	}
	return demo.Setting{
		Config: config, Variables: variables, BatchIdle: batchIdle, ControlPlane: c.ControlPlaneAfter(),
		Account: control.New(awsEndpoint(c)), Page: c.State().Page,
	}, nil
}
