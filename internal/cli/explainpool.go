package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/capture"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/view"
)

func newExplainPool() *cobra.Command {
	var from cluster
	var files []string
	var output string
	cmd := &cobra.Command{
		Use:   "pool NAME",
		Short: "Say which capacity reservations a NodePool may use, and which of the account's are paid for and idle",
		Args:  oneName("pool"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf("-o", output, []string{"text", "json"}); err != nil {
				return err
			}
			set, err := poolObjects(cmd, &from, files)
			if err != nil {
				return err
			}
			answer, err := explainPool(set, args[0])
			if err != nil {
				return asUsage(err)
			}
			return write(cmd.OutOrStdout(), output, answer, answer.Text)
		},
	}
	from.add(cmd)
	cmd.Flags().StringSliceVarP(&files, "filename", "f", nil,
		"manifests: a file, a directory with all below it, or - for standard input; may be repeated (default the cluster)")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	cmd.ValidArgsFunction = candidates(from.nodePools).first
	return cmd
}

func poolObjects(cmd *cobra.Command, from *cluster, files []string) (*manifest.Set, error) {
	if len(files) > 0 {
		set, err := manifest.Read(files, cmd.InOrStdin())
		return set, asUsage(err)
	}
	reader, kube, err := from.connect()
	if err != nil {
		return nil, err
	}
	ctx, stop := from.within(cmd.Context())
	defer stop()
	set, err := capture.Read(ctx, reader)
	return set, from.unanswered(kube, err)
}

// explainPool reads the pool and the status of its class.
func explainPool(set *manifest.Set, name string) (*view.PoolReservations, error) {
	i := slices.IndexFunc(set.NodePools, func(p *karpenterv1.NodePool) bool { return p.Name == name })
	if i < 0 {
		var names []string
		for _, p := range set.NodePools {
			names = append(names, p.Name)
		}
		return nil, fmt.Errorf("there is no NodePool %s; there are %s", name, strings.Join(names, ", "))
	}
	pool := set.NodePools[i]
	ref := pool.Spec.Template.Spec.NodeClassRef
	if ref == nil {
		return nil, fmt.Errorf("NodePool %s names no node class: set spec.template.spec.nodeClassRef", name)
	}
	out := &view.PoolReservations{
		Header: view.HeaderOf("PoolReservations"), Name: name, Class: ref.Kind + " " + ref.Name,
		Ready: "unknown", Unwanted: !reservedWanted(pool),
	}
	if c := condition.Get(pool, karpenterv1.ConditionReady); c != nil {
		if out.Ready = string(c.Status); c.Message != "" {
			out.Ready += " (" + c.Message + ")"
		}
	}
	k := slices.IndexFunc(
		set.EC2NodeClasses,
		func(c *awsv1.EC2NodeClass) bool { return ref.Group == awsv1.Group && c.Name == ref.Name },
	)
	if k < 0 {
		return out, nil
	}
	status := set.EC2NodeClasses[k].Status
	for _, r := range status.CapacityReservations {
		out.Reserved = append(out.Reserved, view.Reserved{
			ID: r.ID, InstanceType: r.InstanceType, Zone: r.AvailabilityZone,
			Criteria: r.InstanceMatchCriteria, State: string(r.State),
		})
	}
	for _, r := range status.IdleCapacityReservations {
		out.Idle = append(out.Idle, view.Reserved{
			ID: r.ID, InstanceType: r.InstanceType, Zone: r.AvailabilityZone,
			Criteria: r.InstanceMatchCriteria, Left: r.Idle, HourlyCost: r.HourlyCost,
		})
	}
	return out, nil
}

// reservedWanted reports whether a pool's requirements leave reserved capacity in.
func reservedWanted(pool *karpenterv1.NodePool) bool {
	for _, r := range pool.Spec.Template.Spec.Requirements {
		listed := slices.Contains(r.Values, karpenterv1.CapacityTypeReserved)
		switch {
		case r.Key != karpenterv1.CapacityTypeLabelKey:
		case r.Operator == corev1.NodeSelectorOpIn && !listed, r.Operator == corev1.NodeSelectorOpNotIn && listed,
			r.Operator == corev1.NodeSelectorOpDoesNotExist:
			return false
		}
	}
	return true
}
