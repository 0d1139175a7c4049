package cli

import (
	"errors"
	"net"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/catalog"
)

// candidates are what a word that is being typed may become.
type candidates func(cmd *cobra.Command, args []string, typed string) []string

// complete has a shell offer values of a flag. A flag that is not there is a mistake of ours.
func complete(cmd *cobra.Command, flag string, of candidates) {
	if err := cmd.RegisterFlagCompletionFunc(flag, of.cobra); err != nil {
		panic(err)
	}
}

func (of candidates) cobra(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	return of(cmd, args, typed), cobra.ShellCompDirectiveNoFileComp
}

// these are always the same.
func these(words ...string) candidates {
	return func(*cobra.Command, []string, string) []string { return words }
}

// regions are those of the catalogue.
func regions(*cobra.Command, []string, string) []string {
	var out []string
	for _, r := range catalog.Regions() {
		out = append(out, r.Name)
	}
	return out
}

// first completes a command's only name.
func (of candidates) first(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return of.cobra(cmd, args, typed)
}

// names lists objects of the cluster for a shell, which shows no errors.
func (c *cluster) names(cmd *cobra.Command, list client.ObjectList, name func(client.Object) string) (out []string) {
	from, _, err := c.connect()
	if err != nil {
		return nil
	}
	ctx, stop := c.within(cmd.Context())
	defer stop()
	if from.List(ctx, list) != nil {
		return nil
	}
	switch l := list.(type) {
	case *corev1.PodList:
		for i := range l.Items {
			out = append(out, name(&l.Items[i]))
		}
	case *corev1.NodeList:
		for i := range l.Items {
			out = append(out, name(&l.Items[i]))
		}
	case *corev1.NamespaceList:
		for i := range l.Items {
			out = append(out, name(&l.Items[i]))
		}
	}
	return out
}

func nameOf(o client.Object) string { return o.GetName() }

// pods are NAMESPACE/NAME once a slash is typed or no namespace is chosen, else names in it.
func (c *cluster) pods(namespace *string) candidates {
	return func(cmd *cobra.Command, _ []string, typed string) []string {
		chosen := cmd.Flags().Changed("namespace") && !strings.Contains(typed, "/")
		var out []string
		for _, id := range c.names(cmd, &corev1.PodList{}, func(o client.Object) string {
			return o.GetNamespace() +
				"/" + o.GetName()
		}) {
			name, within := strings.CutPrefix(id, *namespace+"/")
			switch {
			case chosen && within:
				out = append(out, name)
			case !chosen:
				out = append(out, id)
			}
		}
		return out
	}
}

func (c *cluster) nodes(cmd *cobra.Command, _ []string, _ string) []string {
	return c.names(cmd, &corev1.NodeList{}, nameOf)
}

func (c *cluster) nodePools(cmd *cobra.Command, _ []string, _ string) []string {
	return c.names(cmd, &karpenterv1.NodePoolList{}, nameOf)
}

func (c *cluster) namespaces(cmd *cobra.Command, _ []string, _ string) []string {
	return c.names(cmd, &corev1.NamespaceList{}, nameOf)
}

// refused reports whether nobody listens at an address, or there is no such address.
func refused(err error) bool {
	var dial *net.OpError
	var name *net.DNSError
	return errors.As(err, &name) || errors.As(err, &dial) && dial.Op == "dial"
}
