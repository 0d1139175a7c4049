// Package command is the playground's command line.
//
// It turns flags into calls of the cluster package and results into text. It
// decides nothing about clusters itself.
package command

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/playground/part"
)

// errorPrefix begins what is printed when a command fails.
const errorPrefix = "playground: "

// New returns the whole command line.
func New() *cobra.Command {
	root := &cobra.Command{
		Use:   "playground",
		Short: "A whole Kubernetes control plane on loopback, in one binary",
		Long: "Playground runs the real etcd, kube-apiserver, kube-scheduler and kube-controller-manager,\n" +
			"with kwok in place of kubelets. It listens on loopback only and keeps everything in one directory.",
		Example: "  playground up --detach\n  export KUBECONFIG=$(playground kubeconfig)\n  kubectl get nodes\n  " +
			"playground down",
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	// Kubernetes registers a flag of that name for all, which is no boolean; cobra takes ours if it is there first.
	root.Flags().Bool("version", false, "print the version")
	root.AddGroup(&cobra.Group{ID: "part", Title: "Programs inside this binary:"})
	root.AddCommand(
		newUp(),
		newDown(),
		newStatus(),
		newKubeconfig(),
		newDemo(),
		newE2E(),
		newAgreement(),
		newScale(),
		newSoak(),
		newWorld(),
	)
	for _, p := range part.Table {
		root.AddCommand(&cobra.Command{
			Use:                p.Name,
			Short:              p.About,
			GroupID:            "part",
			DisableFlagParsing: true,
			Run:                func(_ *cobra.Command, args []string) { os.Exit(p.Run(args)) },
		})
	}
	return root
}

// version is Dovetail's: the playground is released with it.
func version() string {
	release, commit := observe.Version()
	return release + ", commit " + commit
}

// Run runs the command line and returns the exit status.
func Run(args []string) int {
	root := New()
	root.SetArgs(args)
	if err := root.Execute(); err != nil {
		fmt.Fprintf(os.Stderr, "%s%v\n", errorPrefix, err)
		return 1
	}
	return 0
}
