package mirror

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// refusals are the pods that kube-scheduler will not place by itself. They are counted by where they come from: of
// thousands that a Deployment has made kube-scheduler tries one after the other, and what became of the first is known
// long before the last has been tried.
type refusals struct {
	of    map[shape.PodID]origin
	count map[origin]int
}

// origin is the owner of pods, or the namespace of those that nobody owns. The zero origin is for pods that had a node.
type origin struct {
	namespace string
	owner     types.UID
}

func originOf(pod *corev1.Pod) origin {
	o := origin{namespace: pod.Namespace}
	if ref := metav1.GetControllerOf(pod); ref != nil {
		o.owner = ref.UID
	}
	return o
}

func newRefusals() refusals {
	return refusals{of: map[shape.PodID]origin{}, count: map[origin]int{}}
}

func (r *refusals) len() int { return len(r.of) }

// refuse notes that kube-scheduler has found no node for a pod, which was planned for already or not.
func (r *refusals) refuse(id shape.PodID, from origin, planned bool) (change Change) {
	switch _, known := r.of[id]; {
	case known:
	case planned && r.count[from] > 0:
		change = Confirmed
	default:
		change = Wanted
	}
	r.add(id, from)
	return change
}

// queue notes that kube-scheduler has not tried a pod yet. It is planned with those that were refused.
func (r *refusals) queue(id shape.PodID, from origin, planned bool) (change Change) {
	r.drop(id)
	if !planned && r.count[from] > 0 {
		return More
	}
	return 0
}

func (r *refusals) add(id shape.PodID, o origin) {
	r.drop(id)
	r.of[id] = o
	r.count[o]++
}

func (r *refusals) drop(id shape.PodID) {
	o, ok := r.of[id]
	if !ok {
		return
	}
	delete(r.of, id)
	if r.count[o]--; r.count[o] == 0 {
		delete(r.count, o)
	}
}
