package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/internal/capture"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/roster"
	"github.com/dovetail-sh/dovetail/internal/simulate"
)

// standing is the cluster that a command looks at as it stands: files as they were recorded, or the one of KUBECONFIG
// as far as its user may read it.
func (f *planFlags) standing(cmd *cobra.Command) (roster.Input, error) {
	var in roster.Input
	if err := f.check(cmd.Flags()); err != nil {
		return in, err
	}
	var set *manifest.Set
	var err error
	if f.offline() {
		in.Source = "files"
		set, err = f.read(cmd.InOrStdin())
	} else {
		set, in.Missing, err = f.allowed(cmd, &in.Source)
	}
	if err != nil {
		return in, err
	}
	if in.Input, err = f.input(set, time.Now()); err != nil {
		return in, err
	}
	if at := simulate.RecordedAt(set); f.offline() && f.now == "" && !at.IsZero() {
		in.Now, in.Market.Account.Now = at, at
	}
	return in, nil
}

// whole is standing for commands whose answer would be wrong without nodes, pods or NodePools: of a cluster it has to
// have them all.
func (f *planFlags) whole(cmd *cobra.Command) (roster.Input, error) {
	in, err := f.standing(cmd)
	if err != nil {
		return in, err
	}
	return in, sighted(in.Missing)
}

// sighted refuses to reckon with a cluster that cannot be seen.
func sighted(missing []string) error {
	for _, m := range missing {
		kind, why, _ := strings.Cut(m, ", which ")
		switch {
		case why == "" || kind != "Nodes" && kind != "Pods" && kind != "NodePools":
		case kind == "NodePools" && strings.Contains(why, "does not know"):
			return errors.New("the cluster has no NodePools: install the custom resource definitions of " +
				"karpenter.sh, or give manifests with -f")
		default:
			return fmt.Errorf("there is no answer without %s, which %s; `dovetail top` shows what you may see",
				kind, why)
		}
	}
	return nil
}

// allowed reads what may be read of the cluster of KUBECONFIG.
func (f *planFlags) allowed(cmd *cobra.Command, source *string) (*manifest.Set, []string, error) {
	from, kube, err := f.cluster.connect()
	if err != nil {
		return nil, nil, err
	}
	*source = kube.Host
	ctx, stop := f.cluster.within(cmd.Context())
	defer stop()
	set, missing, err := capture.Allowed(ctx, from, f.cluster.namespace())
	return set, missing, f.cluster.unanswered(kube, err)
}
