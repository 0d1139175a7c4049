package cli

import (
	"errors"
	"math"
	"runtime/debug"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/dovetail-sh/dovetail/internal/config"
	"github.com/dovetail-sh/dovetail/internal/daemon"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

func newController(lookup func(string) (string, bool)) *cobra.Command {
	var c config.Config
	cmd := &cobra.Command{
		Use:   "controller",
		Short: "Run the controller, in a cluster or against KUBECONFIG",
		Args:  noArguments("controller"),

		Annotations: map[string]string{stays: "it lets its lease go"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.Environment(cmd.Flags(), lookup); err != nil {
				return asUsage(err)
			}
			if err := c.Validate(); err != nil {
				return asUsage(err)
			}
			return runController(cmd, c)
		},
	}
	c.AddFlags(cmd.Flags())
	return cmd
}

// heapShare is the part of the container's memory that Go's heap may take, nine tenths as in Karpenter: the rest is for
// stacks, and for what the collector is late with. Less collects more often; more is killed sooner.
const heapShare = 0.9

func runController(cmd *cobra.Command, c config.Config) error {
	log, err := daemon.NewLog(c.Log)
	if err != nil {
		return err
	}
	setGlobalLog(log)
	if c.MemoryLimit > 0 {
		debug.SetMemoryLimit(int64(math.Round(float64(c.MemoryLimit) * heapShare)))
	}
	d, err := daemon.New(cmd.Context(), c, daemon.Options{Log: log, Explain: Explained})
	switch {
	case errors.Is(err, daemon.ErrNoServer):
		return asUsage(err)
	case err != nil:
		return err
	}
	version, _ := observe.Version()
	log.Info("starting", "version", version, "cloud", c.Cloud)
	return d.Run(cmd.Context())
}

// setGlobalLog sends what libraries log to the same place.
func setGlobalLog(log logr.Logger) {
	logf.SetLogger(log)
	klog.SetLogger(log.WithName("client"))
}
