package nominate

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/mirror"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// followEvery is how often it is looked for nominations that an attempt of the scheduler has cleared.
const followEvery = 25 * time.Millisecond

const (
	// stuckAfter is how long a pod may be nominated to an open node before the scheduler is woken; twice as long each time.
	// The scheduler itself waits for one second after a first attempt.
	stuckAfter = 2 * time.Second

	// wakeEvery is how often it is looked for such pods.
	wakeEvery = 500 * time.Millisecond
)

// NeedLeaderElection is true: only the leader plans.
func (n *Nominator) NeedLeaderElection() bool { return true }

// Start nominates again, until the context ends, pods whose nominations were cleared although their node takes pods.
// One may wait there because its turn has not come, as with a spread over zones, and its room is not to be given away.
func (n *Nominator) Start(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.Clock.After(followEvery):
		}
		if err := n.follow(ctx); err != nil && ctx.Err() == nil {
			n.Log.V(1).Info("telling the scheduler of the plan", "error", err.Error())
		}
	}
}

func (n *Nominator) follow(ctx context.Context) (failed error) {
	targets := n.Plans.Targets()
	if len(targets) == 0 {
		n.forget()
		return nil
	}
	wake := n.wakes()
	for _, t := range targets {
		if t.Node == nil || !n.opening(t.Claim) && (t.Node.Labels[karpenterv1.NodeRegisteredLabelKey] != "true" || !open(t.Node)) {
			continue
		}
		if due := n.due(t.Claim); t.Untold && len(due) > 0 {
			if _, err := n.write(ctx, due, t.Node.Name); err != nil {
				failed = err
			}
		}
		if stuck := n.stuck(t); wake && len(stuck) > 0 {
			if _, err := n.write(ctx, stuck, ""); err != nil {
				failed = err
			}
		}
	}
	return failed
}

// wakes reports whether it is time to look for pods that are stuck.
func (n *Nominator) wakes() bool {
	now := n.Clock.Now()
	if now.Sub(n.woke) < wakeEvery {
		return false
	}
	n.woke = now
	return true
}

// stuck lists pods that have been nominated to an open node for a while and are not bound. Kube-scheduler counts the room
// of a nominated pod as taken, and tries nobody again when that pod is bound elsewhere: it may be minutes until it looks at
// those it has refused on that account. When a nomination goes it does so at once, and the next round gives it back.
func (n *Nominator) stuck(t mirror.Target) []*corev1.Pod {
	now := n.Clock.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.tried) == 0 {
		return nil
	}
	var out []*corev1.Pod
	for _, pod := range n.Plans.Planned(t.Claim) {
		last := n.tried[translate.IDOf(pod)]
		waits := stuckAfter << min(last.wakes, 4)
		if last.times > 0 && pod.Status.NominatedNodeName == t.Node.Name && pod.Spec.NodeName == "" && pod.DeletionTimestamp.IsZero() && now.Sub(last.at) >= waits {
			out = append(out, pod)
		}
	}
	return out
}

// forget ends the counting of attempts, and what is known of nodes, once no pod is planned any more.
func (n *Nominator) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.tried)
	clear(n.released)
}
