package provision

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/explain"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/backoff"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

const (
	// useWithin is how long a node may be ready before one of the pods that it was bought for is bound to it, while
	// kube-scheduler binds none of the others that wait. It tries a pod again within ten seconds.
	useWithin = 15 * time.Second

	// useAtLast is how long it may take while kube-scheduler works through a long queue. It returns to pods that it
	// gave up after five minutes (podMaxInUnschedulablePodsDuration).
	useAtLast = 5 * time.Minute

	// forgetAfter is how long after its last purchase in vain a pod begins anew, beside the pause.
	forgetAfter = time.Hour
)

// pause is how long nothing is bought for a pod that two purchases in a row did not help.
var pause = backoff.Schedule{First: time.Minute, Last: time.Hour}

// purchases remembers what was bought for which pods and did not help them, so that the next plan does not buy the like
// again: the node had a taint that nobody spoke of, less room than planned, fewer volumes, or a scheduler's plugin
// refuses it. It needs no reason. A restart forgets it, which costs one more purchase.
type purchases struct {
	// reserved reports whether a node is still kept for its plan: nobody could be bound there by kube-scheduler yet.
	reserved func(node string) bool

	open    map[string]*purchase // by claim: what has not shown yet whether it helps
	missed  map[shape.PodID]missed
	waiting map[shape.PodID]types.UID // that something was bought for, until they are bound or gone
	bound   time.Time                 // when one of them was last seen bound
}

// purchase is a claim that was opened for pods.
type purchase struct {
	pods  map[shape.PodID]types.UID
	types []*shape.InstanceType // as they were planned with
	ready time.Time             // when its node was first seen ready; zero before
}

// missed is what was bought in vain for a pod.
type missed struct {
	uid   types.UID
	times int
	until time.Time // nothing is bought before
	at    time.Time // the last time

	// avoid is the largest that did not help, by pool: nothing of no more capacity is bought.
	avoid map[string]shape.Vector

	words string // of the last time
}

func newPurchases(reserved func(node string) bool) purchases {
	return purchases{
		reserved: reserved,
		open:     map[string]*purchase{},
		missed:   map[shape.PodID]missed{},
		waiting:  map[shape.PodID]types.UID{},
	}
}

// note remembers claims that were opened for pods. A buffer's stand-ins say nothing about a node: no scheduler ever
// binds them.
func (p *purchases) note(
	nodes []engine.NewNode,
	claims map[string]*karpenterv1.NodeClaim,
	sold []*shape.InstanceType,
	podOf func(shape.PodID) *corev1.Pod,
) {
	for i := range nodes {
		claim := claims[nodes[i].ID]
		if claim == nil {
			continue
		}
		bought := &purchase{pods: map[shape.PodID]types.UID{}, types: sold}
		for _, id := range nodes[i].Pods {
			if pod := podOf(id); pod != nil && !translate.Virtual(pod) {
				bought.pods[id] = pod.UID
			}
		}
		if len(bought.pods) > 0 {
			p.open[claim.Name] = bought
			maps.Copy(p.waiting, bought.pods)
		}
	}
}

// look judges what was bought, and drops what does not matter any more. It returns the pods that were helped in vain
// just now, ascending.
func (p *purchases) look(s shape.Snapshot, podOf func(shape.PodID) *corev1.Pod) (now []shape.PodID) {
	maps.DeleteFunc(p.missed, func(id shape.PodID, m missed) bool {
		pod := podOf(id)
		return pod == nil || pod.UID != m.uid || pod.Spec.NodeName != "" ||
			s.Now.Sub(m.at) > forgetAfter && s.Now.Sub(m.until) > forgetAfter
	})
	p.watch(s.Now, podOf)
	if len(p.open) == 0 {
		return nil
	}
	nodes := make(map[string]*shape.Node, len(s.Nodes))
	for _, n := range s.Nodes {
		nodes[n.Claim] = n
	}
	for _, claim := range slices.Sorted(maps.Keys(p.open)) {
		bought, n := p.open[claim], nodes[claim]
		if n != nil && p.reserved(n.Name) {
			bought.ready = time.Time{} // its time has not begun
		}
		known, vain := bought.judge(n, s.Now, p.bound, podOf)
		if vain {
			now = append(now, p.miss(bought, n, s, podOf)...)
		}
		if known {
			delete(p.open, claim)
		}
	}
	slices.Sort(now)
	return now
}

// watch notes when one of the pods that something was bought for is bound: kube-scheduler is at work on them.
func (p *purchases) watch(now time.Time, podOf func(shape.PodID) *corev1.Pod) {
	maps.DeleteFunc(p.waiting, func(id shape.PodID, uid types.UID) bool {
		pod := podOf(id)
		if pod == nil || pod.UID != uid {
			return true
		}
		if pod.Spec.NodeName != "" {
			p.bound = now
		}
		return pod.Spec.NodeName != ""
	})
}

