package cli

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/roster"
	"github.com/dovetail-sh/dovetail/internal/view"
)

func newExplainPool() *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use:   "pool NAME",
		Short: "Say what a NodePool may buy and give up now, what keeps its nodes, and which reservations stand idle",
		Args:  oneName("pool"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := f.whole(cmd)
			if err != nil {
				return err
			}
			answer, err := explainPool(in, args[0])
			if err != nil {
				if f.offline() {
					err = asUsage(err)
				}
				return err
			}
			return write(cmd.OutOrStdout(), f.output, answer, answer.Text)
		},
	}
	f.watch(cmd, "text", "json")
	cmd.ValidArgsFunction = candidates(f.cluster.nodePools).first
	return cmd
}

// explainPool looks at the cluster, and at the status of the pool's class.
func explainPool(in roster.Input, name string) (*view.PoolDetails, error) {
	set := in.Set
	i := slices.IndexFunc(set.NodePools, func(p *karpenterv1.NodePool) bool { return p.Name == name })
	if i < 0 {
		var names []string
		for _, p := range set.NodePools {
			names = append(names, p.Name)
		}
		return nil, view.Unknown("NodePool", name, names)
	}
	pool := set.NodePools[i]
	ref := pool.Spec.Template.Spec.NodeClassRef
	if ref == nil {
		return nil, fmt.Errorf("NodePool %s names no node class: set spec.template.spec.nodeClassRef", name)
	}
	out := &view.PoolDetails{
		Header: view.HeaderOf("PoolDetails"), Class: ref.Kind + " " + ref.Name,
		Ready: "unknown", Unwanted: !reservedWanted(pool),
	}
	seen, err := roster.Look(in)
	if err != nil {
		return nil, err
	}
	thoughts, err := seen.Think()
	if err != nil {
		return nil, err
	}
	fleet := seen.Fleet(thoughts)
	k := slices.IndexFunc(fleet.Pools, func(p view.Pool) bool { return p.Name == name })
	out.Pool, out.Offers, out.Keeps = fleet.Pools[k], seen.Offers(name), view.KeepsOf(fleet.Nodes, name)
	if c := condition.Get(pool, karpenterv1.ConditionReady); c != nil {
		if out.Ready = string(c.Status); c.Message != "" {
			out.Ready += " (" + c.Message + ")"
		}
	}
	k = slices.IndexFunc(
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
