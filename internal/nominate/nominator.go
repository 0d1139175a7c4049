package nominate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/mirror"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

const (
	// owner is the field manager of what is written.
	owner = "dovetail"

	// atOnce is how many pods are written to in parallel, of all nodes: the API server has other work.
	atOnce = 50

	// most is how often one pod is written to for one plan. A scheduler that clears the field each time has its
	// reasons.
	most = 8
)

// plans is the part of the mirror that is needed here.
type plans interface {
	// Targets lists the claims that pods are planned onto and not bound yet.
	Targets() []mirror.Target
	// Planned lists those pods of one claim.
	Planned(claim string) []*corev1.Pod
}

// Deps are what a Nominator needs; all are required.
type Deps struct {
	Client client.Client
	Plans  plans
	Clock  clock.Clock
	Log    logr.Logger
}

// Nominator writes nominations.
type Nominator struct {
	Deps
	slots chan struct{} // one for each write at a time

	// Of the one goroutine that follows:
	wakeAt time.Time // when it is next looked for pods that are stuck
	wakes  int       // how often the scheduler was woken for those that still are

	mu    sync.Mutex              // guards tried
	tried map[shape.PodID]attempt // what was written to a pod
}

// New checks that nothing is missing.
func New(d Deps) (*Nominator, error) {
	if d.Client == nil || d.Plans == nil || d.Clock == nil {
		return nil, errors.New("nominator: a dependency is missing")
	}
	return &Nominator{Deps: d, slots: make(chan struct{}, atOnce), tried: map[shape.PodID]attempt{}}, nil
}

// Open reports whether a pod may still be nominated: it is not bound or going, nobody has nominated it, and its
// scheduler heeds that and has not cleared it too often.
func (n *Nominator) Open(pod *corev1.Pod) bool {
	if pod.Status.NominatedNodeName != "" || pod.Spec.NodeName != "" || !pod.DeletionTimestamp.IsZero() ||
		!known(pod) {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.tried[translate.IDOf(pod)].times < most
}

// Tell nominates those of the pods to a node that may be, and were not written to since they were last seen.
func (n *Nominator) Tell(ctx context.Context, pods []*corev1.Pod, node string) error {
	var due []*corev1.Pod
	for _, pod := range pods {
		if n.Open(pod) && n.again(pod) {
			due = append(due, pod)
		}
	}
	return n.write(ctx, due, node)
}

// attempt is what was written to a pod.
type attempt struct {
	times int       // nominations
	over  string    // resource version that was written over
	at    time.Time // when that was
}

// again reports whether a pod may be written to: not before what came of the last time is seen.
func (n *Nominator) again(pod *corev1.Pod) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.tried[translate.IDOf(pod)].over != pod.ResourceVersion
}

// known pods are scheduled by a scheduler whose rules we know.
func known(pod *corev1.Pod) bool {
	return pod.Spec.SchedulerName == "" || pod.Spec.SchedulerName == corev1.DefaultSchedulerName
}

// write nominates pods, to nothing if the node is empty. A pod that changed, or went, meanwhile is passed over.
func (n *Nominator) write(ctx context.Context, pods []*corev1.Pod, node string) error {
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, pod := range pods {
		group.Go(func() error {
			err := n.nominate(ctx, pod, node)
			n.note(pod, node)
			if err == nil || apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
				return nil
			}
			return fmt.Errorf("nominating pod %s to node %q: %w", translate.IDOf(pod), node, err)
		})
	}
	return group.Wait() // the first error is as good as all: they differ in the pod's name
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
	// Written by hand: working out the difference of two pods costs more than all the rest.
	patch := fmt.Sprintf(
		`{"metadata":{"resourceVersion":%q},"status":{"nominatedNodeName":%q}}`,
		pod.ResourceVersion,
		node,
	)
	return n.Client.Status().
		Patch(ctx, changed, client.RawPatch(types.MergePatchType, []byte(patch)), client.FieldOwner(owner))
}

// note remembers an attempt.
func (n *Nominator) note(pod *corev1.Pod, node string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	id := translate.IDOf(pod)
	a := n.tried[id]
	a.over, a.at = pod.ResourceVersion, n.Clock.Now()
	if node != "" {
		a.times++
	}
	n.tried[id] = a
}
