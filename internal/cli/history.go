package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/history"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// historyFlags are those of history.
type historyFlags struct {
	cluster               cluster
	journal, output, pool string
	since                 time.Duration
}

func newHistory() *cobra.Command {
	var f historyFlags
	cmd := &cobra.Command{
		Use:   "history",
		Short: "List every NodeClaim that was, why it came and why it went",
		Long: `List every NodeClaim that was, why it came and why it went.

With --journal it is what the controller wrote to its journal's volume, which outlives the controller. Without, the cluster
of KUBECONFIG is asked: claims that are there, and the last words of those that are not, which API servers keep for an
hour unless they are told otherwise. The columns of -o csv are those of awslabs' parser of Karpenter's logs.`,
		Example: `  dovetail history
  dovetail history --pool web --since 24h
  kubectl -n kube-system exec deployment/karpenter -- \
    /dovetail history --journal /journal -o csv > claims.csv`,
		Args: noNames("history"),
		RunE: func(cmd *cobra.Command, _ []string) error { return runHistory(cmd, &f) },
	}
	f.cluster.add(cmd)
	cmd.Flags().StringVarP(&f.output, "output", "o", "table", "table, csv or json")
	cmd.Flags().StringVar(&f.journal, "journal", "", "`directory` of the controller's journal (its --journal-dir)")
	cmd.Flags().StringVar(&f.pool, "pool", "", "only claims of this NodePool")
	complete(cmd, "pool", f.cluster.nodePools)
	cmd.Flags().DurationVar(&f.since, "since", 0, "only claims that were there in this time until now; 0 for all")
	return cmd
}

func runHistory(cmd *cobra.Command, f *historyFlags) error {
	if err := oneOf("-o", f.output, []string{"table", "csv", "json"}); err != nil {
		return err
	}
	if f.since < 0 {
		return usage("--since %s is in the future; want a time such as 24h", f.since)
	}
	h := view.History{Header: view.HeaderOf("History"), At: time.Now(), Lives: []view.Life{}}
	var err error
	if f.journal != "" {
		h.Source = f.journal
		h.Lives, err = history.Read(f.journal)
		err = asUsage(err)
	} else {
		err = f.ask(cmd, &h)
	}
	if err != nil {
		return err
	}
	f.pick(&h)
	switch f.output {
	case "csv":
		return h.CSV(cmd.OutOrStdout())
	case "json":
		return writeJSON(cmd.OutOrStdout(), h)
	}
	return h.Table(cmd.OutOrStdout(), widthOf(cmd.OutOrStdout()))
}

// pick leaves what was asked for.
func (f *historyFlags) pick(h *view.History) {
	from := h.At.Add(-f.since)
	h.Lives = slices.DeleteFunc(h.Lives, func(l view.Life) bool {
		return f.pool != "" && l.Pool != f.pool || f.since > 0 && !l.Gone.IsZero() && l.Gone.Before(from)
	})
}

// ask asks the cluster.
func (f *historyFlags) ask(cmd *cobra.Command, h *view.History) error {
	from, kube, err := f.cluster.connect()
	if err != nil {
		return err
	}
	ctx, stop := f.cluster.within(cmd.Context())
	defer stop()
	h.Source = kube.Host
	var claims karpenterv1.NodeClaimList
	if err := from.List(ctx, &claims); meta.IsNoMatchError(err) || discovery.IsGroupDiscoveryFailedError(err) {
		return fmt.Errorf("%s does not know NodeClaims: install the custom resource definitions of karpenter.sh",
			kube.Host)
	} else if err != nil {
		return f.cluster.unanswered(kube, fmt.Errorf("listing NodeClaims: %w", err))
	}
	var words corev1.EventList
	if err := from.List(ctx, &words, client.MatchingFields{"reason": observe.NodeClaimGone.Name}); err != nil {
		h.Missing = append(h.Missing, "claims that are gone: "+err.Error())
	}
	lives := make([]view.Life, 0, len(claims.Items)+len(words.Items))
	for i := range claims.Items {
		lives = append(lives, history.Of(&claims.Items[i]))
	}
	for i := range words.Items {
		var l view.Life
		if json.Unmarshal([]byte(words.Items[i].Annotations[history.AnnotationLife]), &l) == nil && l.UID != "" {
			lives = append(lives, l)
		}
	}
	h.Lives = history.Ordered(lives)
	h.Missing = append(
		h.Missing,
		"claims whose last words the API server has forgotten; the controller's journal has them (--journal)",
	)
	return nil
}
