package mirror

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// refusals are the pods that kube-scheduler has found no node for or will find none for. It tries the thousands that a
// Deployment makes one after the other; what becomes of the last is known when the first has been refused.
type refusals struct {
	needy map[shape.PodID]struct{} // that are to be planned
	of    map[shape.PodID]origin   // that were refused and have no node yet, planned or not
	count map[origin]int           // of these
}

// origin is the owner of pods. It is empty for pods that nobody owns: what becomes of one says nothing of another.
type origin types.UID

func originOf(pod *corev1.Pod) origin {
	if ref := metav1.GetControllerOf(pod); ref != nil {
		return origin(ref.UID)
	}
	return ""
}

func newRefusals() refusals {
	return refusals{
		needy: map[shape.PodID]struct{}{},
		of:    map[shape.PodID]origin{},
		count: map[origin]int{},
	}
}

// any reports whether anything is to be planned.
func (r *refusals) any() bool { return len(r.needy) > 0 }

// displace notes a pod that has to leave its node.
func (r *refusals) displace(id shape.PodID) { r.needy[id] = struct{}{} }

// refuse notes that kube-scheduler has found no node for a pod. It tells nothing new of one that is among those to be
// planned because others of its origin were refused.
func (r *refusals) refuse(id shape.PodID, from origin, planned bool) (change Change) {
	if _, known := r.needy[id]; !known {
		change = Wanted
		if planned && r.count[from] > 0 {
			change = Confirmed
		}
	}
	r.needy[id] = struct{}{}
	if _, known := r.of[id]; !known && from != "" {
		r.of[id] = from
		r.count[from]++
	}
	return change
}

// queue notes that kube-scheduler has not tried a pod yet. Where others of its origin were refused and have no node, it
// will be refused too. Otherwise it is planned only along with others.
func (r *refusals) queue(id shape.PodID, from origin) (change Change) {
	if r.count[from] == 0 {
		delete(r.needy, id)
		return 0
	}
	if _, known := r.needy[id]; !known {
		change = Wanted
	}
	r.needy[id] = struct{}{}
	return change
}

// settle notes that a pod needs no plan, or none any more.
func (r *refusals) settle(id shape.PodID) { delete(r.needy, id) }

// forget is for a pod that has a node, or is gone.
func (r *refusals) forget(id shape.PodID) {
	delete(r.needy, id)
	from, refused := r.of[id]
	if !refused {
		return
	}
	delete(r.of, id)
	if r.count[from]--; r.count[from] == 0 {
		delete(r.count, from)
	}
}
