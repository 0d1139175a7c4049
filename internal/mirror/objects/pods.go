package objects

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// Pod is one pod and what was made of it.
type Pod struct {
	Object *corev1.Pod
	View   translate.PodView

	// Place is for the store's owner: where the pod holds room, empty for nowhere. Nothing here depends on it.
	Place string
}

// Movable is the planner's view of a pod that wants a place.
func (p *Pod) Movable() shape.Pod {
	view := p.View.Pod
	view.Role = shape.Movable
	return view
}

// PutPod notes a pod and translates it.
func (s *Store) PutPod(object *corev1.Pod) *Pod {
	id := translate.IDOf(object)
	pod := s.Pods[id]
	if pod == nil {
		pod = &Pod{}
		s.Pods[id] = pod
	} else {
		s.countUsers(s.names.remove(id, pod.Object))
	}
	pod.Object = object
	if s.Interner.Observe(&object.Spec) {
		s.stale.classes = true
	}
	s.countUsers(s.names.add(id, object))
	s.translate(pod)
	return pod
}

// DropPod notes that a pod is gone.
func (s *Store) DropPod(id shape.PodID) {
	if pod := s.Pods[id]; pod != nil {
		s.countUsers(s.names.remove(id, pod.Object))
		delete(s.Pods, id)
		s.holds.drop(id)
		delete(s.changed, id)
	}
}

// Naming are the pods that say of themselves that they run, or are to run, on what has this name.
func (s *Store) Naming(name string) []shape.PodID {
	out := make([]shape.PodID, 0, len(s.names.byNode[name]))
	for id := range s.names.byNode[name] {
		out = append(out, id)
	}
	return out
}

// Changed calls f for each pod whose view is new because of other objects, once.
func (s *Store) Changed(f func(shape.PodID, *Pod)) {
	for id := range s.changed {
		f(id, s.Pods[id])
	}
	clear(s.changed)
}

// EndHolds notes that pods are no longer held whose hold is over by now. Their views are judged when nodes are made.
func (s *Store) EndHolds(now time.Time) {
	for _, id := range s.holds.end(now) {
		s.changed[id] = struct{}{}
	}
}

// translate makes the planner's view of a pod. Whether it is held is judged when nodes are made:
// the zero time is before the end of every hold.
func (s *Store) translate(pod *Pod) {
	// Errors are in the class, as the reason why the pod is refused.
	pod.View, _ = s.Interner.Pod(pod.Object, time.Time{})
	s.holds.put(pod.View.ID, pod.View.Until)
}

func (s *Store) retranslate(id shape.PodID) {
	s.translate(s.Pods[id])
	s.changed[id] = struct{}{}
}

func (s *Store) retranslateAll() {
	for id := range s.Pods {
		s.retranslate(id)
	}
}

func (s *Store) retranslateUsers(claim types.NamespacedName) {
	for id := range s.names.byClaim[claim] {
		s.retranslate(id)
	}
}

// countUsers notes how many pods use each of some claims. Whether a claim is one pod's or several pods' shows in what
// each of them needs.
func (s *Store) countUsers(claims []types.NamespacedName) {
	for _, claim := range claims {
		before, now := s.World.Users[claim], len(s.names.byClaim[claim])
		if now == 0 {
			delete(s.World.Users, claim)
		} else {
			s.World.Users[claim] = now
		}
		if (before > 1) != (now > 1) {
			s.stale.users[claim] = struct{}{}
		}
	}
}

// podIndex finds pods by what they name.
type podIndex struct {
	byNode  Index[string, shape.PodID] // by Spec.NodeName and Status.NominatedNodeName
	byClaim Index[types.NamespacedName, shape.PodID]
}

// add returns the volume claims that the pod names.
func (i podIndex) add(id shape.PodID, pod *corev1.Pod) []types.NamespacedName {
	i.byNode.Add(pod.Spec.NodeName, id)
	i.byNode.Add(pod.Status.NominatedNodeName, id)
	claims := claimsOf(pod)
	for _, claim := range claims {
		i.byClaim.Add(claim, id)
	}
	return claims
}

// remove returns the volume claims that the pod named.
func (i podIndex) remove(id shape.PodID, pod *corev1.Pod) []types.NamespacedName {
	i.byNode.Remove(pod.Spec.NodeName, id)
	i.byNode.Remove(pod.Status.NominatedNodeName, id)
	claims := claimsOf(pod)
	for _, claim := range claims {
		i.byClaim.Remove(claim, id)
	}
	return claims
}

func claimsOf(pod *corev1.Pod) (claims []types.NamespacedName) {
	for _, name := range translate.VolumeClaims(pod) {
		claims = append(claims, types.NamespacedName{Namespace: pod.Namespace, Name: name})
	}
	return claims
}
