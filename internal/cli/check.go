package cli

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"

	"github.com/dovetail-sh/dovetail/internal/checkup"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// checkFlags are those of check.
type checkFlags struct {
	planFlags
	pre  bool
	wait time.Duration
}

func newCheck() *cobra.Command {
	var f checkFlags
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Look for what keeps nodes from being bought, used well or given up, and say how to mend it",
		Long: `Look for what keeps nodes from being bought, used well or given up, and say how to mend it.

The cluster is that of KUBECONFIG, or files given with -f; it is only read. Each finding has a stable code with a page in
docs/checks, and the command that mends it. --pre makes the checks that matter before Dovetail is installed.`,
		Example: `  dovetail check --pre
  dovetail check --exit-code -o short
  dovetail check -f cluster.json`,
		Args: noNames("check"),
		RunE: func(cmd *cobra.Command, _ []string) error { return runCheck(cmd, &f) },
	}
	f.watch(cmd, "table", "short", "json")
	cmd.Flags().Lookup("output").Usage = "table, short (nothing where all is well) or json"
	cmd.Flags().BoolVar(&f.pre, "pre", false, "only what matters before Dovetail is installed")
	cmd.Flags().DurationVar(&f.wait, "wait", 0, "look again until there are no errors, at most so `long`")
	cmd.Flags().BoolVar(&f.exitCode, "exit-code", false, "exit with 3 if anything is found")
	return cmd
}

// checkAgain is how long to wait between two looks.
const checkAgain = 5 * time.Second

func runCheck(cmd *cobra.Command, f *checkFlags) error {
	if err := f.check(cmd.Flags()); err != nil {
		return err
	}
	if f.pre && f.offline() {
		return usage("--pre is about the cluster of KUBECONFIG; leave -f out")
	}
	end := time.Now().Add(f.wait)
	for {
		c, err := f.look(cmd)
		if err != nil {
			return err
		}
		if c.Errors() == 0 || !time.Now().Before(end) {
			return f.tell(cmd, c)
		}
		select {
		case <-cmd.Context().Done():
			return cmd.Context().Err()
		case <-time.After(checkAgain):
		}
	}
}

func (f *checkFlags) tell(cmd *cobra.Command, c *view.Checkup) error {
	text := func(w io.Writer) error { return c.Text(w, f.output == "short") }
	if err := write(cmd.OutOrStdout(), f.output, c, text); err != nil {
		return err
	}
	return f.found(len(c.Findings) > 0)
}

// look makes all checks once.
func (f *checkFlags) look(cmd *cobra.Command) (*view.Checkup, error) {
	in := checkup.Input{Before: f.pre}
	if f.offline() {
		standing, err := f.standing(cmd)
		if err != nil {
			return nil, err
		}
		in.Input = standing.Input
		return checkup.Run(in)
	}
	from, kube, err := f.cluster.connect()
	if err != nil {
		return nil, err
	}
	ctx, stop := f.cluster.within(cmd.Context())
	defer stop()
	var missing []string
	if in.Server, missing, err = checkup.Ask(ctx, from, clockOf(ctx, kube)); err != nil {
		return nil, f.cluster.unanswered(kube, err)
	}
	set := &manifest.Set{}
	if !f.pre {
		standing, err := f.standing(cmd)
		if err != nil {
			return nil, err
		}
		set, missing = standing.Set, append(missing, standing.Missing...)
	}
	if in.Input, err = f.input(set, time.Now()); err != nil {
		return nil, err
	}
	in.Missing = missing
	return checkup.Run(in)
}

// clockOf is what time a server has, to the second; zero if it does not say.
func clockOf(ctx context.Context, kube *rest.Config) time.Time {
	web, err := rest.HTTPClientFor(kube)
	if err != nil {
		return time.Time{}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, kube.Host+"/version", http.NoBody)
	if err != nil {
		return time.Time{}
	}
	response, err := web.Do(request)
	if err != nil {
		return time.Time{}
	}
	defer response.Body.Close()
	at, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return at
}
