package apply

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// ErrNotAsSeen means that a claim is kept: its node is not what the cache showed to whoever chose it. The cache catches
// up, and then the choice is made again.
var ErrNotAsSeen = errors.New("the node is not as it was seen")

// lastLook asks the API server itself, right before a claim is deleted by choice, whether its node is still what the
// cache shows. A watch can be many seconds behind, and the deletion of a claim cannot be taken back. No answer is a
// refusal.
func (a *Applier) lastLook(ctx context.Context, claim *karpenterv1.NodeClaim, reason string) error {
	name := claim.Status.NodeName
	if forced[reason] || name == "" {
		return nil
	}
	live, err := lookup.Pods(ctx, a.Live, name)
	if err != nil {
		return fmt.Errorf("looking at node %s a last time: %w", name, err)
	}
	cached, err := lookup.Pods(ctx, a.Client, name)
	if err != nil {
		return err
	}
	why := unseen(live, cached, reason)
	if why == "" {
		if why, err = a.keptSince(ctx, name); err != nil {
			return err
		}
	}
	if why != "" {
		return fmt.Errorf("NodeClaim %s stays: %s: %w", claim.Name, why, ErrNotAsSeen)
	}
	return nil
}

// keptSince says that somebody has forbidden to disrupt the node, and the cache does not show it.
func (a *Applier) keptSince(ctx context.Context, name string) (why string, err error) {
	var live, cached corev1.Node
	key := client.ObjectKey{Name: name}
	for _, err := range []error{a.Live.Get(ctx, key, &live), a.Client.Get(ctx, key, &cached)} {
		if client.IgnoreNotFound(err) != nil {
			return "", fmt.Errorf("looking at node %s a last time: %w", name, err)
		}
	}
	if newlyKept(&live, &cached) {
		return "node " + name + " must not be disrupted any more", nil
	}
	return "", nil
}

// unseen says which pod of a node keeps it and was not known when it was chosen, or nothing. Nodes that go because they
// are empty are kept by any pod that would need another place.
func unseen(live, cached []corev1.Pod, reason string) string {
	known := make(map[types.UID]*corev1.Pod, len(cached))
	for i := range cached {
		known[cached[i].UID] = &cached[i]
	}
	for i := range live {
		pod := &live[i]
		before, seen := known[pod.UID]
		switch {
		case !moves(pod):
		case reason == "empty" || !seen:
			return fmt.Sprintf("pod %s/%s is on node %s", pod.Namespace, pod.Name, pod.Spec.NodeName)
		case newlyKept(pod, before):
			return fmt.Sprintf("pod %s/%s must not be disrupted any more", pod.Namespace, pod.Name)
		}
	}
	return ""
}

// newlyKept reports whether an object has been annotated not to be disrupted since.
func newlyKept(now, before client.Object) bool {
	value := now.GetAnnotations()[karpenterv1.DoNotDisruptAnnotationKey]
	if value == before.GetAnnotations()[karpenterv1.DoNotDisruptAnnotationKey] {
		return false
	}
	forever, after, err := translate.DoNotDisrupt(value)
	return err == nil && (forever || after > 0)
}
