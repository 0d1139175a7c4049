package cli

import (
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
