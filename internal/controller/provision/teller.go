package provision

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

// sentenceLimit is how many bytes an event about a pod that has no place may have: people read it in a terminal, beside
// others.
const sentenceLimit = 400

// Teller says on pods what was planned for them.
type Teller struct {
	Client client.Reader
	Events *observe.Recorder

	// What the log was told last, so that what stays the same is not said every ten seconds. Used by the Provisioner
	// alone.
	saidFound, saidPlan string
	saidUnplaced        map[string]bool // by reason
}

// All emits an event for each pod of a decision. Events are a courtesy: a pod that cannot be read is passed over.
func (t *Teller) All(ctx context.Context, d engine.Decision, claims map[string]*karpenterv1.NodeClaim) {
	for _, placement := range d.Place {
		t.nominated(ctx, placement.Pod, placement.Node)
	}
	for _, node := range d.Open {
		claim := claims[node.ID]
		if claim == nil {
			continue
		}
		for _, pod := range node.Pods {
			t.nominated(ctx, pod, claim.Name)
		}
	}
	for _, u := range d.Unplaced {
		if pod := t.pod(ctx, u.Pod); pod != nil {
			t.Events.Emit(pod, observe.FailedScheduling, u.Why.Brief(sentenceLimit))
		}
	}
}

// vain says on pods that what was bought for them does not take them.
func (t *Teller) vain(ctx context.Context, pods []shape.PodID, missed map[shape.PodID]missed) {
	for _, id := range pods {
		if pod := t.pod(ctx, id); pod != nil {
			t.Events.EmitOf("bought in vain", pod, observe.FailedScheduling, upperFirst(missed[id].words)+".")
		}
	}
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func (t *Teller) nominated(ctx context.Context, id shape.PodID, onto string) {
	if pod := t.pod(ctx, id); pod != nil {
		t.Events.Emitf(pod, observe.Nominated, "The pod is expected on %s.", onto)
	}
}

func (t *Teller) pod(ctx context.Context, id shape.PodID) *corev1.Pod {
	namespace, name, _ := strings.Cut(string(id), "/")
	pod := &corev1.Pod{}
	if err := t.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, pod); err != nil {
		return nil
	}
	return pod
}
