// Package lookout follows a live cluster for viewers: it says when something changed, and reads what may be read from
// its own copy. It watches only, and never writes. What may not be listed is left out and named.
package lookout

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/internal/capture"
	"github.com/dovetail-sh/dovetail/internal/manifest"
)

// Lookout is a cluster that is followed.
type Lookout struct {
	cache     cache.Cache
	namespace string
	barred    map[string]error // by the name of a list's type: why it is not followed
	changed   chan struct{}

	mu      sync.Mutex // guards trouble
	trouble string
}

// Start finds out what may be listed, and follows that until the context ends. It returns once a first copy is there;
// the error says that the server does not answer, or knows none of the kinds that matter.
func Start(ctx context.Context, kube *rest.Config, scheme *runtime.Scheme, namespace string) (*Lookout, error) {
	direct, err := client.New(kube, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", kube.Host, err)
	}
	access, err := capture.Probe(ctx, direct, namespace)
	if err != nil {
		return nil, err
	}
	l := &Lookout{namespace: namespace, barred: access.Barred, changed: make(chan struct{}, 1)}
	watching := rest.CopyConfig(kube)
	watching.Timeout = 0 // watches have no end
	options := cache.Options{
		Scheme:                   scheme,
		DefaultTransform:         cache.TransformStripManagedFields(),
		ByObject:                 map[client.Object]cache.ByObject{},
		DefaultWatchErrorHandler: func(_ context.Context, _ *toolscache.Reflector, err error) { l.fail(err) },
	}
	for _, o := range access.InNamespace {
		options.ByObject[o] = cache.ByObject{Namespaces: map[string]cache.Config{namespace: {}}}
	}
	if l.cache, err = cache.New(watching, options); err != nil {
		return nil, fmt.Errorf("following %s: %w", kube.Host, err)
	}
	for _, o := range access.Followed {
		informer, err := l.cache.GetInformer(ctx, o, cache.BlockUntilSynced(false))
		if err != nil {
			return nil, fmt.Errorf("following %T: %w", o, err)
		}
		if _, err := informer.AddEventHandler(l.handler()); err != nil {
			return nil, fmt.Errorf("following %T: %w", o, err)
		}
	}
	go func() { _ = l.cache.Start(ctx) }() // it ends with the context only
	if !l.cache.WaitForCacheSync(ctx) {
		return nil, fmt.Errorf("reading %s: %w", kube.Host, context.Cause(ctx))
	}
	return l, nil
}

func (l *Lookout) handler() toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { l.note() },
		UpdateFunc: func(_, _ any) { l.note() },
		DeleteFunc: func(any) { l.note() },
	}
}

// note says that something changed; once is enough.
func (l *Lookout) note() {
	l.fail(nil)
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

func (l *Lookout) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.trouble = ""
	case l.trouble == "":
		l.trouble = fmt.Sprintf(
			"no answer since %s, shown is what was seen then: %v",
			time.Now().UTC().Format("15:04:05Z"),
			err,
		)
	}
}

// Changed has something to receive whenever anything changed since the last time.
func (l *Lookout) Changed() <-chan struct{} { return l.changed }

// Trouble is why what is shown may be old; empty if it is not.
func (l *Lookout) Trouble() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trouble
}

// Read is the cluster as it was seen last. Its objects are shared: they must not be changed.
func (l *Lookout) Read(ctx context.Context) (*manifest.Set, []string, error) {
	return capture.Allowed(ctx, l, l.namespace)
}

// Get is never asked for.
func (l *Lookout) Get(ctx context.Context, key client.ObjectKey, into client.Object, opts ...client.GetOption) error {
	return l.cache.Get(ctx, key, into, opts...)
}

// List lists from the copy; what is not followed is as the server said when it was asked first.
func (l *Lookout) List(ctx context.Context, into client.ObjectList, opts ...client.ListOption) error {
	if err := l.barred[capture.NameOf(into)]; err != nil {
		whole := client.ListOptions{}
		whole.ApplyOptions(opts)
		if meta.IsNoMatchError(err) || whole.Namespace == "" || !capture.Partly(err) {
			return err
		}
	}
	return l.cache.List(ctx, into, append(opts, client.UnsafeDisableDeepCopyOption(true))...)
}
