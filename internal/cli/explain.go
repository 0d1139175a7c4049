package cli

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/internal/capture"
	"github.com/dovetail-sh/dovetail/internal/journal"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/roster"
	"github.com/dovetail-sh/dovetail/internal/simulate"
	"github.com/dovetail-sh/dovetail/internal/view"
	"github.com/dovetail-sh/dovetail/internal/whatif"
)

func newExplain() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain",
		Short: "Say why a pod has no node, why a node is still here, or what a pool may buy and give up, and what would help",
		Long: `Say why a pod has no node, why a node is still here, or what a pool may buy and give up, and the
smallest change that would place the pod or free the node. What is offered is proven: a plan with it was made.

Without -f or --trace the cluster of KUBECONFIG is read, once and without changing it: what objects
say of launches that fail and nodes that go is told as they say it. What would be bought is planned
here, with the built-in catalogue's prices. --controller asks the controller that runs besides, which
knows what the cloud has none of, what things cost now, and what comes next. With --record it is a
plan that the controller has made.`,
	}
	cmd.AddCommand(newExplainPod(), newExplainNode("node"), newExplainNode("claim"), newExplainPool())
	return cmd
}

// question is what explain is asked.
type question struct {
	planFlags
	ask  controllerFlags
	what string // pod or node
	name string

	policy engine.Policy
	input  roster.Input // without a Set for plans of the past

	ofPlan func(*simulate.Result) (answered, error)               // of files and records
	ofSeen func(*roster.Seen, *simulate.Result) (answered, error) // of a live cluster
}

// answered is an answer that a controller may add to.
type answered interface {
	Text(w io.Writer) error
	Add(k *view.Known, note string)
}

func newExplainPod() *cobra.Command {
	f := question{what: "pod"}
	var namespace string
	cmd := &cobra.Command{
		Use:   "pod [NAMESPACE/]NAME",
		Short: "Say where a pod goes, or what every node and offering has against it",
		Args:  oneName("pod"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("namespace") && !f.offline() && f.record == "" {
				namespace = cmp.Or(f.cluster.namespace(), namespace) // as kubectl would
			}
			if f.name = args[0]; !strings.Contains(f.name, "/") {
				f.name = namespace + "/" + f.name
			}
			f.ofPlan = func(r *simulate.Result) (answered, error) {
				a, err := r.ExplainPod(f.name)
				return &a, err
			}
			f.ofSeen = func(s *roster.Seen, r *simulate.Result) (answered, error) {
				a, err := s.Pod(r, f.name)
				return &a, err
			}
			return runExplain(cmd, &f)
		},
	}
	f.watch(cmd, "text", "json")
	f.addRecord(cmd.Flags())
	f.ask.add(cmd)
	cmd.Flags().StringVarP(&namespace, "namespace", "n", corev1.NamespaceDefault,
		"`namespace` of the pod; of a cluster's, unless this is given, the one that kubectl would use")
	cmd.ValidArgsFunction = f.cluster.pods(&namespace).first
	complete(cmd, "namespace", f.cluster.namespaces)
	return cmd
}

// help adds the smallest change that would help.
func (f *question) help(a answered, r *simulate.Result) (_ answered, err error) {
	switch a := a.(type) {
	case *view.Pod:
		a.Remedy = whatif.ForPod(r, f.policy, a.Pod)
	case *view.NodeAnswer:
		if a.New == nil && f.input.Set != nil {
			a.Stays, a.Remedy, err = whatif.ForNode(f.input, a.Node)
		}
	}
	return a, err
}

func newExplainNode(called string) *cobra.Command {
	f := question{what: "node"}
	cmd := &cobra.Command{
		Use:   called + " NAME",
		Short: "Say what is on a node, why it is still here, and what would free it; n1, n2 … would be bought",
		Args:  oneName(called),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.name = args[0]
			f.ofPlan = func(r *simulate.Result) (answered, error) {
				a, err := r.ExplainNode(f.name)
				return &a, err
			}
			f.ofSeen = func(s *roster.Seen, r *simulate.Result) (answered, error) {
				a, err := s.Node(r, f.name)
				return &a, err
			}
			return runExplain(cmd, &f)
		},
	}
	f.watch(cmd, "text", "json")
	f.addRecord(cmd.Flags())
	f.ask.add(cmd)
	cmd.ValidArgsFunction = candidates(f.cluster.nodes).first
	return cmd
}