// judge reports whether it is known by now whether a purchase helps, and if so, whether it was in vain. The node is nil
// until it comes, and when it has gone. bound is when kube-scheduler last bound a pod that something was bought for.
func (b *purchase) judge(
	n *shape.Node,
	now, bound time.Time,
	podOf func(shape.PodID) *corev1.Pod,
) (known, vain bool) {
	switch {
	case n == nil:
		return true, false
	case n.Stage == shape.Leaving:
		return true, !b.ready.IsZero() && !b.helped(n, podOf)
	case n.Stage != shape.Ready:
		return false, false
	}
	if b.ready.IsZero() {
		b.ready = now
	}
	if b.helped(n, podOf) || len(b.waiting(podOf)) == 0 {
		return true, false
	}
	late := now.Sub(b.ready) >= useWithin && now.Sub(bound) >= useWithin || now.Sub(b.ready) >= useAtLast ||
		b.turnedAway(n, podOf)
	return late, late
}

// helped reports whether one of the pods that a node was bought for ran there, or any pod that could have come for its
// room does. What others took its room for is no one's fault.
func (b *purchase) helped(n *shape.Node, podOf func(shape.PodID) *corev1.Pod) bool {
	for id, uid := range b.pods {
		if pod := podOf(id); pod != nil && pod.UID == uid && pod.Spec.NodeName == n.Name {
			return true // it may have finished since
		}
	}
	return slices.ContainsFunc(n.Pods, func(p shape.Pod) bool {
		pod := podOf(p.ID)
		return (p.Role == shape.Movable || p.Role == shape.Pinned) && pod != nil && pod.Spec.NodeName != ""
	})
}

// waiting lists the pods of a purchase that are still to be bound, ascending.
func (b *purchase) waiting(podOf func(shape.PodID) *corev1.Pod) []shape.PodID {
	var out []shape.PodID
	for _, id := range slices.Sorted(maps.Keys(b.pods)) {
		if pod := podOf(
			id,
		); pod != nil && pod.UID == b.pods[id] && pod.Spec.NodeName == "" &&
			pod.DeletionTimestamp == nil {
			out = append(out, id)
		}
	}
	return out
}

// turnedAway reports whether none of the pods that wait is planned onto the node any more: it turned out not to suit
// any.
func (b *purchase) turnedAway(n *shape.Node, podOf func(shape.PodID) *corev1.Pod) bool {
	waiting := b.waiting(podOf)
	return !slices.ContainsFunc(n.Pods, func(p shape.Pod) bool { return slices.Contains(waiting, p.ID) })
}

// miss remembers that a node did not help the pods which wait for it.
func (p *purchases) miss(
	b *purchase,
	n *shape.Node,
	s shape.Snapshot,
	podOf func(shape.PodID) *corev1.Pod,
) []shape.PodID {
	waiting := b.waiting(podOf)
	size, planned := sizeOf(n, s.Types), plannedFor(n, b.types)
	for _, id := range waiting {
		m := p.missed[id]
		if m.avoid == nil {
			m.avoid = map[string]shape.Vector{}
		}
		m.uid, m.times, m.at = b.pods[id], m.times+1, s.Now
		m.avoid[n.Pool] = larger(m.avoid[n.Pool], size)
		if m.times > 1 {
			m.until = s.Now.Add(pause.After(m.times - 1))
		}
		m.words = inVain(n, planned, m, s.Now)
		p.missed[id] = m
	}
	return waiting
}

// inVain says what was bought and did not help, with what was planned and what came.
func inVain(n *shape.Node, planned shape.Vector, m missed, now time.Time) string {
	next := "a larger machine is tried next"
	if wait := m.until.Sub(now); wait > 0 {
		next = "nothing more is bought for it for " + wait.Round(time.Second).String()
	}
	return fmt.Sprintf(
		"node %s (%s, NodePool %s) was bought for the pod and does not take it; planned was room for %s, it has %s; %s",
		n.Name,
		n.InstanceType,
		n.Pool,
		amounts(planned),
		amounts(n.Allocatable),
		next,
	)
}

func amounts(v shape.Vector) string {
	return fmt.Sprintf(
		"%s cpu, %s memory and %d pods",
		explain.Amount(shape.CPU, v.CPU),
		explain.Amount(shape.Memory, v.Memory),
		v.Pods,
	)
}

