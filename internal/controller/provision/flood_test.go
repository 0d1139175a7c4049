package provision_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/controller/provision"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// flood is the controller's main path (mirror, translation, planner, applier) under a stream of changes. In place of an
// API server there is a feed: what informers would tell, at the rate of the setting. Pods come and find room that
// others have left; one in a hundred needs a node of its own, which joins two seconds after it was asked for.
type flood struct {
	*rig
	nodes, pods int
	rate        int // changes a second

	waiting []life // of the goroutine that feeds: pods that came and are not bound

	mu      sync.Mutex // guards arrived and waits
	arrived map[shape.PodID]time.Time
	waits   []time.Duration
	writes  atomic.Int64 // that an API server would have got
}

// deluge are figures of a flood. Cores and MiB are of the whole process, feed included.
type deluge struct {
	changes, decided  int
	cores             float64
	live              float64 // MiB, after a collection
	p50, p99          time.Duration
	late              time.Duration // how far the feed was behind at most
	refit             time.Duration // the longest pass over all nodes
	requestsPerChange float64
}

// newFlood is nodes with four cores, of which pods of four sizes take about three.
func newFlood(t testing.TB, nodes, pods, rate int) *flood {
	t.Helper()
	f := &flood{nodes: nodes, pods: pods, rate: rate, arrived: map[shape.PodID]time.Time{}}
	f.rig = newRigOf(t, clock.RealClock{}, func(context.Context, client.Object) { f.writes.Add(1) })
	f.pool("q", 1)
	for i := range nodes {
		f.join(fmt.Sprintf("n%05d", i))
	}
	for i := range pods {
		f.mirror.Put(f.newPod(i, fmt.Sprintf("n%05d", i%nodes)))
	}
	return f
}

// join is a node with its claim.
func (f *flood) join(name string) {
	c := &karpenterv1.NodeClaim{}
	c.Name, c.Labels = "c-"+name, map[string]string{karpenterv1.NodePoolLabelKey: "q"}
	c.Status.ProviderID = "m-" + name
	n := &corev1.Node{}
	n.Name, n.Spec.ProviderID = name, c.Status.ProviderID
	n.Labels = map[string]string{
		shape.LabelHostname: name, shape.LabelZone: "a", shape.LabelArch: "amd64", shape.LabelOS: "linux",
		shape.LabelInstanceType: "big",
		shape.LabelCapacityType: shape.OnDemand, karpenterv1.NodePoolLabelKey: "q",
		karpenterv1.NodeInitializedLabelKey: "true", karpenterv1.NodeRegisteredLabelKey: "true",
	}
	n.Status.Allocatable = corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse(
			"4",
		), corev1.ResourceMemory: resource.MustParse("16Gi"), corev1.ResourcePods: resource.MustParse("58"),
	}
	n.Status.Capacity = n.Status.Allocatable
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	f.mirror.Put(c)
	f.mirror.Put(n)
}

var cpuOf = []string{"100m", "250m", "500m", "950m"}

// newPod is one of 300 Deployments' pods, on a node or waiting.
func (f *flood) newPod(i int, node string) *corev1.Pod {
	p := &corev1.Pod{}
	p.Namespace, p.Name = "default", fmt.Sprintf("p%07d", i)
	p.UID = "1"
	p.Labels = map[string]string{"app": fmt.Sprintf("a%d", i%300)}
	p.Spec.NodeName = node
	p.Spec.Containers = []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse(
			cpuOf[i%len(cpuOf)],
		), corev1.ResourceMemory: resource.MustParse("256Mi"),
	}}}}
	if node == "" {
		p.Status.Conditions = []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable},
		}
	} else {
		p.Status.Phase = corev1.PodRunning
	}
	return p
}

// decide notes how long pods have waited for a plan.
func (f *flood) decide(pods []shape.PodID) {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range pods {
		if came, waiting := f.arrived[id]; waiting {
			f.waits = append(f.waits, now.Sub(came))
			delete(f.arrived, id)
		}
	}
}

