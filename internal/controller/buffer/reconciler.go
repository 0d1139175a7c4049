package buffer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	autoscalingv1beta1 "github.com/dovetail-sh/dovetail/api/autoscaling/v1beta1"
	"github.com/dovetail-sh/dovetail/internal/controller/calm"
	"github.com/dovetail-sh/dovetail/internal/controller/provision"
	"github.com/dovetail-sh/dovetail/internal/mirror"
)

// keeper plans for buffers.
type keeper interface {
	Keep(buffers []mirror.Buffer)
}

// Deps are what a Reconciler needs; all are required.
type Deps struct {
	Client client.Client
	Clock  clock.PassiveClock
	Keep   keeper
}

// Reconciler keeps buffers. It has one request only: all of them.
type Reconciler struct {
	Deps
	news chan event.GenericEvent // holds one

	mu    sync.Mutex // guards the field below
	rooms map[types.NamespacedName]provision.Headroom
}

// New checks that nothing is missing.
func New(d Deps) (*Reconciler, error) {
	if d.Client == nil || d.Clock == nil || d.Keep == nil {
		return nil, errors.New("buffer controller: a dependency is missing")
	}
	return &Reconciler{Deps: d, news: make(chan event.GenericEvent, 1)}, nil
}

// Planned takes what a plan says of all buffers. It never waits.
func (r *Reconciler) Planned(rooms map[types.NamespacedName]provision.Headroom) {
	r.mu.Lock()
	same := maps.Equal(r.rooms, rooms)
	r.rooms = rooms
	r.mu.Unlock()
	if same {
		return
	}
	select {
	case r.news <- event.GenericEvent{Object: &autoscalingv1beta1.CapacityBuffer{}}:
	default:
	}
}

func (r *Reconciler) room(buffer types.NamespacedName) *provision.Headroom {
	r.mu.Lock()
	defer r.mu.Unlock()
	if room, ok := r.rooms[buffer]; ok {
		return &room
	}
	return nil
}

// Reconcile works out all buffers, has them planned for, and writes their status.
func (r *Reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	// See.
	var list autoscalingv1beta1.CapacityBufferList
	if err := r.Client.List(ctx, &list); err != nil {
		return reconcile.Result{}, fmt.Errorf("listing CapacityBuffers: %w", err)
	}
	outcomes := make([]*outcome, len(list.Items))
	var buffers []mirror.Buffer
	for i := range list.Items {
		b := &list.Items[i]
		if !ours(b) {
			continue
		}
		o, err := r.look(ctx, b)
		if err != nil {
			return reconcile.Result{}, err // what is kept stays as it is
		}
		outcomes[i] = &o
		if o.replicas > 0 {
			buffers = append(buffers, mirror.Buffer{
				Name: client.ObjectKeyFromObject(
					b,
				),
				Created:  b.CreationTimestamp,
				Template: o.template,
				Pods:     int(o.replicas),
				Set:      o.set,
				Next:     o.next,
			})
		}
	}

	// Act.
	r.Keep.Keep(buffers)
	errs := make([]error, 0, len(list.Items))
	for i := range list.Items {
		if outcomes[i] != nil {
			errs = append(errs, r.write(ctx, &list.Items[i], *outcomes[i]))
		}
	}
	return reconcile.Result{}, errors.Join(errs...)
}

// ours are buffers of the strategy that is known here. Others may be somebody else's.
func ours(b *autoscalingv1beta1.CapacityBuffer) bool {
	s := b.Spec.ProvisioningStrategy
	return b.DeletionTimestamp.IsZero() && (s == nil || *s == "" || *s == autoscalingv1beta1.ActiveCapacityStrategy)
}

// look works out what a buffer asks for. An error is the API server's.
func (r *Reconciler) look(ctx context.Context, b *autoscalingv1beta1.CapacityBuffer) (outcome, error) {
	found, err := resolve(ctx, r.Client, b)
	var n int32
	if err == nil {
		n, err = count(b, found)
	}
	var trouble *unresolved
	if errors.As(err, &trouble) {
		return outcome{trouble: trouble}, nil
	}
	if err != nil {
		return outcome{}, fmt.Errorf("resolving CapacityBuffer %s/%s: %w", b.Namespace, b.Name, err)
	}
	return outcome{resolved: found, replicas: n, room: r.room(client.ObjectKeyFromObject(b))}, nil
}

func (r *Reconciler) write(ctx context.Context, b *autoscalingv1beta1.CapacityBuffer, o outcome) error {
	before := b.DeepCopy()
	describe(b, o, r.Clock.Now())
	if equality.Semantic.DeepEqual(before.Status, b.Status) {
		return nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Status().Patch(ctx, b, patch); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("writing status of CapacityBuffer %s/%s: %w", b.Namespace, b.Name, err)
	}
	return nil
}

// Register has the manager call the Reconciler once at the start, and when a buffer changes, or what buffers may refer
// to, or what a plan says of them.
func (r *Reconciler) Register(m manager.Manager) error {
	all := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: "all"}}}
	})
	changed := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	b := builder.ControllerManagedBy(m).Named("capacitybuffer").
		WithOptions(calm.Options(1)).
		Watches(&autoscalingv1beta1.CapacityBuffer{}, all, changed).
		Watches(&corev1.PodTemplate{}, all).
		Watches(&corev1.LimitRange{}, all).
		Watches(&nodev1.RuntimeClass{}, all).
		WatchesRawSource(source.Channel(r.news, all))
	for _, workload := range []client.Object{&appsv1.Deployment{}, &appsv1.StatefulSet{}, &appsv1.ReplicaSet{}} {
		b = b.Watches(workload, all, changed)
	}
	// a cluster without buffers has none to wait for
	r.news <- event.GenericEvent{Object: &autoscalingv1beta1.CapacityBuffer{}}
	return b.Complete(calm.Conflicts(r))
}
