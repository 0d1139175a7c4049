package part

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/kwok/pkg/config"
	kwokcmd "sigs.k8s.io/kwok/pkg/kwok/cmd"
	"sigs.k8s.io/kwok/pkg/log"
	"sigs.k8s.io/kwok/pkg/utils/signals"

	"github.com/dovetail-sh/dovetail/playground/devicedriver"
	"github.com/dovetail-sh/dovetail/playground/podadmission"
)

// kwok runs the pretend kubelets, and with them what kwok's do without: admission, and the driver of devices.
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

	if err := beside(ctx, args); err != nil {
		fmt.Fprintf(os.Stderr, "completing the kubelets: %v\n", err)
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

// beside refuses pods and drives devices beside kwok, with its kubeconfig.
func beside(ctx context.Context, args []string) error {
	for _, arg := range args {
		path, ok := strings.CutPrefix(arg, "--kubeconfig=")
		if !ok {
			continue
		}
		kube, err := clientcmd.BuildConfigFromFlags("", path)
		if err != nil {
			return fmt.Errorf("reading the kubeconfig: %w", err)
		}
		return errors.Join(podadmission.Run(ctx, kube), devicedriver.Run(ctx, kube))
	}
	return nil // kwok says what it thinks of that
}
