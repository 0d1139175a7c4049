package surge

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/dovetail-sh/dovetail/internal/controller/calm"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

// pollEvery is how often a successor is looked at.
const pollEvery = 2 * time.Second

// step is what becomes of a pod whose successor was started.
type step uint8

const (
	wait    step = iota
	done         // the successor is ready: the drain evicts the pod
	restore      // it did not come: the pod goes back to its ReplicaSet
	end          // nobody wants the pod any more
)

// next decides. successors are the other pods that the Deployment's selector matches; deployment is nil if it is gone
// or another one.
func next(pod *corev1.Pod, r begunAs, deployment *appsv1.Deployment, successors []corev1.Pod, now time.Time) step {
	if deployment == nil || deployment.Spec.Replicas != nil && *deployment.Spec.Replicas == 0 {
		return end
	}
	for i := range successors {
		s := &successors[i]
		if s.UID != pod.UID && s.DeletionTimestamp.IsZero() && ready(s) && metav1.GetControllerOf(s) != nil {
			return done
		}
	}
	if now.Sub(r.Since) > patience {
		return restore
	}
	return wait
}

// Reconcile sees to one pod whose successor was started.
func (s *Surger) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	pod := &corev1.Pod{}
	if err := s.Reader.Get(ctx, req.NamespacedName, pod); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	var r begunAs
	if err := json.Unmarshal(
		[]byte(pod.Annotations[annotationBegun]),
		&r,
	); err != nil ||
		!pod.DeletionTimestamp.IsZero() {
		return reconcile.Result{}, nil // it was taken away, or the pod goes
	}
	deployment, successors, err := s.others(ctx, pod, r)
	if err != nil {
		return reconcile.Result{}, err
	}
	switch next(pod, r, deployment, successors, s.Clock.Now()) {
	case restore:
		s.Events.Emitf(
			pod,
			observe.SuccessorFailed,
			"The pod that Deployment %s started in its place was not ready within %s: this one stays, and is not "+
				"replaced so for %s.",
			r.Deployment,
			patience,
			restFor,
		)
		return reconcile.Result{}, s.label(
			ctx,
			pod,
			r.Hash,
			map[string]any{annotationBegun: nil, annotationFailed: s.Clock.Now().UTC().Format(time.RFC3339)},
		)
	case end:
		err := s.Client.Delete(ctx, pod, client.Preconditions{UID: &pod.UID})
		if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
			return reconcile.Result{}, fmt.Errorf(
				"deleting pod %s, whose Deployment %s is gone: %w",
				req,
				r.Deployment,
				err,
			)
		}
		return reconcile.Result{}, nil
	default:
		return reconcile.Result{RequeueAfter: pollEvery}, nil
	}
}

// others are the Deployment that a pod was of, nil if it is gone, and the pods that its selector matches.
func (s *Surger) others(ctx context.Context, pod *corev1.Pod, r begunAs) (*appsv1.Deployment, []corev1.Pod, error) {
	d := &appsv1.Deployment{}
	err := s.Reader.Get(ctx, types.NamespacedName{Namespace: pod.Namespace, Name: r.Deployment}, d)
	switch {
	case apierrors.IsNotFound(err) || err == nil && (d.UID != r.UID || !d.DeletionTimestamp.IsZero()):
		return nil, nil, nil
	case err != nil:
		return nil, nil, fmt.Errorf("reading Deployment %s/%s: %w", pod.Namespace, r.Deployment, err)
	}
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the selector of Deployment %s/%s: %w", pod.Namespace, r.Deployment, err)
	}
	var list corev1.PodList
	if err := s.Reader.List(
		ctx,
		&list,
		client.InNamespace(pod.Namespace),
		client.MatchingLabelsSelector{Selector: selector},
	); err != nil {
		return nil, nil, fmt.Errorf("listing the pods of Deployment %s/%s: %w", pod.Namespace, r.Deployment, err)
	}
	return d, list.Items, nil
}

// atOnce is how many surges are looked after at once: each mostly waits for the API server.
const atOnce = 10

// Register has the manager call the Surger for pods whose successor was started, those of a leader before included.
func (s *Surger) Register(m manager.Manager) error {
	begun := predicate.NewPredicateFuncs(
		func(o client.Object) bool { return o.GetAnnotations()[annotationBegun] != "" },
	)
	return builder.ControllerManagedBy(m).Named("pod.surge").WithOptions(calm.Options(atOnce)).
		For(&corev1.Pod{}, builder.WithPredicates(begun)).
		Complete(calm.Conflicts(s))
}