// sizeOf is what a node's type has in all; what the node leaves to pods if its type is not sold.
func sizeOf(n *shape.Node, list []*shape.InstanceType) shape.Vector {
	out := n.Allocatable
	for _, t := range list {
		if t.Name == n.InstanceType {
			out = larger(out, t.Capacity)
		}
	}
	return out
}

// plannedFor is what a node was planned to leave to pods.
func plannedFor(n *shape.Node, list []*shape.InstanceType) shape.Vector {
	for _, t := range list {
		if t.Name == n.InstanceType {
			return t.Allocatable
		}
	}
	return n.Allocatable
}

// larger is the one of two machines with more cores, or more memory if they have as many.
func larger(a, b shape.Vector) shape.Vector {
	if cmp.Or(cmp.Compare(a.CPU, b.CPU), cmp.Compare(a.Memory, b.Memory)) > 0 {
		return a
	}
	return b
}

// apply leaves pods out of a plan that rest, and keeps the others away from what did not help. It returns the pods left
// out as unplaced, and when the first of them may be planned again; zero for none.
func (p *purchases) apply(s shape.Snapshot) (out shape.Snapshot, left []engine.Unplaced, due time.Time) {
	if len(p.missed) == 0 {
		return s, nil, time.Time{}
	}
	out = s
	out.Pods = make([]shape.Pod, 0, len(s.Pods))
	classes := map[string]int32{}
	for _, pod := range s.Pods {
		m, ok := p.missed[pod.ID]
		switch {
		case !ok:
		case s.Now.Before(m.until):
			left = append(left, engine.Unplaced{Pod: pod.ID, Why: refusal(pod.ID, m)})
			if due.IsZero() || m.until.Before(due) {
				due = m.until
			}
			continue
		default:
			out.Classes, pod.Class = avoiding(out.Classes, classes, pod.Class, m, s.Types)
		}
		out.Pods = append(out.Pods, pod)
	}
	return out, left, due
}

func refusal(id shape.PodID, m missed) explain.Tree {
	return explain.Tree{
		Subject: string(id),
		Groups:  []explain.Group{{Count: 1, Reason: feasible.Reason{Kind: feasible.Refused, Want: m.words}}},
	}
}

// avoiding is a class of pods that go to nothing of the pools in which purchases were in vain that is no larger than
// what was bought there. It is added to the classes unless made holds it.
func avoiding(
	classes []*shape.Class,
	made map[string]int32,
	of int32,
	m missed,
	list []*shape.InstanceType,
) ([]*shape.Class, int32) {
	pools := slices.Sorted(maps.Keys(m.avoid))
	key := fmt.Sprint(of, m.avoid)
	if known, ok := made[key]; ok || int(of) >= len(classes) || of < 0 {
		return classes, cmp.Or(known, of)
	}
	own := *classes[of]
	for _, pool := range pools {
		elsewhere := shape.Requirement{Key: shape.LabelNodePool, Operator: shape.NotIn, Values: []string{pool}}
		above := shape.Requirement{
			Key:      shape.LabelInstanceType,
			Operator: shape.NotIn,
			Values:   upTo(m.avoid[pool], list),
		}
		own.Untried = both(
			own.Untried,
			shape.NodeTerm{
				Labels: []shape.Requirement{elsewhere},
			},
			shape.NodeTerm{Labels: []shape.Requirement{above}},
		)
	}
	made[key] = int32(len(classes))
	return append(slices.Clone(classes), &own), made[key]
}

// upTo names the types that are no larger than a machine, ascending.
func upTo(largest shape.Vector, list []*shape.InstanceType) []string {
	var out []string
	for _, t := range list {
		if t.Capacity.CPU <= largest.CPU && t.Capacity.Memory <= largest.Memory {
			out = append(out, t.Name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// both is terms of which one must hold, and of the others one as well.
func both(terms []shape.NodeTerm, others ...shape.NodeTerm) []shape.NodeTerm {
	if len(terms) == 0 {
		return others
	}
	out := make([]shape.NodeTerm, 0, len(terms)*len(others))
	for _, t := range terms {
		for _, o := range others {
			out = append(
				out,
				shape.NodeTerm{Labels: slices.Concat(t.Labels, o.Labels), Names: slices.Concat(t.Names, o.Names)},
			)
		}
	}
	return out
}

// explained has pods that something was bought for in vain say so, beside why nothing else will do.
func (p *purchases) explained(list []engine.Unplaced) []engine.Unplaced {
	out := slices.Clone(list)
	for i, u := range out {
		if m, ok := p.missed[u.Pod]; ok && !strings.Contains(u.Why.Sentence(), m.words) {
			out[i].Why.Groups = slices.Concat(refusal(u.Pod, m).Groups, u.Why.Groups)
		}
	}
	return out
}
