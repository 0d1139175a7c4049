package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/internal/shadow"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// shadowFlags are those of shadow.
type shadowFlags struct {
	planFlags
	over, every time.Duration
}

// shadowOutputs are the forms of the report.
var shadowOutputs = []string{"text", "markdown", "html", "json"}

func newShadow() *cobra.Command {
	var f shadowFlags
	cmd := &cobra.Command{
		Use:   "shadow",
		Short: "Watch a cluster that Karpenter runs, and report what Dovetail would do differently",
		Long: `Watch a cluster that Karpenter runs, and report what Dovetail would do differently: money and evictions.

Nothing is changed: every request that is more than reading is refused before it is sent, no lease is taken, and no
cloud is asked. A ClusterRole without a write verb is enough (deploy/shadow.yaml), and what you may not read is named.
Prices are the built-in catalogue's, and the report says so.

It watches for as long as --for says and then prints the report; Ctrl-C ends it earlier, with the report so far. With
-f it reads what was recorded instead: files of 'dovetail record', a controller's journal, or manifests.`,
		Example: `  dovetail shadow --for 1h -o html > shadow.html
  dovetail shadow --for 0
  dovetail shadow -f recordings/ -o markdown`,
		Args:        noNames("shadow"),
		Annotations: map[string]string{stays: "it prints the report so far"},
		RunE:        func(cmd *cobra.Command, _ []string) error { return runShadow(cmd, &f) },
	}
	f.watch(cmd, shadowOutputs...)
	f.cluster.readOnly = true
	flags := cmd.Flags()
	flags.DurationVar(&f.over, "for", time.Hour, "how `long` the cluster is watched; 0 for one look")
	flags.DurationVar(&f.every, "every", time.Minute,
		"how `often` it is planned what Dovetail would do, besides whenever pods wait or NodeClaims come and go")
	flags.IntVar(&f.rounds, "rounds", 3, "how `often` it is looked for moves again, as if those before were made")
	return cmd
}

func runShadow(cmd *cobra.Command, f *shadowFlags) error {
	switch err := f.check(cmd.Flags()); {
	case err != nil:
		return err
	case f.over < 0:
		return usage("--for is %s; want 0 or more", f.over)
	case f.every < time.Second:
		return usage("--every is %s; want 1s or more", f.every)
	case f.rounds < 1:
		return usage("--rounds is %d; want 1 or more", f.rounds)
	case f.trace != "":
		return usage("a trace has no nodes; give recordings with -f")
	case f.offline() && cmd.Flags().Changed("for"):
		return usage("--for is about a running cluster; -f reads what was recorded")
	}
	var report *view.Shadow
	var err error
	if f.offline() {
		report, err = f.recorded(cmd)
	} else {
		report, err = f.running(cmd)
	}
	if err != nil {
		return err
	}
	return printShadow(cmd.OutOrStdout(), report, f.output)
}

func printShadow(out io.Writer, report *view.Shadow, output string) error {
	switch output {
	case "markdown":
		return report.Markdown(out)
	case "html":
		return report.HTML(out)
	}
	return write(out, output, report, func(w io.Writer) error { return report.Text(w, widthOf(out)) })
}

// running watches the cluster. The error is for one that cannot be seen at all.
func (f *shadowFlags) running(cmd *cobra.Command) (*view.Shadow, error) {
	ctx, stop := context.WithCancel(cmd.Context())
	defer stop()
	from, input, err := f.follow(ctx, cmd)
	if err != nil {
		return nil, err
	}
	progress := newProgress(cmd.ErrOrStderr())
	defer progress.end()
	w := &shadow.Watch{
		Origin: from, Input: input, Every: f.every, Rounds: f.rounds,
		Say: func(report *view.Shadow) {
			progress.say(fmt.Sprintf("%s so far; Ctrl-C ends it with the report", report.Brief()))
		},
	}
	report, err := w.Run(ctx, f.over)
	if report == nil && ctx.Err() != nil {
		return nil, errors.Join(err, context.Cause(ctx))
	}
	return report, err
}
