package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	"github.com/dovetail-sh/dovetail/internal/feed"
	"github.com/dovetail-sh/dovetail/internal/history"
	"github.com/dovetail-sh/dovetail/internal/view"
	"github.com/dovetail-sh/dovetail/internal/web"
	"github.com/dovetail-sh/dovetail/internal/whatif"
)

// webFlags are those of web.
type webFlags struct {
	planFlags
	address, journal string
}

func newWeb() *cobra.Command {
	var f webFlags
	cmd := &cobra.Command{
		Use:   "web",
		Short: "Serve the fleet as a web page on this machine",
		Long: `Serve the fleet as a web page on this machine: what it costs against the bound, what was decided and why,
what waits, and why each node is still there.

The cluster of KUBECONFIG is read as far as you may read it, and never changed. Only this machine can open the page. The
controller serves the same page with its own prices, decisions and loops: see --web-address of 'dovetail controller'.`,
		Example: `  dovetail web
  dovetail web -f cluster.json --address 127.0.0.1:9000`,
		Args: noNames("web"),
		RunE: func(cmd *cobra.Command, _ []string) error { return runWeb(cmd, &f) },
	}
	f.watch(cmd, "json")
	cmd.Flags().Lookup("output").Hidden = true
	cmd.Flags().
		StringVar(&f.address, "address", "127.0.0.1:8082", "`address` to serve on, one of this machine's own "+
			"(127.0.0.1, ::1); port 0 takes a free one")
	cmd.Flags().
		StringVar(&f.journal, "journal", "", "begin with the history in this `directory` (the controller's "+
			"--journal-dir)")
	return cmd
}

func runWeb(cmd *cobra.Command, f *webFlags) error {
	if err := f.check(cmd.Flags()); err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(f.address)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return usage(
			"--address %s is not one of this machine's own; want 127.0.0.1:PORT, since nobody is asked who they are",
			f.address,
		)
	}
	ctx, stop := context.WithCancel(cmd.Context())
	defer stop()
	from, input, err := f.follow(ctx, cmd)
	if err != nil {
		return err
	}
	keeper, err := history.New(history.Deps{Clock: clock.RealClock{}})
	if err != nil {
		return err
	}
	if f.journal != "" {
		lives, err := history.Read(f.journal)
		if err != nil {
			return err
		}
		keeper.Recall(lives)
	}
	pager := &feed.Pager{
		Hub: web.NewHub(strconv.FormatInt(time.Now().UnixNano(), 36)),
		Lives: func(f feed.Frame) []view.Life {
			keeper.Observe(f.Input.Set.NodeClaims)
			return keeper.Lives()
		},
		Ask: Explained,
	}
	looking := feed.Feed{
		Origin: from, Input: input, Rest: time.Second / 2,
		Frame:   func(f feed.Frame) { _ = pager.Frame(f) }, // read models can be written
		Trouble: func(text string) { _ = pager.Trouble(text) },
	}
	go looking.Run(ctx)
	return f.serve(ctx, cmd, pager.Hub)
}

// Explained answers what somebody asks of a page: what is known, and the smallest change that would help.
func Explained(f feed.Frame, kind, name string) string {
	if f.Thoughts == nil {
		return "nobody has planned yet; try again in a moment"
	}
	if kind == "pod" {
		return f.Thoughts.Explain(name) + whatif.PodText(f.Thoughts.Plan(), f.Input.Policy, name)
	}
	return f.Thoughts.ExplainNode(name) + whatif.NodeText(f.Input, name)
}

// serve serves a page until the context ends.
func (f *webFlags) serve(ctx context.Context, cmd *cobra.Command, hub *web.Hub) error {
	h, err := web.Handler(hub, nil)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", f.address)
	if err != nil {
		return fmt.Errorf("serving the page: %w; choose another port with --address", err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "http://%s/\n", listener.Addr())
	fmt.Fprintln(cmd.ErrOrStderr(), "serving until Ctrl-C")
	server := &http.Server{Handler: web.Local(h), ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the page: %w", err)
	}
	return nil
}
