package scenarios

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/awssim/control"
	"github.com/dovetail-sh/dovetail/provider"
)

// How long the harness waits and how often it looks. Looks are at a cache that watches feed, so they cost nothing.
const (
	patience  = 3 * time.Minute
	lookEvery = 200 * time.Millisecond

	// restFor is how long nothing may change until a cluster counts as at rest: longer than the second that Dovetail
	// collects pods for, and than the five seconds between its passes over the fleet.
	restFor = 12 * time.Second
)

// stage is the cluster that stories are played on, one after the other.
type stage struct {
	client    client.Client // reads from the API server
	cluster   client.Reader // reads from a cache
	cloud     provider.Cloud
	account   *control.Client
	variables map[string]string
	ledger    *ledger

	story   Story
	began   time.Time
	objects []*unstructured.Unstructured // what the story applied and did not delete, oldest first
	actors  sync.WaitGroup
	log     func(format string, args ...any)

	spare   int     // machines that may go unused
	waiting int     // pods that may wait at the end
	premium float64 // how many times what it could cost the fleet may cost at the end
}

// premium over what the fleet could cost, of a story that does not say another: the goal of the planner and of
// disruption together.
const premium = 1.03

// look is what a story waits for: whether it holds, and what was seen, for the message when it never does.
type look func(ctx context.Context) (holds bool, seen string, err error)

// await looks until it holds. The error says what was seen last.
func (s *stage) await(ctx context.Context, what string, holds look) error {
	return s.awaitFor(ctx, patience, what, holds)
}

// awaitFor is await with a limit of its own.
func (s *stage) awaitFor(ctx context.Context, limit time.Duration, what string, holds look) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	last, failed := "nothing yet", ""
	for {
		ok, seen, err := holds(ctx)
		switch {
		case err == nil && ok:
			return nil
		case err == nil:
			last, failed = seen, ""
		case ctx.Err() == nil:
			failed = ", then: " + err.Error()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %s for %s; last seen: %s%s", limit, what, last, failed)
		case <-tick.C:
		}
	}
}

// decode reads one of the story's manifests.
func (s *stage) decode(name string) ([]*unstructured.Unstructured, error) {
	text, err := s.story.manifest(name, s.variables)
	if err != nil {
		return nil, err
	}
	var out []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader([]byte(text)), 4096)
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(object); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, fmt.Errorf("parsing %s: %w", name, err)
		}
		if len(object.Object) > 0 {
			out = append(out, object)
		}
	}
}

// apply does what kubectl apply --server-side does, in the order of the file.
func (s *stage) apply(ctx context.Context, name string) error {
	objects, err := s.decode(name)
	if err != nil {
		return err
	}
	for _, o := range objects {
		s.home(o)
		if !s.has(o) {
			s.objects = append(s.objects, o.DeepCopy())
		}
		if err := s.client.Apply(
			ctx,
			client.ApplyConfigurationFromUnstructured(o),
			client.FieldOwner("world"),
			client.ForceOwnership,
		); err != nil {
			return fmt.Errorf("applying %s %s: %w", o.GetKind(), o.GetName(), err)
		}
	}
	return nil
}

// home puts a namespaced object that names no namespace into the default one, as kubectl does.
func (s *stage) home(o *unstructured.Unstructured) {
	mapping, err := s.client.RESTMapper().RESTMapping(o.GroupVersionKind().GroupKind(), o.GroupVersionKind().Version)
	if err == nil && mapping.Scope.Name() == meta.RESTScopeNameNamespace && o.GetNamespace() == "" {
		o.SetNamespace(metav1.NamespaceDefault)
	}
}

func (s *stage) has(o *unstructured.Unstructured) bool {
	for _, old := range s.objects {
		if same(old, o) {
			return true
		}
	}
	return false
}

func same(a, b *unstructured.Unstructured) bool {
	return a.GroupVersionKind().GroupKind() == b.GroupVersionKind().GroupKind() &&
		a.GetNamespace() == b.GetNamespace() &&
		a.GetName() == b.GetName()
}

// remove deletes what a manifest made and does not wait.
func (s *stage) remove(ctx context.Context, name string) error {
	objects, err := s.decode(name)
	if err != nil {
		return err
	}
	for _, o := range objects {
		s.home(o)
		if err := s.drop(ctx, o); err != nil {
			return err
		}
		for i, old := range s.objects {
			if same(old, o) {
				s.objects = append(s.objects[:i], s.objects[i+1:]...)
				break
			}
		}
	}
	return nil
}

func (s *stage) drop(ctx context.Context, o *unstructured.Unstructured) error {
	err := s.client.Delete(ctx, o, client.PropagationPolicy(metav1.DeletePropagationBackground))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting %s %s: %w", o.GetKind(), o.GetName(), err)
	}
	return nil
}

// clean deletes all that the story made: first what runs, then what nodes come from, then what nodes are made by. The
// drivers and agents go on until the last machine is gone.
func (s *stage) clean(ctx context.Context) error {
	objects := s.objects
	s.objects = nil
	for _, rank := range []int{0, 1, 2} {
		for i := len(objects) - 1; i >= 0; i-- {
			if rankOf(objects[i]) != rank {
				continue
			}
			if err := s.drop(ctx, objects[i]); err != nil {
				return err
			}
		}
		if rank == 0 {
			if err := s.client.DeleteAllOf(
				ctx,
				&corev1.PersistentVolumeClaim{},
				client.InNamespace(metav1.NamespaceDefault),
			); err != nil {
				return fmt.Errorf("deleting volume claims: %w", err)
			}
		}
	}
	return s.await(ctx, "the story's last object and machine to go", func(ctx context.Context) (bool, string, error) {
		for _, o := range objects {
			if err := s.client.Get(ctx, client.ObjectKeyFromObject(o), o); !apierrors.IsNotFound(err) {
				return false, fmt.Sprintf(
						"%s %s is still there",
						o.GetKind(),
						o.GetName(),
					), client.IgnoreNotFound(
						err,
					)
			}
		}
		var claims karpenterv1.NodeClaimList
		var pods corev1.PodList
		if err := errors.Join(s.client.List(ctx, &claims), s.client.List(ctx, &pods)); err != nil {
			return false, "", err
		}
		paid, err := s.spending(ctx)
		return len(claims.Items) == 0 && len(pods.Items) == 0 && paid == 0,
			fmt.Sprintf("%d claims, %d pods, $%.4f an hour", len(claims.Items), len(pods.Items), paid), err
	})
}

// rankOf is the turn in which an object is deleted.
func rankOf(o *unstructured.Unstructured) int {
	switch o.GetKind() {
	case "Namespace", "StorageClass", "PriorityClass", "RuntimeClass":
		return 1
	case "NodePool", "EC2NodeClass", "NodeOverlay":
		return 2
	}
	return 0
}
