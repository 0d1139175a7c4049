package binder

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/internal/translate"
)

// server is the API server as the keeper sees it.
type server struct {
	client.Client
	world *world
}

func (s server) SubResource(string) client.SubResourceClient { return binder{world: s.world} }

// Get reads a pod.
func (s server) Get(_ context.Context, key client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	p := s.world.pods[key.Name]
	if p == nil {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, key.Name)
	}
	p.DeepCopyInto(o.(*corev1.Pod))
	return nil
}

// Patch opens a node.
func (s server) Patch(_ context.Context, o client.Object, _ client.Patch, _ ...client.PatchOption) error {
	w := s.world
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.nodes[o.GetName()]
	switch {
	case n == nil:
		return apierrors.NewNotFound(schema.GroupResource{Resource: "nodes"}, o.GetName())
	case n.ResourceVersion != o.GetResourceVersion():
		return apierrors.NewConflict(schema.GroupResource{Resource: "nodes"}, o.GetName(), errors.New("newer"))
	case w.random != nil && w.random.IntN(4) == 0:
		return errors.New("connection reset")
	}
	for _, p := range w.pods {
		if ledger(w).PromisedTo(translate.IDOf(p)) == n.Name {
			w.fail("node %s is opened before it was seen what became of pod %s", n.Name, p.Name)
		}
		if w.late[p.Name] == n.Name && p.Spec.NodeName == "" {
			w.fail("node %s is opened while the binding of pod %s is under way", n.Name, p.Name)
		}
	}
	n.Spec.Taints = o.(*corev1.Node).Spec.Taints
	w.say("%s is opened", n.Name)
	w.changed("node", n)
	if w.random != nil && w.random.IntN(4) == 0 {
		return errors.New("connection reset")
	}
	return nil
}

// binder is pods/binding.
type binder struct {
	client.SubResourceClient
	world *world
}

// Create binds a pod, or does not, and says so, or does not.
func (b binder) Create(_ context.Context, o, body client.Object, _ ...client.SubResourceCreateOption) error {
	w := b.world
	w.mu.Lock()
	defer w.mu.Unlock()
	to := body.(*corev1.Binding)
	if w.gone[to.Target.Name] {
		w.fail("%s is bound to %s, which is known to be gone", o.GetName(), to.Target.Name)
	}
	fate := 0
	if w.random != nil {
		fate = w.random.IntN(8)
	}
	switch fate {
	case 1:
		w.lost++
		return errors.New("connection refused")
	case 2:
		w.lost++
		_ = w.bind(to)
		return errors.New("connection reset")
	case 3:
		w.lost++
		w.later(to, time.Duration(1+w.random.IntN(8))*time.Second)
		return errors.New("timeout")
	case 4:
		return apierrors.NewTooManyRequestsError("busy")
	}
	return w.bind(to)
}

func (w *world) bind(b *corev1.Binding) error {
	p := w.pods[b.Name]
	pods := schema.GroupResource{Resource: "pods"}
	switch {
	case p == nil:
		return apierrors.NewNotFound(pods, b.Name)
	case p.UID != b.UID:
		return apierrors.NewConflict(pods, b.Name, errors.New("precondition failed"))
	case p.Spec.NodeName != "":
		w.conflicts++
		return apierrors.NewConflict(pods, b.Name, errors.New("already assigned"))
	}
	w.assign(p, b.Target.Name, "us")
	w.bindings++
	n := w.nodes[b.Target.Name]
	if n == nil {
		w.drop(p) // as the API server's garbage collector does
		return nil
	}
	if what := w.over(p, n); what != "" {
		w.fail("node %s has %s after pod %s was bound", n.Name, what, p.Name)
	}
	if len(n.Spec.Taints) == 0 {
		w.fail("pod %s is bound to node %s, which is open", p.Name, n.Name)
	}
	return nil
}
