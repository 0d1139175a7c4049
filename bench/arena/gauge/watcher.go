package gauge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// Rates are the least prices by which the bound is worked out, in dollars an hour.
type Rates struct {
	Core, GB float64 // of a core and of 10^9 bytes of memory, on demand
	Share    float64 // what the cheapest capacity type that a play allows costs of that, 0 to 1
}

// PriceOf is what a node costs an hour by its labels. It is false for labels that nothing is sold under.
type PriceOf func(labels map[string]string) (float64, bool)

// Watcher follows pods of one namespace, and all nodes. Its methods can be called from several goroutines.
type Watcher struct {
	rates Rates
	price PriceOf
	began time.Time

	mu      sync.Mutex // guards the fields below
	pods    map[types.UID]*pod
	nodes   map[types.UID]*node
	mourned []node // that are gone
	waits   []time.Duration
	now     totals
	rise    rise
	sums    integral
	refused int
	strange []string // nodes whose price is not known
}

// pod is what is known of a pod that is there.
type pod struct {
	born     time.Time // as it was seen here, since the API server's own time is in whole seconds
	milli    int64
	bytes    int64
	placed   bool // it has a node
	running  bool
	waited   bool // its wait has been noted
	leaving  bool
	finished bool
	refused  bool // by a kubelet; it was counted
}

// wanted pods are those that somebody would miss.
func (p *pod) wanted() bool { return !p.leaving && !p.finished }

// totals are of all pods that are wanted. They are kept by adding and taking away: going through 3,000 pods at each of
// their events would take a core from those who are measured.
type totals struct {
	wanted, running load
	placed          int // pods that have a node
}

// load is pods with what they ask for.
type load struct {
	pods         int
	milli, bytes int64
}

func (l *load) count(p *pod, times int) {
	l.pods += times
	l.milli, l.bytes = l.milli+int64(times)*p.milli, l.bytes+int64(times)*p.bytes
}

// count adds a pod by times times: 1 or -1.
func (t *totals) count(p *pod, times int) {
	if !p.wanted() {
		return
	}
	t.wanted.count(p, times)
	if p.placed {
		t.placed += times
	}
	if p.running {
		t.running.count(p, times)
	}
}

// node is what is known of a node.
type node struct {
	born, gone time.Time // gone is zero while it is there
	dollars    float64   // an hour
}

// rise is the first time that pods are waited for.
type rise struct {
	began           time.Time
	pods            int
	half, most, all time.Duration // 0 until it was so
}

// integral adds up what changes with time.
type integral struct {
	at       time.Time // until when
	podHours float64   // of pods that run
	bound    float64   // of them, in dollars
}

// Watch begins to follow a namespace and returns when it has seen what is there. It ends with ctx.
func Watch(ctx context.Context, kube kubernetes.Interface, rates Rates, price PriceOf) (*Watcher, error) {
	now := time.Now()
	w := &Watcher{
		rates: rates, price: price, began: now, pods: map[types.UID]*pod{}, nodes: map[types.UID]*node{},
		sums: integral{at: now},
	}
	factory := informers.NewSharedInformerFactory(kube, 0)
	pods := factory.InformerFor(
		&corev1.Pod{},
		func(kube kubernetes.Interface, resync time.Duration) cache.SharedIndexInformer {
			filtered := informers.NewSharedInformerFactoryWithOptions(
				kube,
				resync,
				informers.WithNamespace(metav1.NamespaceDefault),
			)
			return filtered.Core().V1().Pods().Informer()
		},
	)
	nodes := factory.Core().V1().Nodes().Informer()
	_, err := pods.AddEventHandler(handler(w.seePod, w.losePod))
	_, other := nodes.AddEventHandler(handler(w.seeNode, w.loseNode))
	if err := errors.Join(err, other); err != nil {
		return nil, fmt.Errorf("following the cluster: %w", err)
	}
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return nil, fmt.Errorf(
				"following the cluster: the watch of %s did not begin: %w",
				kind,
				context.Cause(ctx),
			)
		}
	}
	return w, nil
}

