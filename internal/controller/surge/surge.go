// Package surge starts the successor of a single pod before the pod is evicted, where a PodDisruptionBudget lets
// nothing go and the pod's own Deployment allows two to run side by side for a while.
//
// The pod's label pod-template-hash is changed. Its ReplicaSet lets it go and makes another one; Services, which select
// by other labels, keep sending to the old one until the new one is ready. Then the budget, which counts both, lets the
// old one be evicted through the Eviction API like any other. Nothing of the owner is changed.
//
// What was begun is written on the pod in the same request that changes the label, so whoever leads after a crash goes
// on: to wait, to give up and put the label back, or to end a pod whose Deployment is gone.
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
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/internal/observe"
)

// Annotations of pods whose successor is started first.
const (
	// annotationBegun holds begunAs as JSON.
	annotationBegun = "dovetail.sh/surge"
	// annotationFailed is when a surge was given up, in RFC 3339; it is not tried again for restFor.
	annotationFailed = "dovetail.sh/surge-failed"
)

const (
	// patience is how long a successor may take to be ready.
	patience = 10 * time.Minute
	// restFor is how long a pod whose successor did not come is left alone.
	restFor = time.Hour
	// believe is how long it is believed that a pod may or may not surge.
	believe = 30 * time.Second
)

// begunAs is what has to be known to finish.
type begunAs struct {
	Hash       string    `json:"hash"` // the label before
	Since      time.Time `json:"since"`
	Deployment string    `json:"deployment"`
	UID        types.UID `json:"uid"` // of the Deployment
}

// Deps are what a Surger needs; all are required.
type Deps struct {
	Client client.Client
	// Reader reads past the cache: owners and Services are asked for seldom and are not cached.
	Reader client.Reader
	Clock  clock.PassiveClock
	Events *observe.Recorder
}

// Surger starts successors. It is safe for use by many goroutines.
type Surger struct {
	Deps
	known *cache.LRUExpireCache // by the pod's UID: whether it may surge
}

// maxKnown is of how many pods it is remembered whether they may surge, the ones last asked about: some 1 MB, and more
// pods than leave at once. One that is forgotten costs a read.
const maxKnown = 10_000

// New makes a Surger.
func New(d Deps) *Surger { return &Surger{d, cache.NewLRUExpireCacheWithClock(maxKnown, d.Clock)} }

// Able reports whether a pod that its budget does not let go can have its successor started first, or has it already.
// What cannot be read counts as no.
func (s *Surger) Able(ctx context.Context, pod *corev1.Pod) bool {
	if pod.Annotations[annotationBegun] != "" {
		return true
	}
	if known, ok := s.known.Get(pod.UID); ok {
		able, _ := known.(bool)
		return able
	}
	_, why, err := s.look(ctx, pod)
	able := err == nil && why == ""
	s.known.Add(pod.UID, able, believe)
	return able
}

// Begin starts the successor of a pod of which an eviction was refused, if that may be, and does nothing otherwise.
func (s *Surger) Begin(ctx context.Context, pod *corev1.Pod) error {
	if pod.Annotations[annotationBegun] != "" {
		return nil
	}
	fresh := &corev1.Pod{}
	if err := s.Reader.Get(ctx, client.ObjectKeyFromObject(pod), fresh); err != nil || fresh.UID != pod.UID {
		return client.IgnoreNotFound(err)
	}
	d, why, err := s.look(ctx, fresh)
	if err != nil || why != "" {
		return err
	}
	r, err := json.Marshal(
		begunAs{fresh.Labels[appsv1.DefaultDeploymentUniqueLabelKey], s.Clock.Now(), d.Name, d.UID},
	)
	if err != nil {
		return fmt.Errorf("writing down how pod %s/%s is replaced: %w", pod.Namespace, pod.Name, err)
	}
	if err := s.label(
		ctx,
		fresh,
		"replaced-"+fresh.Labels[appsv1.DefaultDeploymentUniqueLabelKey],
		map[string]any{annotationBegun: string(r), annotationFailed: nil},
	); err != nil {
		return err
	}
	s.Events.Emitf(
		fresh,
		observe.SuccessorStarted,
		"Deployment %s starts another pod before this one is evicted, because no PodDisruptionBudget lets it go and "+
			"its strategy allows both.",
		d.Name,
	)
	return nil
}

