package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/internal/daemon"
	"github.com/dovetail-sh/dovetail/internal/lookout"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// cluster is which cluster a command looks at, and how long it waits for it.
type cluster struct {
	kubeconfig string
	context    string
	timeout    time.Duration
	readOnly   bool // what is more than reading is refused here
}

// patience with a server that does not answer, unless a user has more or less of it.
const serverTimeout = time.Minute

func (c *cluster) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&c.kubeconfig, "kubeconfig", "", "the kubeconfig `file` (default as kubectl finds it)")
	flags.StringVar(&c.context, "context", "", "the `context` of the kubeconfig (default its current one)")
	flags.DurationVar(&c.timeout, "timeout", serverTimeout,
		"how `long` reading the cluster may take; 0 for as long as it takes")
	complete(cmd, "context", func(*cobra.Command, []string, string) []string { return c.contexts() })
}

// loader reads kubeconfigs as kubectl does.
func (c *cluster) loader() clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.kubeconfig
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules,
		&clientcmd.ConfigOverrides{CurrentContext: c.context})
}

// A command asks the API server no more often than this: it lists a dozen kinds at once, as often as kubectl does by
// itself, and leaves the server to those who run the cluster.
const (
	callsPerSecond = 50
	callsAtOnce    = 100
)

// reach is how the cluster is spoken to. Nothing is contacted yet, so that whatever is wrong is so in what was given.
func (c *cluster) reach() (*rest.Config, error) {
	if c.timeout < 0 {
		return nil, usage("--timeout is %s; want 0 or more", c.timeout)
	}
	for _, file := range c.files() {
		if _, err := os.Stat(file); err != nil {
			return nil, usage("reading the kubeconfig: %w; name another with --kubeconfig or KUBECONFIG", err)
		}
	}
	kube, err := c.loader().ClientConfig()
	if clientcmd.IsEmptyConfig(err) && c.blank() {
		if kube, err = rest.InClusterConfig(); err != nil {
			return nil, usage(
				"no cluster to look at: name a kubeconfig with --kubeconfig or KUBECONFIG, or give files with -f")
		}
	}
	if err != nil {
		return nil, c.unusable(err)
	}
	if _, _, err := rest.DefaultServerUrlFor(kube); err != nil {
		return nil, usage("the kubeconfig's server %q is no address: %w", kube.Host, err)
	}
	kube.Timeout, kube.QPS, kube.Burst = c.timeout, callsPerSecond, callsAtOnce
	if c.readOnly {
		kube = lookout.ReadOnly(kube)
	}
	return kube, nil
}

// blank reports whether there is no kubeconfig, or nothing in it.
func (c *cluster) blank() bool {
	raw, err := c.loader().RawConfig()
	return err == nil && c.context == "" && len(raw.Contexts)+len(raw.Clusters) == 0
}

// unusable is what is wrong with a kubeconfig, and how another is chosen.
func (c *cluster) unusable(err error) error {
	raw, unread := c.loader().RawConfig()
	if unread != nil {
		return usage("the kubeconfig cannot be read: %s; name another with --kubeconfig or KUBECONFIG", oneLine(unread))
	}
	chosen := cmp.Or(c.context, raw.CurrentContext)
	known := c.contexts()
	at := raw.Contexts[chosen]
	switch {
	case chosen == "" && len(known) > 0:
		return usage("the kubeconfig has no current context; choose one with --context: there are %q", known)
	case at == nil && len(known) == 0:
		return usage("there is no context %q in the kubeconfig, which has none at all", chosen)
	case at == nil:
		if near := view.Alike(chosen, known); len(near) > 0 {
			return usage("there is no context %q in the kubeconfig; did you mean %q?", chosen, near[0])
		}
		return usage("there is no context %q in the kubeconfig; there are %q", chosen, known)
	case raw.Clusters[at.Cluster] == nil:
		return usage("context %q of the kubeconfig is of cluster %q, which is not in it", chosen, at.Cluster)
	}
	return usage("the kubeconfig cannot be used: %s; name another with --kubeconfig or KUBECONFIG", oneLine(err))
}

// oneLine is the first paragraph of an error in one line: libraries go on with advice.
func oneLine(err error) string {
	text, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n\n")
	return strings.Join(strings.Fields(text), " ")
}

// files are those that were named, and must be there: kubectl's own may be missing.
func (c *cluster) files() []string {
	switch {
	case c.kubeconfig != "":
		return []string{c.kubeconfig}
	case os.Getenv(clientcmd.RecommendedConfigPathEnvVar) == "":
		return nil
	}
	// Of several that KUBECONFIG lists some may be missing.
	list := clientcmd.NewDefaultClientConfigLoadingRules().Precedence
	if len(list) > 1 {
		return nil
	}
	return list
}

// contexts are those of the kubeconfig, ascending.
func (c *cluster) contexts() []string {
	raw, err := c.loader().RawConfig()
	if err != nil {
		return nil
	}
	var out []string
	for name := range raw.Contexts {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// namespace is the one that kubectl would use.
func (c *cluster) namespace() string {
	namespace, _, err := c.loader().Namespace()
	if err != nil {
		return ""
	}
	return namespace
}

// connect is a client of the cluster, and its address.
func (c *cluster) connect() (client.Client, *rest.Config, error) {
	kube, err := c.reach()
	if err != nil {
		return nil, nil, err
	}
	// The client asks at once which kinds there are: a mistake in the kubeconfig and a server that is away look alike.
	from, err := client.New(kube, client.Options{Scheme: daemon.Scheme()})
	if err != nil {
		return nil, nil, c.unanswered(kube, err)
	}
	return from, kube, nil
}

// within bounds what reads the cluster.
func (c *cluster) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, c.timeout)
}

// unanswered has an error of reading say which server it was, and how long it had.
func (c *cluster) unanswered(kube *rest.Config, err error) error {
	var late interface{ Timeout() bool }
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &late) && late.Timeout():
		return fmt.Errorf("%s gives no answer within %s; is it up, and reachable from here? --timeout allows more",
			kube.Host, c.timeout)
	case refused(err):
		return fmt.Errorf("nothing answers at %s; is the cluster up? --context and --kubeconfig choose another: %w",
			kube.Host, err)
	}
	return told{err}
}

// told is an error in one line.
type told struct{ error }

// Error is its first paragraph.
func (t told) Error() string { return oneLine(t.error) }

// Unwrap is the error as it was.
func (t told) Unwrap() error { return t.error }
