// Package capture reads a live cluster as if it had been written down: a manifest.Set of what the
// API server holds at the moment. It only lists, and never watches or writes.
package capture

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	policyv1 "k8s.io/api/policy/v1"
	resourcev1 "k8s.io/api/resource/v1"
	storagev1 "k8s.io/api/storage/v1"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	karpenterv1alpha1 "github.com/dovetail-sh/dovetail/api/karpenter/v1alpha1"
	kwokv1alpha1 "github.com/dovetail-sh/dovetail/api/kwok/v1alpha1"
	"github.com/dovetail-sh/dovetail/internal/manifest"
)

// part is one kind of what planning looks at.
type part struct {
	list     client.ObjectList
	optional bool // a cluster may not know the kind
	keep     func(client.ObjectList)
}

// parts are all kinds, and where a set keeps them.
func parts(set *manifest.Set) []part {
	return []part{
		{&corev1.PodList{}, false, func(l client.ObjectList) { set.Pods = pointers(l.(*corev1.PodList).Items) }},
		{&corev1.NodeList{}, false, func(l client.ObjectList) { set.Nodes = pointers(l.(*corev1.NodeList).Items) }},
		{
			&karpenterv1.NodeClaimList{},
			false,
			func(l client.ObjectList) { set.NodeClaims = pointers(l.(*karpenterv1.NodeClaimList).Items) },
		},
		{
			&karpenterv1.NodePoolList{},
			false,
			func(l client.ObjectList) { set.NodePools = pointers(l.(*karpenterv1.NodePoolList).Items) },
		},
		{
			&appsv1.DaemonSetList{},
			false,
			func(l client.ObjectList) { set.DaemonSets = pointers(l.(*appsv1.DaemonSetList).Items) },
		},
		{
			&corev1.NamespaceList{},
			false,
			func(l client.ObjectList) { set.Namespaces = pointers(l.(*corev1.NamespaceList).Items) },
		},
		{
			&corev1.LimitRangeList{},
			false,
			func(l client.ObjectList) { set.LimitRanges = pointers(l.(*corev1.LimitRangeList).Items) },
		},
		{
			&nodev1.RuntimeClassList{},
			false,
			func(l client.ObjectList) { set.RuntimeClasses = pointers(l.(*nodev1.RuntimeClassList).Items) },
		},
		{
			&corev1.PersistentVolumeClaimList{},
			false,
			func(l client.ObjectList) { set.Claims = pointers(l.(*corev1.PersistentVolumeClaimList).Items) },
		},
		{
			&corev1.PersistentVolumeList{},
			false,
			func(l client.ObjectList) { set.Volumes = pointers(l.(*corev1.PersistentVolumeList).Items) },
		},
		{
			&storagev1.StorageClassList{},
			false,
			func(l client.ObjectList) { set.StorageClasses = pointers(l.(*storagev1.StorageClassList).Items) },
		},
		{
			&policyv1.PodDisruptionBudgetList{},
			true,
			func(l client.ObjectList) { set.Budgets = pointers(l.(*policyv1.PodDisruptionBudgetList).Items) },
		},
		{
			&storagev1.CSINodeList{},
			false,
			func(l client.ObjectList) { set.CSINodes = pointers(l.(*storagev1.CSINodeList).Items) },
		},
		{
			&resourcev1.DeviceClassList{},
			true,
			func(l client.ObjectList) { set.DeviceClasses = pointers(l.(*resourcev1.DeviceClassList).Items) },
		},
		{
			&resourcev1.ResourceSliceList{},
			true,
			func(l client.ObjectList) { set.ResourceSlices = pointers(l.(*resourcev1.ResourceSliceList).Items) },
		},
		{
			&resourcev1.ResourceClaimTemplateList{},
			true,
			func(l client.ObjectList) {
				set.ResourceClaimTemplates = pointers(l.(*resourcev1.ResourceClaimTemplateList).Items)
			},
		},
		{
			&resourcev1.ResourceClaimList{},
			true,
			func(l client.ObjectList) { set.ResourceClaims = pointers(l.(*resourcev1.ResourceClaimList).Items) },
		},
		{
			&awsv1.EC2NodeClassList{},
			true,
			func(l client.ObjectList) { set.EC2NodeClasses = pointers(l.(*awsv1.EC2NodeClassList).Items) },
		},
		{
			&karpenterv1alpha1.NodeOverlayList{},
			true,
			func(l client.ObjectList) { set.NodeOverlays = inForce(l.(*karpenterv1alpha1.NodeOverlayList).Items) },
		},
		{
			&kwokv1alpha1.KWOKNodeClassList{},
			true,
			func(l client.ObjectList) { set.KWOKNodeClasses = pointers(l.(*kwokv1alpha1.KWOKNodeClassList).Items) },
		},
	}
}

