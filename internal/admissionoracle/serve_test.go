package admissionoracle

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/internal/devplane"
)

const (
	// writers create objects at once; more do not make a server quicker.
	writers = 32

	// patience is how long the controllers may do nothing at all before what they have not done counts as not to be
	// done.
	patience = 30 * time.Second

	// glance is how long not to look: listing everything keeps a server from its work.
	glance = time.Second
)

// server is a control plane with one node, and what all scenes share.
type server struct {
	client.Client
}

func newServer(t *testing.T) *server {
	t.Helper()
	plane := devplane.Start(t, devplane.Parts("controller-manager", "kwok"))
	config := rest.CopyConfig(plane.Config())
	config.WarningHandlerWithContext = rest.NoWarnings{} // of fields that are better written otherwise
	c, err := client.New(config, client.Options{Scheme: scheme.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{c}
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:        "node",
			Labels:      nodeLabels,
			Annotations: map[string]string{"kwok.x-k8s.io/node": "fake"},
		},
	}
	if err := s.all(t.Context(), append(classes(), node)); err != nil {
		t.Fatal(err)
	}
	s.until(t, "the node to be ready", func(ctx context.Context) (bool, error) {
		err := s.Get(ctx, client.ObjectKeyFromObject(node), node)
		return err == nil && len(node.Spec.Taints) == 0 && len(node.Status.Conditions) > 0, err
	})
	return s
}

func (s *server) until(t *testing.T, what string, done func(context.Context) (bool, error)) {
	t.Helper()
	if err := wait.PollUntilContextTimeout(t.Context(), glance, 2*time.Minute, true, done); err != nil {
		t.Fatalf("waiting for %s: %v", what, err)
	}
}

// each calls f for every item, many at once.
func each[T any](ctx context.Context, items []T, f func(context.Context, T) error) error {
	work := make(chan T)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for range writers {
		wg.Go(func() {
			for item := range work {
				if err := f(ctx, item); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
			}
		})
	}
	for _, item := range items {
		work <- item
	}
	close(work)
	wg.Wait()
	return errors.Join(errs...)
}

// again is how often a server is asked that has too much to do, a minute in all.
var again = wait.Backoff{Duration: time.Second, Factor: 2, Steps: 6}

// busy errors say nothing of the object.
func busy(err error) bool {
	return apierrors.IsInternalError(err) || apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) ||
		apierrors.IsTooManyRequests(err)
}

// create creates a copy of an object. What a server does not accept is in refused, all else in err.
func (s *server) create(ctx context.Context, o client.Object) (refused, err error) {
	err = retry.OnError(again, busy, func() error { return s.Create(ctx, o.DeepCopyObject().(client.Object)) })
	switch {
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return err, nil
	case apierrors.IsAlreadyExists(err):
		return nil, nil
	}
	return nil, err
}

// all creates objects that a server must accept.
func (s *server) all(ctx context.Context, objects []client.Object) error {
	return each(ctx, objects, func(ctx context.Context, o client.Object) error {
		refused, err := s.create(ctx, o)
		if err := errors.Join(refused, err); err != nil {
			return fmt.Errorf("creating %T %s: %w", o, client.ObjectKeyFromObject(o), err)
		}
		return nil
	})
}