// handler tells of objects that are there, and of those that are gone.
func handler[T any](see, lose func(*T)) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(o any) {
			if object, ok := o.(*T); ok {
				see(object)
			}
		},
		UpdateFunc: func(_, o any) {
			if object, ok := o.(*T); ok {
				see(object)
			}
		},
		DeleteFunc: func(o any) {
			if last, ok := o.(cache.DeletedFinalStateUnknown); ok {
				o = last.Obj
			}
			if object, ok := o.(*T); ok {
				lose(object)
			}
		},
	}
}

func (w *Watcher) seePod(o *corev1.Pod) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	w.add(now)
	p := w.pods[o.UID]
	if p != nil {
		w.now.count(p, -1)
	} else {
		p = &pod{born: now}
		w.pods[o.UID] = p
		for _, c := range o.Spec.Containers {
			p.milli += c.Resources.Requests.Cpu().MilliValue()
			p.bytes += c.Resources.Requests.Memory().Value()
		}
	}
	p.leaving = o.DeletionTimestamp != nil
	p.finished = o.Status.Phase == corev1.PodSucceeded || o.Status.Phase == corev1.PodFailed
	p.placed = o.Spec.NodeName != ""
	p.running = o.Status.Phase == corev1.PodRunning
	w.now.count(p, 1)
	if o.Status.Phase == corev1.PodFailed && !p.refused {
		p.refused = true
		w.refused++
	}
	if p.running && !p.waited {
		p.waited = true
		w.waits = append(w.waits, now.Sub(p.born))
	}
	w.climb(now)
}

func (w *Watcher) losePod(o *corev1.Pod) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.add(time.Now())
	if p := w.pods[o.UID]; p != nil {
		w.now.count(p, -1)
		delete(w.pods, o.UID)
	}
}

func (w *Watcher) seeNode(o *corev1.Node) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.nodes[o.UID] != nil {
		return
	}
	dollars, known := w.price(o.Labels)
	if !known {
		w.strange = append(w.strange, o.Name)
	}
	w.nodes[o.UID] = &node{born: time.Now(), dollars: dollars}
}

func (w *Watcher) loseNode(o *corev1.Node) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := w.nodes[o.UID]; n != nil {
		n.gone = time.Now()
		w.mourned = append(w.mourned, *n)
		delete(w.nodes, o.UID)
	}
}

// add brings the sums up to now. w.mu is held.
func (w *Watcher) add(now time.Time) {
	hours := now.Sub(w.sums.at).Hours()
	w.sums.at = now
	w.sums.podHours += hours * float64(w.now.running.pods)
	w.sums.bound += hours * w.rates.bound(w.now.running)
}

// bound is what so much would cost an hour if machines could be bought in fractions and kept nothing for the system.
func (r Rates) bound(l load) float64 {
	return r.Share * (float64(l.milli)/1000*r.Core + float64(l.bytes)/1e9*r.GB)
}

// Expect begins the first rise: so many pods are to run.
func (w *Watcher) Expect(pods int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rise.began.IsZero() {
		w.rise = rise{began: time.Now(), pods: pods}
	}
}

// climb notes how far the first rise has come. w.mu is held.
func (w *Watcher) climb(now time.Time) {
	if w.rise.began.IsZero() || w.rise.all > 0 {
		return
	}
	took := now.Sub(w.rise.began)
	for share, at := range map[int]*time.Duration{50: &w.rise.half, 95: &w.rise.most, 100: &w.rise.all} {
		if *at == 0 && 100*w.now.running.pods >= share*w.rise.pods {
			*at = took
		}
	}
}

// Count is how many pods run, and how many are to.
func (w *Watcher) Count() (running, wanted int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now.running.pods, w.now.wanted.pods
}