// Read lists everything that planning looks at. Node classes and overlays whose kind the cluster does not know are
// left out; a cluster that does not know NodePools is an error.
func Read(ctx context.Context, from client.Reader) (*manifest.Set, error) {
	set := &manifest.Set{}
	for _, l := range parts(set) {
		err := from.List(ctx, l.list)
		switch {
		case err == nil:
			l.keep(l.list)
		case meta.IsNoMatchError(err) && l.optional:
		case meta.IsNoMatchError(err):
			return nil, fmt.Errorf(
				"the cluster has no NodePools: install the custom resource definitions of karpenter.sh, or give "+
					"manifests with -f: %w",
				err,
			)
		default:
			return nil, fmt.Errorf("reading the cluster: %w", err)
		}
	}
	return set, nil
}

// Allowed lists what may be listed, and says what may not, one clause for each: of objects in namespaces those of one
// namespace are listed where those of all may not be. What a cluster does not know is missing too, unless hardly any
// cluster has it. The error is for a server that does not answer.
func Allowed(
	ctx context.Context,
	from client.Reader,
	namespace string,
) (set *manifest.Set, missing []string, err error) {
	set = &manifest.Set{}
	for _, l := range parts(set) {
		err := from.List(ctx, l.list)
		name := NameOf(l.list)
		if apierrors.IsForbidden(err) && namespace != "" && inNamespaces(l.list) {
			if err = from.List(ctx, l.list, client.InNamespace(namespace)); err == nil {
				missing = append(
					missing,
					fmt.Sprintf("%s outside namespace %s, which you may not list", name, namespace),
				)
			}
		}
		switch {
		case err == nil:
			l.keep(l.list)
		case meta.IsNoMatchError(err) && l.optional:
		case meta.IsNoMatchError(err):
			missing = append(missing, name+", which the cluster does not know")
		case apierrors.IsForbidden(err):
			missing = append(missing, name+", which you may not list")
		default:
			return nil, nil, fmt.Errorf("reading the cluster: %w", err)
		}
	}
	return set, missing, nil
}

// NameOf is the plural of a list's kind: "NodePools".
func NameOf(list client.ObjectList) string {
	name := strings.TrimSuffix(reflect.TypeOf(list).Elem().Name(), "List")
	if strings.HasSuffix(name, "s") {
		return name + "es"
	}
	return name + "s"
}

// inNamespaces reports whether objects of a list live in namespaces.
func inNamespaces(list client.ObjectList) bool {
	switch list.(type) {
	case *corev1.PodList,
		*appsv1.DaemonSetList,
		*corev1.LimitRangeList,
		*corev1.PersistentVolumeClaimList,
		*policyv1.PodDisruptionBudgetList:
		return true
	}
	return false
}

// inForce are the overlays that the cluster's controller applies: without its feature gate it judges none.
func inForce(items []karpenterv1alpha1.NodeOverlay) (out []*karpenterv1alpha1.NodeOverlay) {
	for i := range items {
		if condition.IsTrue(&items[i], karpenterv1alpha1.ConditionReady) {
			out = append(out, &items[i])
		}
	}
	return out
}

func pointers[T any](items []T) []*T {
	out := make([]*T, len(items))
	for i := range items {
		out[i] = &items[i]
	}
	return out
}
