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

	// most is how often one pod is written to for one plan. A scheduler that clears the field each time has its reasons.
	most = 8
)

// plans is the part of the mirror that is needed here.
type plans interface {
	// Targets lists the claims that pods are planned onto and not bound yet.
	Targets() []mirror.Target
	// Planned lists those pods of one claim.
	Planned(claim string) []*corev1.Pod
	// Snapshot is the cluster as it is known now.
	Snapshot() shape.Snapshot
	// Nominate notes that pods are planned onto a claim now.
	Nominate(pods []shape.PodID, claim string)
}

// Deps are what a Nominator needs; all are required.
type Deps struct {
	Client client.Client
	Plans  plans
	Clock  clock.Clock
	Log    logr.Logger

	// HoldAtMost is how long a node that could take pods may wait for others of its plan; 0 is not to wait.
	HoldAtMost time.Duration
}

// Nominator writes nominations.
type Nominator struct {
	Deps
	slots chan struct{} // one for each write at a time

	// Of the one goroutine that follows:
	wakeAt time.Time // when it is next looked for pods that are stuck
	wakes  int       // how often the scheduler was woken for those that still are

	filling sync.Mutex // held while pods are moved forward

	mu       sync.Mutex              // guards what follows
	gate     map[string]*waiting     // by claim: nodes that are held
	released map[string]time.Time    // by claim: when its node was let go, of plans under way
	tried    map[shape.PodID]attempt // what was written to a pod
}

// New checks that nothing is missing.
func New(d Deps) (*Nominator, error) {
	if d.Client == nil || d.Plans == nil || d.Clock == nil {
		return nil, errors.New("nominator: a dependency is missing")
	}
	return &Nominator{Deps: d, slots: make(chan struct{}, atOnce), gate: map[string]*waiting{}, released: map[string]time.Time{}, tried: map[shape.PodID]attempt{}}, nil
}

// due lists the pods that are still to be nominated to a claim's node.
func (n *Nominator) due(claim string) []*corev1.Pod {
	var out []*corev1.Pod
	for _, pod := range n.Plans.Planned(claim) {
		if pod.Status.NominatedNodeName == "" && pod.Spec.NodeName == "" && pod.DeletionTimestamp.IsZero() && known(pod) && n.again(pod) {
			out = append(out, pod)
		}
	}
	return out
}

// attempt is what was written to a pod.
type attempt struct {
	times int       // nominations
	over  string    // resource version that was written over
	at    time.Time // when that was
}

// again reports whether a pod may be written to: not too often, and not before what came of the last time is seen.
func (n *Nominator) again(pod *corev1.Pod) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	last := n.tried[translate.IDOf(pod)]
	return last.times < most && last.over != pod.ResourceVersion
}

// known pods are scheduled by a scheduler whose rules we know.
func known(pod *corev1.Pod) bool {
	return pod.Spec.SchedulerName == "" || pod.Spec.SchedulerName == corev1.DefaultSchedulerName
}

// write nominates pods, to nothing if the node is empty, and returns those for which it went well. A pod that changed, or went, meanwhile is passed over.
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
			n.note(pod, node)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				written = append(written, translate.IDOf(pod))
			case !apierrors.IsConflict(err) && !apierrors.IsNotFound(err):
				errs = append(errs, fmt.Errorf("nominating pod %s to node %q: %w", translate.IDOf(pod), node, err))
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
	// Written by hand: working out the difference of two pods costs more than all the rest.
	patch := fmt.Sprintf(`{"metadata":{"resourceVersion":%q},"status":{"nominatedNodeName":%q}}`, pod.ResourceVersion, node)
	return n.Client.Status().Patch(ctx, changed, client.RawPatch(types.MergePatchType, []byte(patch)), client.FieldOwner(owner))
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