func oneName(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usage("explain %s takes the name of one %s, not %d names", what, what, len(args))
		}
		return nil
	}
}

func runExplain(cmd *cobra.Command, f *question) error {
	if err := f.check(cmd.Flags()); err != nil {
		return err
	}
	var a answered
	var err error
	if f.offline() || f.record != "" {
		a, err = f.still(cmd)
		err = asUsage(err)
	} else {
		a, err = f.live(cmd)
	}
	if err != nil {
		return err
	}
	return write(cmd.OutOrStdout(), f.output, a, a.Text)
}

// still asks files, or a plan of the journal.
func (f *question) still(cmd *cobra.Command) (answered, error) {
	switch {
	case f.ask.address != "":
		return nil, usage("--controller is about a cluster that runs: it goes with none of -f, --trace and --record")
	case f.record != "" && f.offline():
		return nil, usage("--record is a whole plan: it goes with neither -f nor --trace")
	case f.record != "":
		return f.past()
	}
	var set *manifest.Set
	result, _, err := plan(cmd, &f.planFlags, func(stdin io.Reader) (_ *manifest.Set, err error) {
		set, err = f.read(stdin)
		return set, err
	})
	if err != nil {
		return nil, err
	}
	if f.input.Input, err = f.planFlags.input(set, time.Now()); err != nil {
		return nil, err
	}
	f.policy = f.input.Policy
	a, err := f.ofPlan(result)
	if err != nil {
		return nil, err
	}
	return f.help(a, result)
}

// past asks a plan of the journal, or of a node a search for moves.
func (f *question) past() (answered, error) {
	if f.what == "node" && journal.KindOf(f.record) == journal.Moves {
		search, err := readSearch(f.record)
		if err != nil {
			return nil, err
		}
		return whatif.OfSearch(search, f.name)
	}
	record, err := readRecord(f.record)
	if err != nil {
		return nil, err
	}
	f.policy = record.Policy
	result := &simulate.Result{Snapshot: record.Snapshot, Decision: record.Decision}
	a, err := f.ofPlan(result)
	if err != nil {
		return nil, err
	}
	return f.help(a, result)
}

// live asks the cluster that kubectl would speak to: its objects, and the controller if it is named.
func (f *question) live(cmd *cobra.Command) (answered, error) {
	from, kube, err := f.cluster.connect()
	if err != nil {
		return nil, err
	}
	progress := newProgress(cmd.ErrOrStderr())
	defer progress.end()
	progress.say("reading " + kube.Host)
	ctx, stop := f.cluster.within(cmd.Context())
	set, err := capture.Read(ctx, from)
	stop()
	if err != nil {
		return nil, f.cluster.unanswered(kube, err)
	}
	var in roster.Input
	if in.Input, err = f.planFlags.input(set, time.Now()); err != nil {
		return nil, err
	}
	progress.say(fmt.Sprintf("planning %d pods", len(set.Pods)))
	seen, err := roster.Look(in)
	if err != nil {
		return nil, err
	}
	result, err := seen.Plan()
	if err != nil {
		return nil, err
	}
	a, err := f.ofSeen(seen, result)
	if err != nil {
		return nil, err
	}
	f.input, f.policy = in, in.Policy
	if a, err = f.help(a, result); err != nil {
		return nil, err
	}
	if f.ask.address == "" {
		a.Add(nil, notAsked(set))
		return a, nil
	}
	ctx, stop = f.cluster.within(cmd.Context()) // planning has taken as long as it took
	defer stop()
	known, note, err := f.ask.known(ctx, kube, f.what, f.name)
	if err != nil {
		return nil, err
	}
	a.Add(known, note)
	return a, nil
}
