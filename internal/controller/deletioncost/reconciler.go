package deletioncost

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/internal/controller/disrupt"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

const (
	// every is how long a pass waits after the one before it.
	every = 10 * time.Second
	// writesAPass bounds what one pass writes; what is left comes with the next one, the most urgent first.
	writesAPass = 1000
)

// Deps are what a Reconciler needs; all are required.
type Deps struct {
	Client  client.Client
	Live    client.Reader
	Clock   clock.Clock
	Metrics observe.DeletionCostMetrics
	Log     logr.Logger

	// Off takes back what was written, once, and writes nothing: the gate is closed.
	Off bool
}

// Reconciler keeps the annotation of pods as the plan says.
type Reconciler struct {
	Deps

	mu        sync.Mutex // guards the fields below
	standings []disrupt.Standing
	noted     bool // standings are newer than what was written

	foreign map[types.UID]string // values of pods that are somebody else's, as the cache shows them
}

// New checks that nothing is missing.
func New(d Deps) (*Reconciler, error) {
	if d.Client == nil || d.Live == nil || d.Clock == nil {
		return nil, errors.New("deletion cost controller: a dependency is missing")
	}
	return &Reconciler{Deps: d, foreign: map[types.UID]string{}}, nil
}

// Note takes what a pass of the planner knows of nodes. It does not block.
func (r *Reconciler) Note(standings []disrupt.Standing) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.standings, r.noted = standings, true
}

// NeedLeaderElection is true: the annotation has one writer.
func (r *Reconciler) NeedLeaderElection() bool { return true }

// Start makes passes until the context ends.
func (r *Reconciler) Start(ctx context.Context) error {
	for {
		rest, err := r.Pass(ctx)
		if err != nil && ctx.Err() == nil {
			r.Log.Error(
				err,
				"writing pod deletion costs; trying again",
				observe.LogController,
				"pod.deletioncost",
				"left",
				rest,
			)
		}
		if r.Off && rest == 0 && err == nil {
			return nil // nothing is left of an earlier process
		}
		select {
		case <-ctx.Done():
			return nil
		case <-r.Clock.After(every):
		}
	}
}

// write is one change of one pod.
type write struct {
	pod   *corev1.Pod
	value string // empty to take it back
	pool  string
	turn  disrupt.Turn
}

// Pass writes what has changed, and returns how many writes are left for the next pass.
func (r *Reconciler) Pass(ctx context.Context) (left int, err error) {
	r.mu.Lock()
	standings, noted := r.standings, r.noted
	r.mu.Unlock()
	if !noted && !r.Off {
		return 0, nil // nobody knows yet what is to go, so nothing is taken back either
	}
	var pods corev1.PodList
	if err := r.Client.List(ctx, &pods, client.UnsafeDisableDeepCopy); err != nil { // they are only read
		return 0, fmt.Errorf("listing pods: %w", err)
	}
	if r.Off {
		standings = nil
	}
	todo := r.changes(pods.Items, standings)
	now := todo[:min(len(todo), writesAPass)]
	var errs []error
	for _, w := range now {
		errs = append(errs, r.carryOut(ctx, w))
	}
	r.gauge(todo[len(now):], standings)
	return len(todo) - len(now), errors.Join(errs...)
}

// changes are the writes that are due, the most urgent first.
func (r *Reconciler) changes(pods []corev1.Pod, standings []disrupt.Standing) []write {
	on := make(map[string]disrupt.Standing, len(standings))
	for _, s := range standings {
		on[s.Node] = s
	}
	var out []write
	there := make(map[types.UID]string, len(r.foreign))
	for i := range pods {
		pod := &pods[i]
		if !shrinks(pod) {
			continue
		}
		has := pod.Annotations[corev1.PodDeletionCost]
		if value, known := r.foreign[pod.UID]; known && value == has {
			there[pod.UID] = value
			continue
		}
		s := on[pod.Spec.NodeName]
		if want := valueOf(s); want != has {
			out = append(out, write{pod, want, s.Pool, s.Turn})
		}
	}
	r.foreign = there
	slices.SortStableFunc(out, func(a, b write) int {
		return cmp.Or(-cmp.Compare(a.turn, b.turn), cmp.Compare(translate.IDOf(a.pod), translate.IDOf(b.pod)))
	})
	return out
}

// shrinks reports whether a ReplicaSet may choose the pod when it shrinks.
func shrinks(pod *corev1.Pod) bool {
	owner := metav1.GetControllerOfNoCopy(pod)
	return owner != nil && owner.Kind == "ReplicaSet" && owner.APIVersion == "apps/v1" &&
		pod.Spec.NodeName != "" && pod.DeletionTimestamp == nil && !translate.Finished(pod)
}

func (r *Reconciler) carryOut(ctx context.Context, w write) error {
	var result string
	var err error
	if w.value == "" {
		result, err = r.clear(ctx, w.pod)
	} else {
		result, err = r.set(ctx, w.pod, w.value)
	}
	r.Metrics.Writes.WithLabelValues(result).Inc()
	if result == conflict {
		r.foreign[w.pod.UID] = w.pod.Annotations[corev1.PodDeletionCost]
	}
	return err
}

// gauge says how many nodes of each pool have pods that still wait for their value.
func (r *Reconciler) gauge(left []write, standings []disrupt.Standing) {
	nodes := map[string]map[string]bool{}
	for _, s := range standings {
		nodes[s.Pool] = map[string]bool{}
	}
	for _, w := range left {
		if w.pool != "" {
			nodes[w.pool][w.pod.Spec.NodeName] = true
		}
	}
	r.Metrics.Pending.Reset()
	for pool, waiting := range nodes {
		r.Metrics.Pending.WithLabelValues(pool).Set(float64(len(waiting)))
	}
}
