package nominate

import (
	"context"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/mirror"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// followEvery is how often it is looked for nominations that an attempt of the scheduler has cleared.
const followEvery = 25 * time.Millisecond

// stuckAfter is how long a pod may be nominated to an open node before the scheduler is woken; twice as long each time,
// up to sixteen times. The scheduler itself waits for one, two and four seconds after its first attempts.
const stuckAfter = 5 * time.Second

// maxDoublings bounds how often stuckAfter doubles, and stuckLook is how long nothing is looked for after nothing was
// found stuck: looking takes a walk over all planned pods.
const (
	maxDoublings = 4
	stuckLook    = stuckAfter / 10
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
	for _, t := range targets {
		if !t.Untold || !open(t.Node) {
			continue
		}
		if err := n.Tell(ctx, n.Plans.Planned(t.Claim), t.Node.Name); err != nil {
			failed = err
		}
	}
	if stuck := n.stuck(targets); stuck != nil {
		if err := n.write(ctx, []*corev1.Pod{stuck}, ""); err != nil {
			failed = err
		}
	}
	return failed
}

// open nodes are registered and Ready, and carry no taint that goes by itself. Taints that stay are the pods' business,
// and startup taints go by hands that we do not know.
func open(node *corev1.Node) bool {
	return node != nil && node.Labels[karpenterv1.NodeRegisteredLabelKey] == "true" && condition.NodeReady(node) &&
		!translate.Planned(node) &&
		!slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool {
			return t.Key == karpenterv1.UnregisteredTaintKey ||
				strings.HasPrefix(
					t.Key,
					"node.kubernetes.io/",
				) || strings.HasPrefix(t.Key, "node.cloudprovider.kubernetes.io/")
		})
}

// stuck is the most important of the pods that have been nominated to an open node for a while and are not bound, if it
// is time to do something for them. Kube-scheduler counts the room of a nominated pod as taken, and tries nobody again
// when that pod is bound elsewhere: it may be minutes until it looks at those it has refused on that account. When one
// nomination goes it looks at all of them, and the next round gives that one back.
func (n *Nominator) stuck(targets []mirror.Target) (first *corev1.Pod) {
	now := n.Clock.Now()
	if now.Before(n.wakeAt) {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, t := range targets {
		if !open(t.Node) || len(n.tried) == 0 {
			continue
		}
		for _, pod := range n.Plans.Planned(t.Claim) {
			last := n.tried[translate.IDOf(pod)]
			waits := pod.Status.NominatedNodeName == t.Node.Name && pod.Spec.NodeName == "" &&
				pod.DeletionTimestamp.IsZero()
			if waits && last.times > 0 && now.Sub(last.at) >= stuckAfter &&
				(first == nil || priority(pod) > priority(first)) {
				first = pod
			}
		}
	}
	if first == nil {
		n.wakes, n.wakeAt = 0, now.Add(stuckLook)
		return nil
	}
	n.wakes++
	n.wakeAt = now.Add(stuckAfter << min(n.wakes, maxDoublings))
	return first
}

func priority(pod *corev1.Pod) int32 {
	if pod.Spec.Priority == nil {
		return 0
	}
	return *pod.Spec.Priority
}

// forget ends the counting of attempts once no pod is planned any more.
func (n *Nominator) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.tried)
}
