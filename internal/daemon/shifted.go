package daemon

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

// shifted tells of zones that are left out and of those that are back: each node class, and each NodePool that buys
// there.
func shifted(d CloudDeps) func(context.Context, string, bool) {
	return func(ctx context.Context, zoneID string, away bool) {
		class, pool := observe.ZoneBack, observe.ZonalShiftCleared
		said := "The zonal shift away from zone " + zoneID + " is over: it is used again"
		offers := "Zonal shift cleared: offerings in zone %s (%s) are restored for this NodePool"
		if away {
			class, pool = observe.ZoneLeftOut, observe.ZonalShiftActive
			said = "Traffic was shifted away from zone " + zoneID + ": nothing is launched there until it is back"
			offers = "Zonal shift detected: offerings in zone %s (%s) are unavailable for this NodePool"
		}
		d.Tell(ctx, class, said)
		pools, zone, err := poolsIn(ctx, d.Client, zoneID)
		if err != nil {
			d.Log.Error(err, "telling NodePools of a zonal shift", observe.LogZone, zoneID)
		}
		for i := range pools {
			d.Events.EmitOf(zoneID, &pools[i], pool, fmt.Sprintf(offers, zone, zoneID))
		}
	}
}

// poolsIn are the NodePools that buy in a zone, and the zone's name.
func poolsIn(
	ctx context.Context,
	from client.Reader,
	zoneID string,
) (in []karpenterv1.NodePool, zone string, err error) {
	var classes awsv1.EC2NodeClassList
	var pools karpenterv1.NodePoolList
	if err := from.List(ctx, &classes); err != nil {
		return nil, "", fmt.Errorf("listing EC2NodeClasses: %w", err)
	}
	if err := from.List(ctx, &pools); err != nil {
		return nil, "", fmt.Errorf("listing NodePools: %w", err)
	}
	there := map[string]bool{} // by class: it has a subnet in the zone
	for i := range classes.Items {
		for _, s := range classes.Items[i].Status.Subnets {
			if s.ZoneID == zoneID {
				there[classes.Items[i].Name], zone = true, s.Zone
			}
		}
	}
	for _, p := range pools.Items {
		ref := p.Spec.Template.Spec.NodeClassRef
		if ref != nil && ref.Group == awsv1.Group && there[ref.Name] &&
			lets(&p, corev1.LabelTopologyZone, zone) && lets(&p, awsv1.LabelTopologyZoneID, zoneID) {
			in = append(in, p)
		}
	}
	return in, zone, nil
}

// lets reports whether a pool's requirements let its nodes have a label's value.
func lets(pool *karpenterv1.NodePool, label, value string) bool {
	for _, r := range pool.Spec.Template.Spec.Requirements {
		if r.Key != label {
			continue
		}
		switch listed := slices.Contains(r.Values, value); r.Operator {
		case corev1.NodeSelectorOpIn:
			if !listed {
				return false
			}
		case corev1.NodeSelectorOpNotIn:
			if listed {
				return false
			}
		case corev1.NodeSelectorOpDoesNotExist:
			return false
		}
	}
	return true
}
