package manifest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
)

const (
	// podTemplateHash is what the Deployment controller puts on pods of one revision.
	podTemplateHash = appsv1.DefaultDeploymentUniqueLabelKey

	// revisionNumber is what the Deployment controller counts revisions by, on a Deployment and on its ReplicaSets.
	revisionNumber = "deployment.kubernetes.io/revision"
)

// revisionOf is the hash of the revision that a Deployment's next pods are of: that of the ReplicaSet with its
// template, else of its newest one or of its running pods, if they may be of that template. known is false for a
// revision that is yet to begin; its hash is then not the one that the controller will choose, but differs from all
// others.
func (s *Set) revisionOf(d *appsv1.Deployment, pods []*corev1.Pod) (hash string, known bool) {
	var sets []*appsv1.ReplicaSet
	for _, rs := range s.replicaSets {
		if c := metav1.GetControllerOf(
			rs,
		); c != nil && c.Kind == "Deployment" && c.Name == d.Name &&
			rs.Namespace == d.Namespace {
			sets = append(sets, rs)
		}
	}
	if len(sets) > 0 {
		if rs := newest(d, sets); rs != nil {
			return cmp.Or(rs.Labels[podTemplateHash], rs.Spec.Template.Labels[podTemplateHash], rs.Name), true
		}
		return hashOf(&d.Spec.Template), false
	}
	if pod := latest(pods, podTemplateHash, &d.Spec.Template); pod != nil {
		return pod.Labels[podTemplateHash], true
	}
	return hashOf(&d.Spec.Template), false
}

// newest is the ReplicaSet of a Deployment's template; nil if it has yet to come.
func newest(d *appsv1.Deployment, sets []*appsv1.ReplicaSet) *appsv1.ReplicaSet {
	for _, rs := range sets {
		if number := d.Annotations[revisionNumber]; number != "" && number == rs.Annotations[revisionNumber] &&
			d.UID != "" {
			return rs
		}
	}
	slices.SortStableFunc(sets, func(a, b *appsv1.ReplicaSet) int {
		byNumber := cmp.Or(cmp.Compare(len(b.Annotations[revisionNumber]), len(a.Annotations[revisionNumber])),
			cmp.Compare(b.Annotations[revisionNumber], a.Annotations[revisionNumber]))
		return cmp.Or(
			byNumber,
			b.CreationTimestamp.Compare(a.CreationTimestamp.Time),
			cmp.Compare(count(b.Spec.Replicas), count(a.Spec.Replicas)),
		)
	})
	for _, rs := range sets {
		if derived(&d.Spec.Template, &rs.Spec.Template) {
			return rs
		}
	}
	// A template that a server has printed is whole and differs for certain. One that somebody wrote may be cut short.
	if rs := sets[0]; rs.Spec.Template.Spec.SchedulerName == "" &&
		sameImages(&d.Spec.Template.Spec, &rs.Spec.Template.Spec) {
		return rs
	}
	return nil
}

// derived reports whether one template is another with more filled in.
func derived(from, template *corev1.PodTemplateSpec) bool {
	return apiequality.Semantic.DeepDerivative(from.Spec, template.Spec) &&
		apiequality.Semantic.DeepDerivative(from.Labels, template.Labels)
}

// sameImages reports whether the containers of one spec are all in another, with the same images.
func sameImages(spec, other *corev1.PodSpec) bool {
	for i := range spec.Containers {
		c := &spec.Containers[i]
		if !slices.ContainsFunc(
			other.Containers,
			func(o corev1.Container) bool { return o.Name == c.Name && o.Image == c.Image },
		) {
			return false
		}
	}
	return true
}

// latest is the pod that came last of those that have the label of a revision and may be of a template; nil if there is
// none.
func latest(pods []*corev1.Pod, label string, template *corev1.PodTemplateSpec) *corev1.Pod {
	var out *corev1.Pod
	for _, p := range pods {
		if p.Labels[label] == "" || !sameImages(&template.Spec, &p.Spec) {
			continue
		}
		if out == nil || p.CreationTimestamp.After(out.CreationTimestamp.Time) {
			out = p
		}
	}
	return out
}

// revisionOfSet is what revision the pods of a StatefulSet are of, by ordinal. Those below the partition of a rolling
// update stay with the revision before.
func revisionOfSet(sts *appsv1.StatefulSet, pods []*corev1.Pod) func(ordinal int) string {
	next := sts.Status.UpdateRevision
	if next == "" {
		if pod := latest(pods, appsv1.ControllerRevisionHashLabelKey, &sts.Spec.Template); pod != nil {
			next = pod.Labels[appsv1.ControllerRevisionHashLabelKey]
		}
	}
	next = cmp.Or(next, sts.Name+"-"+hashOf(&sts.Spec.Template))
	below := 0
	if u := sts.Spec.UpdateStrategy.RollingUpdate; u != nil && u.Partition != nil &&
		sts.Status.CurrentRevision != "" {
		below = int(*u.Partition)
		if sts.Spec.Ordinals != nil {
			below += int(sts.Spec.Ordinals.Start)
		}
	}
	return func(ordinal int) string {
		if ordinal < below {
			return sts.Status.CurrentRevision
		}
		return next
	}
}

// hashOf is equal for equal templates only, as far as a hash can be. The controllers' own hashes differ between
// releases of Kubernetes.
func hashOf(template *corev1.PodTemplateSpec) string {
	h := fnv.New32a()
	if err := json.NewEncoder(h).Encode(template); err != nil {
		return "new" // what was read from JSON can be written as JSON
	}
	return rand.SafeEncodeString(fmt.Sprint(h.Sum32()))
}
