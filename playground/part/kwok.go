package part

import (
	"fmt"
	"os"

	"github.com/spf13/pflag"
	"sigs.k8s.io/kwok/pkg/config"
	kwokcmd "sigs.k8s.io/kwok/pkg/kwok/cmd"
	"sigs.k8s.io/kwok/pkg/log"
	"sigs.k8s.io/kwok/pkg/utils/signals"
)

// kwok runs the pretend kubelets.
func kwok(args []string) int {
	// Kubernetes registers its version flag in the global set, where kwok's
	// own would clash with it; each part has its own process, so replacing
	// the set harms nobody.
	pflag.CommandLine = pflag.NewFlagSet("kwok", pflag.ContinueOnError)

	// kwok's config package reads os.Args itself, so hide the part's name.
	os.Args = append([]string{"kwok"}, args...)

	global := pflag.NewFlagSet("global", pflag.ContinueOnError)
	global.ParseErrorsAllowlist.UnknownFlags = true
	global.Usage = func() {}
	ctx, logger := log.InitFlags(signals.SetupSignalContext(), global)
	ctx, err := config.InitFlags(ctx, global)
	if err != nil {
		fmt.Fprintf(os.Stderr, "reading kwok's configuration: %v\n", err)
		return 1
	}

	cmd := kwokcmd.NewCommand(ctx)
	cmd.PersistentFlags().AddFlagSet(global)
	cmd.SetArgs(args)
	if err := cmd.ExecuteContext(ctx); err != nil {
		logger.Error("Stopped", "err", err)
		return 1
	}
	return 0
}
