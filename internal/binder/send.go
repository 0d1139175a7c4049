package binder

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

const (
	// bindWithin is how long the API server may take to answer one request.
	bindWithin = 10 * time.Second

	// seenWithin is how long a watch may take to show what became of a binding; then the API server is asked.
	seenWithin = 30 * time.Second

	// pauseFor is how long nothing is bound after it was found to be forbidden.
	pauseFor = 5 * time.Minute
)

// insist is how long to wait before a binding is sent again of which nobody knows whether it came about. It goes to the
// same node: a pod is bound once, so the answer to the second is the answer to the first as well.
var insist = wait.Backoff{Duration: 200 * time.Millisecond, Factor: 2, Jitter: 0.1, Steps: 8, Cap: 20 * time.Second}

// binding is one that is on its way.
type binding struct {
	pod  *corev1.Pod
	node string
}

// outcome is what the answer to a binding says of it.
type outcome string

const (
	bound   outcome = "bound"
	taken   outcome = "conflict" // bound already, to whatever node, or going
	refused outcome = "refused"  // not bound: there is no such pod any more, or it is not allowed
	unknown outcome = "unknown"  // nobody knows
)

func outcomeOf(err error) outcome {
	status := apierrors.APIStatus(nil)
	switch {
	case err == nil:
		return bound
	case apierrors.IsConflict(err):
		return taken
	case !errors.As(err, &status), apierrors.IsTooManyRequests(err), apierrors.IsTimeout(err),
		status.Status().Code >= http.StatusInternalServerError, status.Status().Code == 0:
		return unknown
	}
	return refused
}

// bind sends a binding until it is known what becomes of it. A promise for which nothing was bound is withdrawn; every
// other one ends when the watch shows the pod.
func (k *Keeper) bind(ctx context.Context, b binding) {
	id := translate.IDOf(b.pod)
	pause := insist
	for {
		if k.Plans.PromisedTo(id) != b.node { // it was seen meanwhile, or the node is gone
			k.sent.drop(id)
			return
		}
		err := k.send(ctx, b)
		result := outcomeOf(err)
		k.Metrics.Bindings.WithLabelValues(string(result)).Inc()
		switch result {
		case refused:
			k.refused(b, err)
			k.sent.drop(id)
			k.Plans.Withdraw(id)
			return
		case bound, taken:
			k.sent.answered(id, k.Clock.Now())
			return
		case unknown:
			select {
			case <-ctx.Done():
				return // the promise ends with this process
			case <-k.Clock.After(pause.Step()):
			}
		}
	}
}

// send sends a binding once. The pod is bound only if it is the one that was seen.
func (k *Keeper) send(ctx context.Context, b binding) error {
	select {
	case k.slots <- struct{}{}:
		defer func() { <-k.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, bindWithin)
	defer cancel()
	body := &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.pod.Namespace, Name: b.pod.Name, UID: b.pod.UID},
		Target:     corev1.ObjectReference{Kind: "Node", Name: b.node},
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: b.pod.Namespace, Name: b.pod.Name}}
	return k.Client.SubResource("binding").Create(ctx, pod, body)
}

// refused says why a pod was not bound. Without the right to do it nothing more is tried for a while, and all is left
// to kube-scheduler.
func (k *Keeper) refused(b binding, err error) {
	if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
		k.sent.pause(k.Clock.Now().Add(pauseFor))
		k.Log.Error(err,
			"Pods cannot be bound to the nodes that they were planned onto, and are left to kube-scheduler: "+
				"let the controller create pods/binding, as the chart does, or run it with --placement=nominate.")
		return
	}
	k.Log.V(1).Info("a pod was not bound", observe.LogPod, translate.IDOf(b.pod), observe.LogNode, b.node, "error",
		err.Error())
}

// sent is what is known of bindings that no watch shows yet.
type sent struct {
	mu     sync.Mutex // guards the fields below
	under  map[shape.PodID]*underway
	paused time.Time
}

type underway struct {
	binding
	answered time.Time // when the API server said what came of it; zero before
}

func (s *sent) note(pod *corev1.Pod, node string) binding {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := binding{pod, node}
	s.under[translate.IDOf(pod)] = &underway{binding: b}
	return b
}

func (s *sent) drop(id shape.PodID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.under, id)
}

func (s *sent) answered(id shape.PodID, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.under[id]; u != nil {
		u.answered = now
	}
}

func (s *sent) pause(until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paused = until
}

func (s *sent) pausedUntil() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.paused
}

// any reports whether there are any.
func (s *sent) any() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.under) > 0
}

// all lists those that were answered, and which of them were answered long ago.
func (s *sent) all(now time.Time) (answered []binding, overdue []bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.under {
		if u.answered.IsZero() {
			continue
		}
		late := now.Sub(u.answered) >= seenWithin
		if late {
			u.answered = now // it is asked again after as long
		}
		answered, overdue = append(answered, u.binding), append(overdue, late)
	}
	return answered, overdue
}

// settleSent forgets bindings that the watch shows, and asks the API server about those that it ought to show.
func (k *Keeper) settleSent(ctx context.Context, now time.Time) {
	answered, overdue := k.sent.all(now)
	for i, b := range answered {
		id := translate.IDOf(b.pod)
		switch {
		case k.Plans.PromisedTo(id) != b.node:
			k.sent.drop(id)
		case overdue[i]:
			unbound, err := k.unbound(ctx, b)
			if err != nil {
				k.Log.V(1).Info("looking for what became of a binding", observe.LogPod, id, "error", err.Error())
				return // the others would fare no better
			}
			if unbound {
				k.sent.drop(id)
				k.Plans.Withdraw(id)
			}
		}
	}
}

// unbound asks the API server whether a pod is there no more, or has no node although its binding was answered.
func (k *Keeper) unbound(ctx context.Context, b binding) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, bindWithin)
	defer cancel()
	pod := &corev1.Pod{}
	err := k.Live.Get(ctx, client.ObjectKeyFromObject(b.pod), pod)
	if client.IgnoreNotFound(err) != nil {
		return false, err
	}
	return err != nil || pod.UID != b.pod.UID || pod.Spec.NodeName == "", nil
}
