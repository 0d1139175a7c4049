package scenarios

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// ledger remembers, over one story, every machine that was bought and every node that a pod was bound to. It is fed by
// watches, so that nothing that came and went between two looks is missed.
type ledger struct {
	mu      sync.Mutex
	bought  map[string]string // claim to its node; "" while it has none
	used    map[string]bool   // nodes on which a pod ran that was no DaemonSet's
	evicted map[types.UID]string
	watched map[types.UID]string // pods that nobody may disturb, by name
	refused map[types.UID]string // pods that the kubelet of their node did not take, and why
}

func newLedger() *ledger {
	l := &ledger{}
	l.reset()
	return l
}

// reset begins a new story.
func (l *ledger) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bought, l.used = map[string]string{}, map[string]bool{}
	l.evicted, l.watched, l.refused = map[types.UID]string{}, map[types.UID]string{}, map[types.UID]string{}
}

// sawClaim notes a claim once its machine was launched.
func (l *ledger) sawClaim(c *karpenterv1.NodeClaim) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if node, known := l.bought[c.Name]; c.Status.ProviderID != "" && (!known || node == "") {
		l.bought[c.Name] = c.Status.NodeName
	}
}

// sawPod notes where a pod runs, and whether it is being ended.
func (l *ledger) sawPod(p *corev1.Pod) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.Spec.NodeName != "" && !ofDaemonSet(p) {
		l.used[p.Spec.NodeName] = true
	}
	if name, ok := l.watched[p.UID]; ok && p.DeletionTimestamp != nil && p.Status.Phase != corev1.PodSucceeded {
		l.evicted[p.UID] = name
	}
	if p.Status.Phase == corev1.PodFailed && strings.HasPrefix(p.Status.Message, "Pod was rejected: ") {
		l.refused[p.UID] = fmt.Sprintf("%s/%s on %s (%s)", p.Namespace, p.Name, p.Spec.NodeName, p.Status.Reason)
	}
}

// protect has the story fail if one of the pods is ended before it completes.
func (l *ledger) protect(p *corev1.Pod) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watched[p.UID] = p.Namespace + "/" + p.Name
}

// unprotect lets pods be ended from now on: the story itself deletes them. What ended before stays noted.
func (l *ledger) unprotect() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.watched)
}

// disturbed are protected pods that were ended.
func (l *ledger) disturbed() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for _, name := range l.evicted {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// turnedAway are pods that were bound to a node which could not take them.
func (l *ledger) turnedAway() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Values(l.refused))
}

// inVain are machines that were bought and on which no pod ever ran, as "claim (node)".
func (l *ledger) inVain() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for claim, node := range l.bought {
		if !l.used[node] {
			out = append(out, fmt.Sprintf("%s (%s)", claim, node))
		}
	}
	slices.Sort(out)
	return out
}

// machines is how many were bought.
func (l *ledger) machines() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.bought)
}

func ofDaemonSet(p *corev1.Pod) bool {
	owner := metav1.GetControllerOf(p)
	return owner != nil && owner.Kind == "DaemonSet"
}