// look reads what decides whether a pod may surge, and says why not.
func (s *Surger) look(ctx context.Context, pod *corev1.Pod) (d *appsv1.Deployment, why string, err error) {
	if at, err := time.Parse(
		time.RFC3339,
		pod.Annotations[annotationFailed],
	); err == nil &&
		s.Clock.Since(at) < restFor {
		return nil, "its successor was not ready in time a while ago", nil
	}
	sub := subject{pod: pod}
	if sub.deployment, err = s.owner(ctx, pod); err != nil || sub.deployment == nil {
		return nil, "it is not of a Deployment", err
	}
	for _, v := range pod.Spec.Volumes {
		name := ""
		switch {
		case v.PersistentVolumeClaim != nil:
			name = v.PersistentVolumeClaim.ClaimName
		case v.Ephemeral != nil:
			continue // each pod has its own
		default:
			continue
		}
		claim := corev1.PersistentVolumeClaim{}
		if err := s.Reader.Get(ctx, types.NamespacedName{Namespace: pod.Namespace, Name: name}, &claim); err != nil {
			return nil, "", fmt.Errorf("reading volume claim %s/%s: %w", pod.Namespace, name, err)
		}
		sub.claims = append(sub.claims, claim)
	}
	var services corev1.ServiceList
	if err := s.Reader.List(ctx, &services, client.InNamespace(pod.Namespace)); err != nil {
		return nil, "", fmt.Errorf("listing Services of namespace %s: %w", pod.Namespace, err)
	}
	sub.services = services.Items
	return sub.deployment, sub.refusal(), nil
}

// owner is the Deployment of a pod; nil if it has none.
func (s *Surger) owner(ctx context.Context, pod *corev1.Pod) (*appsv1.Deployment, error) {
	set := &appsv1.ReplicaSet{}
	if ok, err := s.controller(ctx, pod, "ReplicaSet", set); !ok || err != nil {
		return nil, err
	}
	d := &appsv1.Deployment{}
	if ok, err := s.controller(ctx, set, "Deployment", d); !ok || err != nil {
		return nil, err
	}
	return d, nil
}

func (s *Surger) controller(ctx context.Context, of client.Object, kind string, into client.Object) (bool, error) {
	ref := metav1.GetControllerOf(of)
	if ref == nil || ref.Kind != kind || ref.APIVersion != appsv1.SchemeGroupVersion.String() {
		return false, nil
	}
	err := s.Reader.Get(ctx, types.NamespacedName{Namespace: of.GetNamespace(), Name: ref.Name}, into)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading the %s of %s/%s: %w", kind, of.GetNamespace(), of.GetName(), err)
	}
	return into.GetUID() == ref.UID, nil
}

// label writes a pod's hash and annotations in one request, if the pod is still as it was read. A nil annotation is
// taken away.
func (s *Surger) label(ctx context.Context, pod *corev1.Pod, hash string, annotations map[string]any) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": pod.UID, "resourceVersion": pod.ResourceVersion,
		"labels": map[string]any{appsv1.DefaultDeploymentUniqueLabelKey: hash}, "annotations": annotations,
	}})
	if err != nil {
		return fmt.Errorf("preparing a patch of pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	target := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}}
	if err := s.Client.Patch(
		ctx,
		target,
		client.RawPatch(types.MergePatchType, patch),
	); client.IgnoreNotFound(
		err,
	) != nil {
		return fmt.Errorf("labelling pod %s/%s, whose successor is started first: %w", pod.Namespace, pod.Name, err)
	}
	return nil
}