// run lets the flood come for so long.
func (f *flood) run(t testing.TB, during time.Duration) deluge {
	t.Helper()
	f.Decided, f.Log = f.decide, logr.Discard()
	f.Batch = provision.NewBatch(time.Second, 10*time.Second, clock.RealClock{})
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	var longest time.Duration
	before, began := cpu(t), time.Now()
	group.Go(func() { _ = f.follow(ctx) })
	group.Go(func() { longest = f.refits(ctx) })
	changes, late := f.feed(t, began, during)
	used := cpu(t) - before
	stop()
	group.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	out := deluge{
		changes: changes, decided: len(f.waits), cores: used.Seconds() / during.Seconds(), late: late, refit: longest,
		requestsPerChange: float64(f.writes.Load()) / float64(changes),
	}
	slices.Sort(f.waits)
	if n := len(f.waits); n > 0 {
		out.p50, out.p99 = f.waits[n/2], f.waits[n*99/100]
	}
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	out.live = float64(stats.HeapAlloc) / (1 << 20)
	return out
}

// follow plans as the daemon does.
func (f *flood) follow(ctx context.Context) error {
	f.mirror.Hear(f.Hear)
	for ctx.Err() == nil {
		f.Batch.WaitAnd(ctx, 10*time.Second, f.Meanwhile)
		if _, err := f.Pass(ctx); err != nil {
			return err
		}
	}
	return nil
}

// refits looks for nodes to give up every ten seconds, as the daemon does, and returns what the longest pass took.
func (f *flood) refits(ctx context.Context) (longest time.Duration) {
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		began := time.Now()
		p := refit.DefaultPolicy()
		p.Pools = map[string]refit.PoolPolicy{"q": {Mode: refit.WhenUnderutilized, Budget: f.nodes / 10}}
		refit.Refit(f.mirror.Snapshot(), p)
		longest = max(longest, time.Since(began))
		select {
		case <-ctx.Done():
			return longest
		case <-tick.C:
		}
	}
}

// life is a pod of the feed: another makes room for it, it comes, and is bound where the other was.
type life struct {
	pod  int
	node string
}

// feed tells of so many changes a second, in steps of ten milliseconds. Of three changes one is a pod that goes, one
// that comes, and one that was bound.
func (f *flood) feed(t testing.TB, began time.Time, during time.Duration) (changes int, late time.Duration) {
	const step = 10 * time.Millisecond
	tick := time.NewTicker(step)
	defer tick.Stop()
	for at := time.Duration(0); at < during; at += step {
		<-tick.C
		late = max(late, time.Since(began)-at-step)
		for want := int(float64(f.rate) * (at + step).Seconds()); changes < want; changes++ {
			f.change(t, changes)
		}
	}
	return changes, late
}

// change is one of the feed.
func (f *flood) change(t testing.TB, i int) {
	t.Helper()
	switch l := (life{f.pods + i/3, fmt.Sprintf("n%05d", i/3%f.nodes)}); {
	case i%3 == 0:
		f.mirror.Drop(f.told(t, f.newPod(i/3, l.node)))
		f.waiting = append(f.waiting, l)
	case i%3 == 1:
		f.arrive(t, l.pod)
	case len(f.waiting) > f.rate:
		f.bind(t, f.waiting[0])
		f.waiting = f.waiting[1:]
	case i/3+1 < f.pods: // the status of one changed that runs
		f.mirror.Put(f.told(t, f.newPod(i/3+1, fmt.Sprintf("n%05d", (i/3+1)%f.nodes))))
	}
}

// bind is a pod that kube-scheduler has bound. If no plan has seen it before, none needs to.
func (f *flood) bind(t testing.TB, l life) {
	p := f.newPod(l.pod, l.node)
	f.mu.Lock()
	delete(f.arrived, translate.IDOf(p))
	f.mu.Unlock()
	f.mirror.Put(f.told(t, p))
}

