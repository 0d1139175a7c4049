package binder

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/mirror"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// groupLabels are the labels by which schedulers know pods that are to come together or not at all.
var groupLabels = []string{"scheduling.x-k8s.io/pod-group", "pod-group.scheduling.sigs.k8s.io"}

// left reports whether a pod is left to kube-scheduler: another scheduler's or a held one, one whose volumes are still
// to be chosen or whose devices are, one of a group, one that somebody has nominated, and one that the taint does not
// keep off, of which nobody can say when kube-scheduler puts it where. CSI is what the node says of its drivers.
func left(p mirror.Plan, csi *storagev1.CSINode) bool {
	spec, class := &p.Pod.Spec, p.Class
	switch {
	case spec.SchedulerName != "" && spec.SchedulerName != corev1.DefaultSchedulerName,
		len(spec.SchedulingGates) > 0, len(spec.ResourceClaims) > 0, spec.SchedulingGroup != nil,
		p.Pod.Status.NominatedNodeName != "", p.Devices,
		len(class.Bindings) > 0, class.Refused != "",
		translate.ToleratesPlanned(class):
		return true
	}
	for _, label := range groupLabels {
		if p.Pod.Labels[label] != "" {
			return true
		}
	}
	return slices.ContainsFunc(class.Attach, func(a shape.Attach) bool { return !runs(csi, a.Driver) })
}

// runs reports whether a driver has registered with a node: how many volumes it attaches there is not known before.
func runs(csi *storagev1.CSINode, driver string) bool {
	return csi != nil && slices.ContainsFunc(csi.Spec.Drivers,
		func(d storagev1.CSINodeDriver) bool { return d.Name == driver })
}
