package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/dovetail-sh/dovetail/playground/cluster"
	"github.com/dovetail-sh/dovetail/playground/demo"
	"github.com/dovetail-sh/dovetail/playground/lifeline"
	"github.com/dovetail-sh/dovetail/playground/scenarios"
)

type worldFlags struct {
	clusters   int
	keep, list bool
	quick      bool
}

func newWorld() *cobra.Command {
	var f worldFlags
	cmd := &cobra.Command{
		Use:   "world [story …]",
		Short: "Play what people really run, story by story, and check pods, purchases and price at the end of each",
		Long: "Plays stories on whole clusters with a simulated AWS. The words of their scripts:\n\n" +
			scenarios.Reference(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runWorld(cmd.Context(), cmd.OutOrStdout(), f, args)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&f.clusters, "clusters", 2, "on how many clusters stories are played at the same time")
	flags.BoolVar(&f.keep, "keep", false, "leave the clusters' directories with their logs in place")
	flags.BoolVar(&f.list, "list", false, "list the stories and play none")
	flags.BoolVar(&f.quick, "quick", false, "play the quick ones")
	return cmd
}

func runWorld(ctx context.Context, out io.Writer, f worldFlags, names []string) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := lifeline.Watch(stop); err != nil {
		return err
	}
	all, err := scenarios.Stories()
	if err != nil {
		return err
	}
	chosen, err := scenarios.Named(all, names...)
	if err != nil {
		return err
	}
	if f.quick {
		chosen = quickOf(chosen)
	}
	say := demo.NewNarrator(out, false)
	if f.list {
		say.Table([]string{"STORY", "TITLE"}, listed(chosen))
		return nil
	}
	if f.clusters < 1 {
		return errors.New("--clusters must be 1 or more")
	}
	if err := simulatedCredentials(); err != nil {
		return err
	}
	ctrllog.SetLogger(logr.Discard()) // the cache's own words; what matters is in the outcomes
	return playWorld(ctx, say, chosen, f)
}

func quickOf(all []scenarios.Story) []scenarios.Story {
	var out []scenarios.Story
	for _, s := range all {
		if s.Quick {
			out = append(out, s)
		}
	}
	return out
}

func listed(all []scenarios.Story) [][]string {
	var rows [][]string
	for _, s := range all {
		rows = append(rows, []string{s.Name, s.Title})
	}
	return rows
}

// playWorld shares the stories out over clusters and prints a table of what they came to. The error counts those that
// did not come true.
func playWorld(ctx context.Context, say *demo.Narrator, stories []scenarios.Story, f worldFlags) error {
	queue := make(chan scenarios.Story, len(stories))
	for _, s := range stories {
		queue <- s
	}
	close(queue)
	var mu sync.Mutex // guards rows, failed and the narrator
	var rows [][]string
	failed := 0
	tell := func(o scenarios.Outcome, log string) {
		mu.Lock()
		defer mu.Unlock()
		rows = append(rows, worldRow(o))
		if o.Err == nil {
			say.Came(
				"%s in %.0f s, the last %.0f s of them to become as cheap as it should be",
				o.Story,
				o.Took.Seconds(),
				o.Settled.Seconds(),
			)
			return
		}
		failed++
		say.Failed("%s: %v\n%s", o.Story, o.Err, log)
	}
	var clusters sync.WaitGroup
	errs := make([]error, min(f.clusters, len(stories)))
	for i := range errs {
		clusters.Go(func() { errs[i] = worldCluster(ctx, f.keep, queue, tell) })
	}
	clusters.Wait()
	say.Table([]string{"STORY", "TOOK", "SETTLING", "PODS", "BOUGHT", "IN VAIN", "$/H", "BOUND", "TIMES"}, rows)
	if failed > 0 {
		errs = append(errs, fmt.Errorf("%d of %d stories did not come true", failed, len(stories)))
	}
	return errors.Join(errs...)
}

func worldRow(o scenarios.Outcome) []string {
	times := "–"
	if o.Bound > 0 {
		times = fmt.Sprintf("%.3f", o.Price/o.Bound)
	}
	return []string{
		o.Story,
		fmt.Sprintf("%.0f s", o.Took.Seconds()),
		fmt.Sprintf("%.0f s", o.Settled.Seconds()),
		fmt.Sprint(o.Pods),
		fmt.Sprint(o.Bought),
		fmt.Sprint(o.InVain),
		fmt.Sprintf("$%.4f", o.Price),
		fmt.Sprintf("$%.4f", o.Bound),
		times,
	}
}

// worldCluster plays stories from the queue on a cluster of its own until none is left.
func worldCluster(
	ctx context.Context,
	keep bool,
	queue <-chan scenarios.Story,
	tell func(scenarios.Outcome, string),
) (err error) {
	programs, err := programsNamed(programNames, func(*cluster.Cluster) []string {
		return []string{
			"--feature-gates=NodeOverlay=true,NodeRepair=true,StaticCapacity=true,CapacityBuffer=true,SpotToSpotConsolidation=true",
		}
	})
	if err != nil {
		return err
	}
	c, err := cluster.Start(ctx, cluster.Options{Keep: keep, Programs: programs})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return fmt.Errorf("reading the cluster's kubeconfig: %w", err)
	}
	var log lockedLog
	company, err := scenarios.Open(
		ctx,
		scenarios.Setting{Config: config, AWSEndpoint: awsEndpoint(c), ClusterName: clusterName, Log: &log},
	)
	if err != nil {
		return err
	}
	for story := range queue {
		log.Reset()
		outcome, err := company.Play(ctx, story)
		tell(outcome, log.String())
		if err != nil {
			return fmt.Errorf("cleaning up after story %s: %w (logs: %s)", story.Name, err, c.Dir())
		}
	}
	return denied(c.State())
}

// simulatedCredentials are what the simulated account takes from anybody. The account itself is named by its endpoint.
func simulatedCredentials() error {
	for name, value := range map[string]string{
		"AWS_REGION": region, "AWS_ACCESS_KEY_ID": "playground", "AWS_SECRET_ACCESS_KEY": "playground",
		"AWS_EC2_METADATA_DISABLED": "true",
	} {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
	}
	return nil
}

// lockedLog keeps what scripts and actors say of the present story.
type lockedLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// Reset forgets it.
func (l *lockedLog) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Reset()
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
