package mirror

import (
	"context"
	"fmt"
	"slices"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	storagev1 "k8s.io/api/storage/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/mirror/objects"
)

// Kinds are the kinds of objects that a Mirror follows.
func Kinds() []client.Object {
	return []client.Object{
		&corev1.Namespace{},
		&corev1.LimitRange{},
		&nodev1.RuntimeClass{},
		&storagev1.StorageClass{},
		&corev1.PersistentVolume{},
		&corev1.PersistentVolumeClaim{},
		&storagev1.CSINode{},
		&appsv1.DaemonSet{},
		&karpenterv1.NodePool{},
		&karpenterv1.NodeClaim{},
		&corev1.Node{},
		&corev1.Pod{},
	}
}

// Spreaders are the kinds that default spread constraints follow from; see Options.Defaults.
func Spreaders() []client.Object {
	return []client.Object{
		&corev1.Service{},
		&appsv1.ReplicaSet{},
		&appsv1.StatefulSet{},
		&corev1.ReplicationController{},
	}
}

// watch is where events come from and who hears of them.
type watch struct {
	mu      sync.Mutex // guards the fields below
	sources []toolscache.ResourceEventHandlerRegistration
	hearers []func(Change)
}

// Follow has a cache's informers feed the mirror. It does not wait for them; see Synced.
func (m *Mirror) Follow(ctx context.Context, from cache.Cache) error {
	kinds := Kinds()
	if len(m.facts.World.Defaults) > 0 {
		kinds = append(Spreaders(), kinds...)
	}
	if m.devices.On {
		kinds = append(objects.DeviceKinds(), kinds...)
	}
	for _, kind := range kinds {
		informer, err := from.GetInformer(ctx, kind, cache.BlockUntilSynced(false))
		if err != nil {
			return fmt.Errorf("watching %T: %w", kind, err)
		}
		source, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc:    func(o any) { m.seen(o) },
			UpdateFunc: func(_, o any) { m.seen(o) },
			DeleteFunc: func(o any) { m.gone(o) },
		})
		if err != nil {
			return fmt.Errorf("watching %T: %w", kind, err)
		}
		m.watch.mu.Lock()
		m.watch.sources = append(m.watch.sources, source)
		m.watch.mu.Unlock()
	}
	return nil
}

func (m *Mirror) seen(o any) {
	if object, ok := o.(client.Object); ok {
		m.Put(object)
	}
}

func (m *Mirror) gone(o any) {
	if last, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
		o = last.Obj
	}
	if object, ok := o.(client.Object); ok {
		m.Drop(object)
	}
}

// Synced reports whether everything that was in the API server when the mirror began to follow it is
// in the mirror. It never becomes false again, whatever single objects do.
func (m *Mirror) Synced() bool {
	m.watch.mu.Lock()
	defer m.watch.mu.Unlock()
	return len(m.watch.sources) > 0 &&
		!slices.ContainsFunc(
			m.watch.sources,
			func(s toolscache.ResourceEventHandlerRegistration) bool { return !s.HasSynced() },
		)
}

// WaitForSync returns once the mirror is Synced; false if the context ended before. Follow must have been called.
func (m *Mirror) WaitForSync(ctx context.Context) bool {
	m.watch.mu.Lock()
	checkers := make([]toolscache.DoneChecker, len(m.watch.sources))
	for i, s := range m.watch.sources {
		checkers[i] = s.HasSyncedChecker()
	}
	m.watch.mu.Unlock()
	return len(checkers) > 0 && toolscache.WaitFor(ctx, "", checkers...)
}

// Informed reports whether the whole cluster was seen, and what every NodePool can buy is known: Offer was called for
// each, if only to say why nothing can be bought.
func (m *Mirror) Informed() bool {
	if !m.Synced() {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.pools.all {
		if p.offer == nil {
			return false
		}
	}
	return true
}

// Hear has f called after changes that may matter to those who plan. f must be quick; it may be
// called from several goroutines at once.
func (m *Mirror) Hear(f func(Change)) {
	m.watch.mu.Lock()
	defer m.watch.mu.Unlock()
	m.watch.hearers = append(m.watch.hearers, f)
}

func (w *watch) tell(c Change) {
	if c == 0 {
		return
	}
	w.mu.Lock()
	hearers := w.hearers
	w.mu.Unlock()
	for _, f := range hearers {
		f(c)
	}
}
