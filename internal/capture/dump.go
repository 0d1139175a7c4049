package capture

import (
	"context"
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	autoscalingv1beta1 "github.com/dovetail-sh/dovetail/api/autoscaling/v1beta1"
	"github.com/dovetail-sh/dovetail/internal/manifest"
)

// Dump is a cluster as kubectl would print it: one list of what Allowed reads, and besides the workloads, so that
// edited manifests can be laid over it, and the CapacityBuffers with what they refer to. It ends as Allowed does.
func Dump(
	ctx context.Context,
	from client.Reader,
	scheme *runtime.Scheme,
	namespace string,
) (text []byte, missing []string, err error) {
	var items []json.RawMessage
	for _, list := range listed() {
		err := from.List(ctx, list)
		switch {
		case meta.IsNoMatchError(err):
			continue
		case apierrors.IsForbidden(err) && namespace != "" && inNamespaces(list) &&
			from.List(ctx, list, client.InNamespace(namespace)) == nil:
			missing = append(
				missing,
				fmt.Sprintf("%s outside namespace %s, which you may not list", NameOf(list), namespace),
			)
		case apierrors.IsForbidden(err):
			missing = append(missing, NameOf(list)+", which you may not list")
			continue
		case err != nil:
			return nil, nil, fmt.Errorf("reading the cluster: %w", err)
		}
		err = meta.EachListItem(list, func(o runtime.Object) error {
			item, err := written(o, scheme)
			items = append(items, item)
			return err
		})
		if err != nil {
			return nil, nil, fmt.Errorf("writing %s down: %w", NameOf(list), err)
		}
	}
	text, err = json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": items})
	return text, missing, err
}

// listed are the lists of what Dump reads.
func listed() (out []client.ObjectList) {
	for _, p := range parts(&manifest.Set{}) {
		out = append(out, p.list)
	}
	return append(
		out,
		&appsv1.DeploymentList{},
		&appsv1.ReplicaSetList{},
		&appsv1.StatefulSetList{},
		&batchv1.JobList{},
		&schedulingv1.PriorityClassList{},
		&corev1.PodTemplateList{},
		&autoscalingv1beta1.CapacityBufferList{},
	)
}

// written is an object with its kind, which lists leave out, and without who wrote which of its fields.
func written(o runtime.Object, scheme *runtime.Scheme) (json.RawMessage, error) {
	kind, err := apiutil.GVKForObject(o, scheme)
	if err != nil {
		return nil, err
	}
	o.GetObjectKind().SetGroupVersionKind(kind)
	if m, err := meta.Accessor(o); err == nil {
		m.SetManagedFields(nil)
	}
	return json.Marshal(o)
}