// arrive is a pod that comes. One in a hundred fills a node.
func (f *flood) arrive(t testing.TB, i int) {
	p := f.newPod(i, "")
	if i%100 == 0 {
		p.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU] = resource.MustParse("4")
	}
	f.mu.Lock()
	f.arrived[translate.IDOf(p)] = time.Now()
	f.mu.Unlock()
	f.mirror.Put(f.told(t, p))
}

// told is a pod as an informer tells of it: as large as pods of a Deployment are on the wire, decoded, and without what
// the controller's caches leave out. Encoding it is the API server's work, and counted here all the same.
func (f *flood) told(t testing.TB, p *corev1.Pod) *corev1.Pod {
	t.Helper()
	p.ManagedFields = []metav1.ManagedFieldsEntry{
		{Manager: "kubelet", FieldsV1: metav1.NewFieldsV1(strings.Repeat("f", 1500))},
	}
	for i := range 12 {
		p.Spec.Containers[0].Env = append(
			p.Spec.Containers[0].Env,
			corev1.EnvVar{Name: fmt.Sprintf("SETTING_%d", i), Value: "some value or other"},
		)
	}
	wire, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	out := &corev1.Pod{}
	if err := out.Unmarshal(wire); err != nil {
		t.Fatal(err)
	}
	kept, err := lookup.Slim(out)
	if err != nil {
		t.Fatal(err)
	}
	slim, ok := kept.(*corev1.Pod)
	if !ok {
		t.Fatalf("the cache keeps %T", kept)
	}
	return slim
}

// cpu is what this process has used.
func cpu(t testing.TB) time.Duration {
	t.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		t.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// A small flood: nobody is forgotten, and next to nothing is asked of the API server.
func TestNobodyIsForgottenInAFlood(t *testing.T) {
	t.Parallel()
	f := newFlood(t, 50, 300, 300)
	got := f.run(t, 3*time.Second)
	if got.changes < 890 || got.decided == 0 || got.requestsPerChange > 0.05 {
		t.Errorf("%+v", got)
	}
	f.pass()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.arrived) > 0 {
		t.Errorf("%d pods were never planned", len(f.arrived))
	}
}

// BenchmarkFlood is the whole main path under a thousand changes a second, for twenty seconds each. docs/scale.md has
// what it says.
func BenchmarkFlood(b *testing.B) {
	for _, s := range []struct{ nodes, pods, rate int }{
		{200, 5_000, 50}, {1_000, 20_000, 200}, {5_000, 50_000, 500},
		{15_000, 100_000, 1_000}, {15_000, 100_000, 5_000},
	} {
		b.Run(fmt.Sprintf("nodes=%d/pods=%d/changes=%d", s.nodes, s.pods, s.rate), func(b *testing.B) {
			f := newFlood(b, s.nodes, s.pods, s.rate)
			for range b.N { // once: it takes as long as it takes
				got := f.run(b, 20*time.Second)
				b.ReportMetric(got.cores, "cores")
				b.ReportMetric(got.live, "live-MiB")
				b.ReportMetric(float64(got.p50.Milliseconds()), "queue-p50-ms")
				b.ReportMetric(float64(got.p99.Milliseconds()), "queue-p99-ms")
				b.ReportMetric(float64(got.refit.Milliseconds()), "refit-ms")
				b.ReportMetric(float64(got.late.Milliseconds()), "late-ms")
				b.ReportMetric(got.requestsPerChange, "requests/change")
			}
		})
	}
}

// BenchmarkArrival is one pod that comes to 15,000 nodes with 100,000 pods: from what the informer tells to the
// decision and what is written down of it.
func BenchmarkArrival(b *testing.B) {
	f := newFlood(b, 15_000, 100_000, 0)
	f.Log = logr.Discard()
	if _, err := f.Pass(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	before := cpu(b)
	for i := 0; b.Loop(); i++ {
		p := f.newPod(f.pods+i, "")
		f.mirror.Put(p)
		if _, err := f.Pass(b.Context()); err != nil {
			b.Fatal(err)
		}
		f.mirror.Drop(p)
	}
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N)/1000, "cpu-ms/op")
	if f.mirror.Snapshot().Nodes == nil {
		b.Fatal("there are no nodes")
	}
}
