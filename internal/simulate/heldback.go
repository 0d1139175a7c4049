package simulate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// noteHeldBack names the pods without a node for which no place is looked for, by what holds them back.
func (p *Prepared) noteHeldBack() {
	held := map[string][]string{}
	for _, pod := range p.objects.Pods {
		if why := heldBack(pod); why != "" {
			held[why] = append(held[why], string(translate.IDOf(pod)))
		}
	}
	for _, why := range slices.Sorted(maps.Keys(held)) {
		pods := held[why]
		slices.Sort(pods)
		p.notes = append(p.notes, fmt.Sprintf("left out: %s: %s", view.Few(pods), why))
	}
}

// heldBack is what keeps a pod from being planned while it has no node; empty for nothing, and for pods that nobody
// would look for among those that wait.
func heldBack(pod *corev1.Pod) string {
	if pod.Spec.NodeName != "" || translate.Finished(pod) || pod.DeletionTimestamp != nil ||
		translate.BoundByOwner(pod) {
		return ""
	}
	var gates []string
	for _, g := range pod.Spec.SchedulingGates {
		gates = append(gates, g.Name)
	}
	switch {
	case len(gates) == 1:
		return "held back by scheduling gate " + gates[0]
	case len(gates) > 1:
		return "held back by scheduling gates " + strings.Join(gates, ", ")
	case len(pod.Status.Conditions) > 0 && !translate.Provisionable(pod) && !translate.Waiting(pod) &&
		pod.Status.NominatedNodeName == "":
		return "kube-scheduler has not called it unschedulable"
	}
	return ""
}
