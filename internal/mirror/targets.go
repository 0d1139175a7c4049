package mirror

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Target is a claim that pods are planned onto.
type Target struct {
	Claim string
	Node  *corev1.Node // nil until it joins; must not be changed

	// Untold is whether a pod is among Planned of which the API server does not say where it is planned.
	Untold bool
}

// Targets lists the claims that pods are planned onto and not bound yet, ascending by name.
func (l Ledger) Targets() []Target {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if l.m.book.Planned() == 0 {
		return nil
	}
	seen := map[string]Target{}
	alike := l.alike()
	for id, target := range l.m.book.Plans() {
		at := l.m.facts.Machine(l.m.facts.Named(target))
		if at == nil || at.Claim == nil {
			continue
		}
		pod := l.m.facts.Pods[id]
		untold := !alike && !l.m.virtual.has(id) && pod != nil && pod.Object.Status.NominatedNodeName == ""
		seen[at.Claim.Name] = Target{at.Claim.Name, at.Node, untold || seen[at.Claim.Name].Untold}
	}
	out := make([]Target, 0, len(seen))
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		out = append(out, seen[name])
	}
	return out
}

// Planned lists the pods that are planned onto a claim and not bound yet, the most important first. It is
// empty as well when all pods that wait for a place are of one class: any of them may go there then.
// The pods must not be changed.
func (l Ledger) Planned(claim string) []*corev1.Pod {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if l.alike() {
		return nil
	}
	var plans []Plan
	for id := range l.m.held[l.m.facts.OfClaim(claim)] {
		if _, ok := l.m.book.Target(id); ok && !l.m.virtual.has(id) {
			pod := l.m.facts.Pods[id]
			plans = append(plans, Plan{Pod: pod.Object, Class: l.m.facts.Class(pod)})
		}
	}
	slices.SortFunc(plans, ComparePlans)
	out := make([]*corev1.Pod, len(plans))
	for i := range plans {
		out[i] = plans[i].Pod
	}
	return out
}

// alike reports whether all pods that wait for a place are of one class.
func (l Ledger) alike() bool {
	class := int32(-1)
	differs := func(c int32) bool {
		if class < 0 {
			class = c
		}
		return c != class
	}
	for id := range l.m.book.Plans() {
		if l.m.virtual.has(id) {
			continue
		}
		if pod := l.m.facts.Pods[id]; pod != nil && differs(pod.View.Class) {
			return false
		}
	}
	for id, sp := range l.m.sheet.Waiting() {
		if !l.m.virtual.has(id) && differs(sp.Class) {
			return false
		}
	}
	return true
}
