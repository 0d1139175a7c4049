package nominate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

const (
	// owner is the field manager of what is written.
	owner = "dovetail"

	// atOnce is how many pods are written to in parallel, of all nodes: the API server has other work.
	atOnce = 50

	// tries is how often a nomination is written: an attempt of the scheduler that is under way clears it, and its
	// conditions make ours a conflict.
	tries = 3

	// showWithin is how long to wait until our own watch shows what was written, as a sign that the scheduler's does.
	showWithin = time.Second
	// showEvery is how often to look.
	showEvery = 10 * time.Millisecond
	// settleFor is how much longer to wait: watches are not ordered among each other.
	settleFor = 50 * time.Millisecond

	// holdAtMost is how long a node may be held up in all. What is not written by then is left to the scheduler.
	holdAtMost = 5 * time.Second
)

// plans is the part of the mirror that is needed here.
type plans interface {
	// Planned lists the pods that are planned onto a claim and not bound yet.
	Planned(claim string) []*corev1.Pod
	// Pod is a pod as it was last seen; nil if it is gone.
	Pod(id shape.PodID) *corev1.Pod
}

// Deps are what a Nominator needs; all are required.
type Deps struct {
	Client client.Client
	Plans  plans
	Clock  clock.Clock
}

// Nominator writes nominations.
type Nominator struct {
	Deps
	slots chan struct{} // one for each write at a time
}

// New checks that nothing is missing.
func New(d Deps) (*Nominator, error) {
	if d.Client == nil || d.Plans == nil || d.Clock == nil {
		return nil, errors.New("nominator: a dependency is missing")
	}
	return &Nominator{Deps: d, slots: make(chan struct{}, atOnce)}, nil
}

// BeforeRegister nominates the pods that are planned onto a claim to its node, and waits until the scheduler
// may be expected to know. Call it just before the node loses the taint that keeps pods off.
func (n *Nominator) BeforeRegister(ctx context.Context, claim *karpenterv1.NodeClaim, node *corev1.Node) error {
	ctx, cancel := context.WithTimeout(ctx, holdAtMost)
	defer cancel()
	var failed error
	for range tries {
		due := n.due(claim.Name, node.Name)
		if len(due) == 0 {
			return failed
		}
		written, err := n.write(ctx, due, node.Name)
		failed = err
		if len(written) == 0 && err != nil {
			return failed
		}
		if err := n.await(ctx, written, node.Name); err != nil {
			return errors.Join(failed, err)
		}
	}
	return failed
}

// due lists the pods that are still to be nominated to a node.
func (n *Nominator) due(claim, node string) []*corev1.Pod {
	var out []*corev1.Pod
	for _, pod := range n.Plans.Planned(claim) {
		if pod.Status.NominatedNodeName == "" && pod.Spec.NodeName == "" && pod.DeletionTimestamp.IsZero() && known(pod) && !ordered(pod) {
			out = append(out, pod)
		}
	}
	return out
}

// known pods are scheduled by a scheduler whose rules we know.
func known(pod *corev1.Pod) bool {
	return pod.Spec.SchedulerName == "" || pod.Spec.SchedulerName == corev1.DefaultSchedulerName
}

// ordered pods can be bound to some nodes only after others were bound elsewhere: with a hard spread over zones, say,
// pods must come zone by zone. Nominated to one node each, most attempts would fail and wait, whereas the scheduler
// by itself picks the zone whose turn it is; the room is there, since that of all others is taken.
func ordered(pod *corev1.Pod) bool {
	for i := range pod.Spec.TopologySpreadConstraints {
		c := &pod.Spec.TopologySpreadConstraints[i]
		if c.WhenUnsatisfiable == corev1.DoNotSchedule && c.TopologyKey != corev1.LabelHostname {
			return true
		}
	}
	a := pod.Spec.Affinity
	return a != nil && a.PodAffinity != nil && len(a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution) > 0
}

// write nominates pods and returns those for which it went well. A pod that changed, or went, meanwhile is passed over.
func (n *Nominator) write(ctx context.Context, pods []*corev1.Pod, node string) (written []shape.PodID, err error) {
	var (
		mu    sync.Mutex // guards written and errs
		errs  []error
		group errgroup.Group
	)
	group.SetLimit(atOnce)
	for _, pod := range pods {
		group.Go(func() error {
			err := n.nominate(ctx, pod, node)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				written = append(written, translate.IDOf(pod))
			case !apierrors.IsConflict(err) && !apierrors.IsNotFound(err):
				errs = append(errs, fmt.Errorf("nominating pod %s to node %s: %w", translate.IDOf(pod), node, err))
			}
			return nil
		})
	}
	_ = group.Wait() // errors are collected above
	if len(errs) > 0 {
		return written, errs[0] // one is as good as all: they differ in the pod's name
	}
	return written, nil
}

// nominate writes to one pod unless it has changed since it was last seen.
func (n *Nominator) nominate(ctx context.Context, pod *corev1.Pod, node string) error {
	select {
	case n.slots <- struct{}{}:
		defer func() { <-n.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	changed := pod.DeepCopy()
	changed.Status.NominatedNodeName = node
	patch := client.MergeFromWithOptions(pod, client.MergeFromWithOptimisticLock{})
	return n.Client.Status().Patch(ctx, changed, patch, client.FieldOwner(owner))
}

// await waits until what was written can be seen, or the pod is bound, gone, or refused once more.
func (n *Nominator) await(ctx context.Context, written []shape.PodID, node string) error {
	deadline := n.Clock.Now().Add(showWithin)
	for n.Clock.Now().Before(deadline) && !n.shown(written, node) {
		if err := n.pause(ctx, showEvery); err != nil {
			return err
		}
	}
	return n.pause(ctx, settleFor)
}

func (n *Nominator) shown(written []shape.PodID, node string) bool {
	for _, id := range written {
		if pod := n.Plans.Pod(id); pod != nil && pod.Spec.NodeName == "" && pod.Status.NominatedNodeName != node {
			return false
		}
	}
	return true
}

func (n *Nominator) pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-n.Clock.After(d):
		return nil
	}
}