// play creates everything of the scenes, and notes what was refused. LimitRanges that no server accepts are taken out.
func (s *server) play(t *testing.T, scenes []*scene) {
	t.Helper()
	ctx := t.Context()
	var first, accounts []client.Object
	for _, sc := range scenes {
		first = append(first, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: sc.name}})
		// Without its account a namespace has no pods; the controller that makes it comes later than we do.
		accounts = append(
			accounts,
			&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: sc.name, Name: "default"}},
		)
	}
	if err := errors.Join(s.all(ctx, first), s.all(ctx, accounts)); err != nil {
		t.Fatal(err)
	}
	err := each(ctx, scenes, func(ctx context.Context, sc *scene) error {
		var kept []client.Object
		for _, o := range sc.around {
			refused, err := s.create(ctx, o)
			if err != nil {
				return err
			}
			if refused == nil {
				kept = append(kept, o)
			}
		}
		sc.around = kept
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.catchUp(t)
	var subjects []*subject
	for _, sc := range scenes {
		subjects = append(subjects, sc.subjects...)
	}
	err = each(ctx, subjects, func(ctx context.Context, of *subject) (err error) {
		of.refused, err = s.create(ctx, of.object)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// catchUp waits until admission has seen every LimitRange and class: it hears of them in the order in which they were
// made.
func (s *server) catchUp(t *testing.T) {
	t.Helper()
	last := metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: "last"}
	l := &corev1.LimitRange{ObjectMeta: last}
	l.Spec.Limits = []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer,
		DefaultRequest: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m")}}}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: last.Namespace, Name: "default"}}
	if err := s.all(t.Context(), []client.Object{l, account}); err != nil {
		t.Fatal(err)
	}
	s.until(t, "admission to hear of all objects", func(ctx context.Context) (bool, error) {
		pod := &corev1.Pod{
			ObjectMeta: last,
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "pause:3"}}},
		}
		if err := s.Create(ctx, pod, client.DryRunAll); err != nil {
			return false, client.IgnoreAlreadyExists(err)
		}
		return len(pod.Spec.Containers[0].Resources.Requests) > 0 && pod.Spec.Priority != nil &&
			*pod.Spec.Priority == 10, nil
	})
}

// outcome is what became of the subjects.
type outcome struct {
	pods   map[client.ObjectKey][]*corev1.Pod // by subject
	failed map[client.ObjectKey]string        // why the controller of a subject could not create a pod
}

func (s *server) look(ctx context.Context) (outcome, error) {
	out := outcome{pods: map[client.ObjectKey][]*corev1.Pod{}, failed: map[client.ObjectKey]string{}}
	var pods corev1.PodList
	var events corev1.EventList
	if err := errors.Join(s.List(ctx, &pods), s.List(ctx, &events)); err != nil {
		return out, err
	}
	for i := range pods.Items {
		key := owner(&pods.Items[i])
		out.pods[key] = append(out.pods[key], &pods.Items[i])
	}
	for i := range events.Items {
		e := &events.Items[i]
		if e.Reason == "FailedCreate" && refusal(e.Message) {
			out.failed[client.ObjectKey{Namespace: e.Namespace, Name: e.InvolvedObject.Name[:len("s0")]}] = e.Message
		}
	}
	return out, nil
}

// refusal tells what admission and validation say from what a server says that had no time.
func refusal(message string) bool {
	return strings.Contains(message, " is forbidden: ") || strings.Contains(message, " is invalid: ")
}

// owner is the subject that a pod is of, or is.
func owner(p *corev1.Pod) client.ObjectKey {
	if name := p.Labels["of"]; name != "" {
		return client.ObjectKey{Namespace: p.Namespace, Name: name}
	}
	return client.ObjectKeyFromObject(p)
}

// settle waits until every subject has as many pods as expected, or more, or cannot have them; or until nothing happens
// any more.
func (s *server) settle(t *testing.T, expected map[client.ObjectKey]int) outcome {
	t.Helper()
	var last outcome
	seen, since := -1, time.Now()
	s.untilQuiet(t, func(ctx context.Context) (bool, error) {
		now, err := s.look(ctx)
		if err != nil {
			return false, err
		}
		last = now
		missing, happened := 0, len(now.failed)
		for key, n := range expected {
			happened += len(now.pods[key])
			if len(now.pods[key]) < n && now.failed[key] == "" {
				missing++
			}
		}
		if happened != seen {
			seen, since = happened, time.Now()
		}
		return missing == 0 || time.Since(since) > patience, nil
	})
	return last
}

func (s *server) untilQuiet(t *testing.T, done func(context.Context) (bool, error)) {
	t.Helper()
	if err := wait.PollUntilContextCancel(t.Context(), glance, true, done); err != nil {
		t.Fatalf("waiting for the controllers: %v", err)
	}
}
