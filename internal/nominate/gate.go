package nominate

import (
	"context"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/mirror"
)

const (
	// startsWithin is how long a node that is not Ready is held. Nothing but DaemonSets could run there anyway; one
	// that makes the node Ready and does not tolerate our taint is what this bounds.
	startsWithin = 30 * time.Second

	// comesWithin is how long nodes of a plan may be apart: when none has become ready for that long, those that
	// are wait no longer for the rest. Nodes that open together leave no moment at which pods of one find room on another.
	comesWithin = time.Second

	// writesWithin is how long a node waits for others' pods to be nominated, and for its own to be seen as such.
	writesWithin = 2 * time.Second

	// settleFor is how much longer to wait: watches are not ordered among each other.
	settleFor = 50 * time.Millisecond

	// lookEvery is how often a node that waits is looked at again.
	lookEvery = 25 * time.Millisecond
)

// waiting is a node that is held.
type waiting struct {
	ready   time.Time // since when only our taint keeps pods off
	written time.Time // when its pods were nominated; zero before
}

// Hold nominates the pods that are planned onto a claim to its node, and says how long to wait before asking
// again; 0 means that the node may lose the taint that keeps pods off now. An error is no reason to hold it.
func (n *Nominator) Hold(ctx context.Context, claim *karpenterv1.NodeClaim, node *corev1.Node) (wait time.Duration, err error) {
	now := n.Clock.Now()
	if len(n.Plans.Planned(claim.Name)) == 0 {
		return n.release(claim.Name), nil
	}
	if !open(node) {
		if left := node.CreationTimestamp.Add(startsWithin).Sub(now); left > 0 && n.HoldAtMost > 0 {
			return left, nil // a change of the node is looked at sooner
		}
		return n.release(claim.Name), nil
	}
	w := n.held(claim.Name, now)
	if now.Sub(w.ready) < n.HoldAtMost && now.Sub(n.latest()) < comesWithin && n.missing(claim.Name, now) {
		return lookEvery, nil
	}
	if due := n.due(claim.Name); len(due) > 0 && now.Sub(w.ready) < n.HoldAtMost+writesWithin {
		_, err = n.write(ctx, due, node.Name)
	}
	written := n.wrote(claim.Name)
	if n.Clock.Since(written) < writesWithin && (n.unwritten() || n.unseen(claim.Name)) {
		return lookEvery, err
	}
	if left := settleFor - n.Clock.Since(written); left > 0 {
		return left, err
	}
	return n.release(claim.Name), err
}

// unseen reports whether our own watch does not show all of a claim's pods as nominated yet; the scheduler's may not either.
func (n *Nominator) unseen(claim string) bool {
	return slices.ContainsFunc(n.Plans.Planned(claim), func(pod *corev1.Pod) bool {
		return pod.Spec.NodeName == "" && pod.Status.NominatedNodeName == "" && known(pod)
	})
}

// latest is when the last of the nodes that are held became ready.
func (n *Nominator) latest() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	var last time.Time
	for _, w := range n.gate {
		if w.ready.After(last) {
			last = w.ready
		}
	}
	return last
}

// held notes that a node waits.
func (n *Nominator) held(claim string, now time.Time) waiting {
	n.mu.Lock()
	defer n.mu.Unlock()
	w := n.gate[claim]
	if w == nil {
		w = &waiting{ready: now}
		n.gate[claim] = w
	}
	return *w
}

// wrote notes that a claim's pods are nominated, and says since when.
func (n *Nominator) wrote(claim string) time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	w := n.gate[claim]
	if w == nil {
		return time.Time{}
	}
	if w.written.IsZero() {
		w.written = n.Clock.Now()
	}
	return w.written
}

// unwritten reports whether pods of another held node are still to be nominated.
func (n *Nominator) unwritten() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, w := range n.gate {
		if w.written.IsZero() {
			return true
		}
	}
	return false
}

// release forgets a claim that waits no longer.
func (n *Nominator) release(claim string) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.gate, claim)
	return 0
}

// missing reports whether another claim of the plan may be ready soon.
func (n *Nominator) missing(claim string, now time.Time) bool {
	targets := n.Plans.Targets()
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.ContainsFunc(targets, func(t mirror.Target) bool {
		if t.Claim == claim || n.gate[t.Claim] != nil {
			return false
		}
		return t.Node == nil || t.Node.Labels[karpenterv1.NodeRegisteredLabelKey] != "true" && now.Sub(t.Node.CreationTimestamp.Time) < startsWithin
	})
}

// open nodes are Ready and carry no taint that goes by itself but ours. Taints that stay are the pods' business, and
// startup taints go by hands that we do not know.
func open(node *corev1.Node) bool {
	ready := slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
	return ready && !slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool {
		return t.Key != karpenterv1.UnregisteredTaintKey &&
			(strings.HasPrefix(t.Key, "node.kubernetes.io/") || strings.HasPrefix(t.Key, "node.cloudprovider.kubernetes.io/"))
	})
}
