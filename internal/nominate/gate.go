package nominate

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/mirror"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

const (
	// startsWithin is how long a node that is not Ready is held. Nothing but DaemonSets could run there anyway; one
	// that makes the node Ready and does not tolerate our taint is what this bounds.
	startsWithin = 30 * time.Second

	// comesWithin is how long nodes of a plan may be apart at least: when none has become ready for that long, or for a
	// quarter of the time that the last one took, those that are wait no longer for the rest. Where machines are slow to
	// come they are far apart as well.
	comesWithin = time.Second

	// writesWithin is how long a node waits for others' pods to be nominated, and for its own to be seen as such.
	writesWithin = 2 * time.Second

	// settleFor is how much longer to wait at least: watches are not ordered among each other.
	settleFor = 200 * time.Millisecond

	// lookEvery is how often a node that waits is looked at again.
	lookEvery = 25 * time.Millisecond
)

// waiting is a node that is held.
type waiting struct {
	ready   time.Time     // since when only our taint keeps pods off
	took    time.Duration // from the claim's creation until then
	asked   time.Time     // when it was last asked whether it may open
	filled  time.Time     // when it was settled which pods come, and they began to be written to; zero before
	written time.Time     // when its pods were nominated; zero before
	seen    time.Time     // when our own watch showed that; zero before
}

// Hold nominates the pods that are planned onto a claim to its node, and says how long to wait before asking
// again; 0 means that the node may lose the taint that keeps pods off now. An error is no reason to hold it.
func (n *Nominator) Hold(ctx context.Context, claim *karpenterv1.NodeClaim, node *corev1.Node) (wait time.Duration, err error) {
	now := n.Clock.Now()
	if n.opening(claim.Name) {
		return 0, nil // it was let go, but somebody else wrote the node first: its pods count on it
	}
	if len(n.Plans.Planned(claim.Name)) == 0 {
		return n.release(claim.Name), nil
	}
	if !open(node) {
		if left := node.CreationTimestamp.Add(startsWithin).Sub(now); left > 0 && n.HoldAtMost > 0 {
			return left, nil // a change of the node is looked at sooner
		}
		return n.release(claim.Name), nil
	}
	w := n.held(claim, now)
	if w.filled.IsZero() && now.Before(n.patience()) && n.missing(claim.Name, now) {
		return lookEvery, nil
	}
	n.fillUp()
	if due := n.due(claim.Name); len(due) > 0 && now.Sub(w.ready) < n.HoldAtMost+writesWithin {
		_, err = n.write(ctx, due, node.Name)
	}
	written := n.wrote(claim.Name)
	if n.Clock.Since(written) < writesWithin && n.unseen(claim.Name) {
		return lookEvery, err
	}
	if left := n.settles(claim.Name); left > 0 {
		return left, err
	}
	return n.release(claim.Name), err
}

// fillUp moves pods forward to the nodes that are about to open, in the order in which they became ready.
func (n *Nominator) fillUp() {
	n.filling.Lock()
	defer n.filling.Unlock()
	opening := n.unfilled()
	if len(opening) == 0 {
		return
	}
	planned := map[string][]shape.PodID{}
	for _, t := range n.Plans.Targets() {
		if t.Node != nil && t.Node.Labels[karpenterv1.NodeRegisteredLabelKey] == "true" || n.settled(t.Claim) {
			continue
		}
		for _, pod := range n.Plans.Planned(t.Claim) {
			if pod.Status.NominatedNodeName == "" && known(pod) {
				planned[t.Claim] = append(planned[t.Claim], translate.IDOf(pod))
			}
		}
	}
	onto := map[string][]shape.PodID{}
	for _, m := range fill(n.Plans.Snapshot(), opening, planned) {
		onto[m.to] = append(onto[m.to], m.pod)
	}
	for claim, pods := range onto {
		n.Plans.Nominate(pods, claim)
	}
	n.fix(opening)
}

// unfilled lists the held claims that have not been filled up, those that became ready first first.
func (n *Nominator) unfilled() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []string
	for claim, w := range n.gate {
		if w.filled.IsZero() {
			out = append(out, claim)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return cmp.Or(n.gate[a].ready.Compare(n.gate[b].ready), cmp.Compare(a, b)) })
	return out
}

// settled reports whether a held claim has been filled up.
func (n *Nominator) settled(claim string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	w := n.gate[claim]
	return w != nil && !w.filled.IsZero()
}

// fix notes that held claims have been filled up.
func (n *Nominator) fix(claims []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.Clock.Now()
	for _, claim := range claims {
		if w := n.gate[claim]; w != nil {
			w.filled = now
		}
	}
}

// settles is how much longer a claim waits whose nominations our own watch shows: until it shows those of all that open
// with it, and then for a quarter of the time that took: the scheduler's watch may be slower.
func (n *Nominator) settles(claim string) (left time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.Clock.Now()
	if w := n.gate[claim]; w != nil && w.seen.IsZero() {
		w.seen = now
	}
	for _, w := range n.gate {
		switch {
		case w.filled.IsZero() || !w.written.IsZero() && now.Sub(w.written) >= 2*writesWithin: // is not of them, or takes too long
		case w.seen.IsZero():
			left = max(left, lookEvery)
		default:
			left = max(left, max(settleFor, min(w.seen.Sub(w.filled)/4, writesWithin))-now.Sub(w.seen))
		}
	}
	return left
}

// unseen reports whether our own watch does not show all of a claim's pods as nominated yet; the scheduler's may not either.
func (n *Nominator) unseen(claim string) bool {
	return slices.ContainsFunc(n.Plans.Planned(claim), func(pod *corev1.Pod) bool {
		return pod.Spec.NodeName == "" && pod.Status.NominatedNodeName == "" && known(pod)
	})
}

// patience is until when nodes that are ready wait for others: they open together, when none comes any more or the first
// has waited long enough.
func (n *Nominator) patience() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	var first, last waiting
	for _, w := range n.gate {
		if !w.filled.IsZero() {
			continue
		}
		if first.ready.IsZero() || w.ready.Before(first.ready) {
			first = *w
		}
		if w.ready.After(last.ready) {
			last = *w
		}
	}
	limit, quiet := first.ready.Add(n.HoldAtMost), last.ready.Add(max(comesWithin, last.took/4))
	if limit.Before(quiet) {
		return limit
	}
	return quiet
}

// held notes that a node waits.
func (n *Nominator) held(claim *karpenterv1.NodeClaim, now time.Time) waiting {
	n.mu.Lock()
	defer n.mu.Unlock()
	maps.DeleteFunc(n.gate, func(_ string, w *waiting) bool { return now.Sub(w.asked) > n.HoldAtMost+writesWithin }) // it is gone
	w := n.gate[claim.Name]
	if w == nil {
		w = &waiting{ready: now}
		if !claim.CreationTimestamp.IsZero() {
			w.took = now.Sub(claim.CreationTimestamp.Time)
		}
		n.gate[claim.Name] = w
	}
	w.asked = now
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

// release forgets a claim that waits no longer.
func (n *Nominator) release(claim string) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.gate, claim)
	n.released[claim] = n.Clock.Now()
	return 0
}

// opening reports whether a claim's node was let go a moment ago. It is about to take pods, whatever our watch shows.
func (n *Nominator) opening(claim string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	at, ok := n.released[claim]
	return ok && n.Clock.Since(at) < writesWithin
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
