package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	kubeconfig "sigs.k8s.io/controller-runtime/pkg/client/config"

	"github.com/dovetail-sh/dovetail/internal/capture"
	"github.com/dovetail-sh/dovetail/internal/daemon"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/simulate"
)

// texter is an answer that can be printed for people.
type texter interface{ Text(io.Writer) error }

func newExplain() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain",
		Short: "Say why a pod has no node, or what a node could still take",
		Long: `Say why a pod has no node, or what a node could still take.

Without -f or --trace the cluster of KUBECONFIG is read, once and without changing it. Types and prices are
the built-in catalogue's, or those of --instance-types: what AWS has none of just now is not known here. With --record
it is a plan that the controller has made.`,
	}
	cmd.AddCommand(newExplainPod(), newExplainNode())
	return cmd
}

func newExplainPod() *cobra.Command {
	var f planFlags
	var namespace string
	cmd := &cobra.Command{
		Use:   "pod [NAMESPACE/]NAME",
		Short: "Say where a pod goes, or what every node and offering has against it",
		Args:  oneName("pod"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[0]
			if !strings.Contains(name, "/") {
				name = namespace + "/" + name
			}
			return runExplain(cmd, &f, func(r *simulate.Result) (texter, error) {
				answer, err := r.ExplainPod(name)
				return &answer, err
			})
		},
	}
	f.add(cmd.Flags(), "text")
	f.addRecord(cmd.Flags())
	cmd.Flags().StringVarP(&namespace, "namespace", "n", corev1.NamespaceDefault, "namespace of the pod")
	return cmd
}

func newExplainNode() *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use:   "node NAME",
		Short: "Say what is on a node and what keeps waiting pods off it; n1, n2 … are nodes that would be bought",
		Args:  oneName("node"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runExplain(cmd, &f, func(r *simulate.Result) (texter, error) {
				answer, err := r.ExplainNode(args[0])
				return &answer, err
			})
		},
	}
	f.add(cmd.Flags(), "text")
	f.addRecord(cmd.Flags())
	return cmd
}

func oneName(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("explain %s takes the name of one %s, not %d names", what, what, len(args))
		}
		return nil
	}
}

func runExplain(cmd *cobra.Command, f *planFlags, answer func(*simulate.Result) (texter, error)) error {
	if f.output != "text" && f.output != "json" {
		return fmt.Errorf("-o %s is unknown; want text or json", f.output)
	}
	result, err := planned(cmd, f)
	if err != nil {
		return err
	}
	a, err := answer(result)
	if err != nil {
		return err
	}
	if f.output == "json" {
		return writeJSON(cmd.OutOrStdout(), a)
	}
	return a.Text(cmd.OutOrStdout())
}

// planned is the plan that is asked about: one of the journal, or one that is made now.
func planned(cmd *cobra.Command, f *planFlags) (*simulate.Result, error) {
	if f.record != "" {
		if f.offline() {
			return nil, errors.New("--record is a whole plan: it goes with neither -f nor --trace")
		}
		return recorded(f.record)
	}
	read := f.read
	if !f.offline() {
		read = func(io.Reader) (*manifest.Set, error) { return live(cmd) }
	}
	result, _, err := plan(cmd, f, read)
	return result, err
}

// patienceWithServer is how long one request to the API server may take.
const patienceWithServer = 30 * time.Second

// live reads the cluster that kubectl would speak to.
func live(cmd *cobra.Command) (*manifest.Set, error) {
	kube, err := kubeconfig.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("no cluster to explain: set KUBECONFIG, or give manifests with -f: %w", err)
	}
	kube.Timeout = patienceWithServer
	from, err := client.New(kube, client.Options{Scheme: daemon.Scheme()})
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", kube.Host, err)
	}
	return capture.Read(cmd.Context(), from)
}
