package binder

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/mirror"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// TestNoNodeIsEverPromisedMoreThanItHas lets a planner, kube-scheduler, kubelets and users work on one cluster while
// watches are late, answers are lost and the controller dies. After every binding the node must hold what is bound to
// it, and in the end no node may be kept.
func TestNoNodeIsEverPromisedMoreThanItHas(t *testing.T) {
	t.Parallel()
	var bindings, lost, conflicts, restarts int
	rapid.Check(t, func(rt *rapid.T) {
		seed, steps := rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(200, 600).Draw(rt, "steps")
		var w *world
		synctest.Test(t, func(t *testing.T) {
			w = newWorld(t.Context(), seed)
			w.run(steps)
		})
		if w.fault != "" {
			rt.Fatalf("%s\n%s", w.fault, history(w))
		}
		bindings, lost, conflicts, restarts = bindings+w.bindings, lost+w.lost, conflicts+w.conflicts,
			restarts+w.restarts
	})
	t.Logf("%d bindings, %d answers lost, %d conflicts, %d restarts", bindings, lost, conflicts, restarts)
	if bindings == 0 || lost == 0 || conflicts == 0 || restarts == 0 {
		t.Error("something never happened: the test shows less than it says")
	}
}

// world is an API server with everything that works on it. The bubble's one goroutine makes all steps; bindings come
// from others, so mu is held by whoever says something.
type world struct {
	dice *rand.Rand
	mu   sync.Mutex // guards what follows

	pods   map[string]*corev1.Pod
	nodes  map[string]*corev1.Node
	claims map[string]*karpenterv1.NodeClaim
	serial int
	news   map[string][]func(*mirror.Mirror) // by kind: what watches have not shown yet
	late   map[string]string                 // by pod: nodes of bindings that the API server has yet to carry out
	gone   map[string]bool                   // nodes of which the mirror knows that they are gone

	mirror *mirror.Mirror
	keeper *Keeper
	parent context.Context
	ctx    context.Context
	stop   func()

	fault                               string
	lines                               []string
	bindings, lost, conflicts, restarts int
	random                              *rand.Rand // what the API server makes of requests
}

func newWorld(ctx context.Context, seed uint64) *world {
	w := &world{
		parent: ctx,
		dice:   rand.New(rand.NewPCG(seed, 1)), pods: map[string]*corev1.Pod{}, nodes: map[string]*corev1.Node{},
		claims: map[string]*karpenterv1.NodeClaim{},
		news:   map[string][]func(*mirror.Mirror){}, late: map[string]string{}, gone: map[string]bool{},
		random: rand.New(rand.NewPCG(seed, 2)),
	}
	w.start()
	return w
}

func ledger(w *world) mirror.Ledger { return w.mirror.Ledger() }

// later carries a binding out some time after it was answered, unless the controller ends before: then it ended
// with the connection.
func (w *world) later(to *corev1.Binding, after time.Duration) {
	w.late[to.Name] = to.Target.Name
	restarts := w.restarts
	go func() {
		<-time.After(after)
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.restarts == restarts {
			delete(w.late, to.Name)
			_ = w.bind(to)
		}
	}()
}

// roll is a number below n.
func (w *world) roll(n int) int { return w.dice.IntN(n) }

func (w *world) say(format string, args ...any) {
	w.lines = append(w.lines, time.Now().Format("05.000 ")+fmt.Sprintf(format, args...))
}

func history(w *world) (out string) {
	for _, line := range w.lines {
		out += line + "\n"
	}
	return out
}

func (w *world) fail(format string, args ...any) {
	w.say(format, args...)
	if w.fault == "" {
		w.fault = fmt.Sprintf(format, args...)
	}
}

func failed(w *world) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fault != ""
}

// start is a controller that lists everything.
func (w *world) start() {
	w.ctx, w.stop = context.WithCancel(w.parent)
	w.mirror = mirror.New(mirror.Options{Clock: clock.RealClock{}})
	clear(w.news)
	for _, o := range w.claims {
		w.mirror.Put(o.DeepCopy())
	}
	for _, o := range w.nodes {
		w.mirror.Put(o.DeepCopy())
	}
	for _, o := range w.pods {
		w.mirror.Put(o.DeepCopy())
	}
	w.keeper, _ = New(Deps{
		Client: server{world: w}, Live: server{world: w}, Plans: ledger(w), Clock: clock.RealClock{},
		Log:     logr.Discard(),
		Metrics: observe.NewMetrics().Pods, Keep: true, Bind: true, HoldAtMost: 10 * time.Second,
	})
}

func (w *world) run(steps int) {
	for range steps {
		if w.step(); failed(w) {
			break
		}
	}
	// Then all goes well, for as long as anything may take.
	w.mu.Lock()
	w.random = nil
	w.mu.Unlock()
	for range 30 {
		w.deliverAll()
		w.plan()
		w.joinAll()
		w.keeper.Round(w.ctx)
		synctest.Wait()
		<-time.After(5 * time.Second)
	}
	w.deliverAll()
	w.keeper.Round(w.ctx)
	w.mu.Lock()
	for name, n := range w.nodes {
		if translate.Planned(n) {
			w.fail("node %s is still kept", name)
		}
	}
	for name, p := range w.pods {
		if to := ledger(w).PromisedTo(translate.IDOf(p)); to != "" {
			w.fail("pod %s is still promised to %s", name, to)
		}
	}
	w.mu.Unlock()
	w.stop()
	w.keeper.group.Wait()
	synctest.Wait()
}

func (w *world) step() {
	switch w.roll(32) {
	case 0, 1, 2:
		for range 1 + w.roll(4) {
			w.create()
		}
	case 3, 4:
		w.buy()
	case 5, 6, 7:
		w.plan()
	case 8, 9, 10, 11:
		w.joinAll()
	case 12, 13, 14, 15, 16, 17, 18:
		w.deliver()
	case 19, 20, 21:
		w.keeper.Round(w.ctx)
		synctest.Wait()
	case 22, 23, 24, 25, 26:
		<-time.After(time.Duration(1+w.roll(30)) * 100 * time.Millisecond)
		w.keeper.Round(w.ctx)
		synctest.Wait()
	case 27, 28:
		w.schedule()
	case 29, 30:
		w.remove()
	case 31:
		if w.roll(4) == 0 {
			w.crash()
		}
	}
}

func (w *world) next(what string) string {
	w.serial++
	return what + strconv.Itoa(w.serial)
}

// changed has a watch show an object, some time.
func (w *world) changed(kind string, o client.Object) {
	w.serial++
	o.SetResourceVersion(strconv.Itoa(w.serial))
	seen := o.DeepCopyObject().(client.Object)
	w.news[kind] = append(w.news[kind], func(m *mirror.Mirror) { m.Put(seen) })
}

func (w *world) create() {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "d", Name: w.next("p"), CreationTimestamp: metav1.Now()}}
	p.UID = types.UID(p.Name)
	cpu := []string{"500m", "1", "2"}[w.roll(3)]
	requests := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}
	p.Spec.Containers = []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: requests}}}
	if w.roll(4) == 0 {
		p.Spec.Containers[0].Ports = []corev1.ContainerPort{{HostPort: 80, ContainerPort: 80,
			Protocol: corev1.ProtocolTCP}}
	}
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
		Reason: corev1.PodReasonUnschedulable}}
	w.pods[p.Name] = p
	w.changed("pod", p)
}

// buy launches a machine.
func (w *world) buy() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.claims) > 5 {
		return
	}
	c := &karpenterv1.NodeClaim{ObjectMeta: metav1.ObjectMeta{Name: w.next("c"), CreationTimestamp: metav1.Now()}}
	c.Status.ProviderID = "m-" + c.Name
	c.Status.Allocatable = amounts(w.roll(2))
	c.Status.Capacity = c.Status.Allocatable
	w.claims[c.Name] = c
	w.changed("claim", c)
}

func amounts(size int) corev1.ResourceList {
	return corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse([]string{"2", "4"}[size]),
		corev1.ResourceMemory: resource.MustParse("1Gi"), corev1.ResourcePods: resource.MustParse("3"),
	}
}

// plan places what waits on what is there or on its way, as the daemon does.
func (w *world) plan() {
	s := w.mirror.Snapshot()
	onto := map[string][]shape.PodID{}
	for _, p := range engine.Plan(s, engine.DefaultPolicy()).Place {
		onto[p.Node] = append(onto[p.Node], p.Pod)
	}
	for node, pods := range onto {
		w.mirror.Nominate(pods, node)
		w.mu.Lock()
		w.say("planned %v onto %s", pods, node)
		w.mu.Unlock()
	}
}

// joinAll takes every machine a step further: it joins, is registered, is ready. Some have less than was thought.
func (w *world) joinAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(w.claims)) {
		claim := w.claims[name]
		n := w.nodes["n-"+name]
		switch {
		case n == nil:
			n = &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n-" + name, UID: types.UID(w.next("u")),
				Labels: map[string]string{}}}
			n.Spec.ProviderID = claim.Status.ProviderID
			n.Spec.Taints = []corev1.Taint{karpenterv1.UnregisteredTaint()}
			n.Status.Allocatable = claim.Status.Allocatable
			if w.roll(4) == 1 {
				n.Status.Allocatable = amounts(0)
			}
			w.nodes[n.Name] = n
			delete(w.gone, n.Name)
		case n.Labels[karpenterv1.NodeRegisteredLabelKey] == "":
			n.Labels[karpenterv1.NodeRegisteredLabelKey] = "true"
			n.Spec.Taints = nil
			if w.keeper.Hold(name) {
				n.Spec.Taints = []corev1.Taint{translate.PlannedTaint()}
				w.say("%s is kept", n.Name)
			}
		case n.Labels[karpenterv1.NodeInitializedLabelKey] == "":
			n.Labels[karpenterv1.NodeInitializedLabelKey] = "true"
			n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
			if !condition.NodeReady(n) {
				w.fail("the test's node is not ready")
			}
		default:
			continue
		}
		w.changed("node", n)
	}
}

// deliver has one watch catch up by some events.
func (w *world) deliver() {
	kind := []string{"pod", "node", "claim", "pod"}[w.roll(4)]
	for range 1 + w.roll(12) {
		w.one(kind)
	}
}

func (w *world) one(kind string) bool {
	w.mu.Lock()
	if len(w.news[kind]) == 0 {
		w.mu.Unlock()
		return false
	}
	show := w.news[kind][0]
	w.news[kind] = w.news[kind][1:]
	w.mu.Unlock()
	show(w.mirror)
	return true
}

func (w *world) deliverAll() {
	for _, kind := range []string{"claim", "node", "pod"} {
		for w.one(kind) {
		}
	}
}

// schedule is kube-scheduler, which sees everything at once.
func (w *world) schedule() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, pod := range slices.Sorted(maps.Keys(w.pods)) {
		for _, node := range slices.Sorted(maps.Keys(w.nodes)) {
			p, n := w.pods[pod], w.nodes[node]
			if p.Spec.NodeName == "" && len(n.Spec.Taints) == 0 &&
				n.Labels[karpenterv1.NodeRegisteredLabelKey] != "" && w.over(p, n) == "" {
				w.assign(p, node, "kube-scheduler")
			}
		}
	}
}

// remove deletes a pod, or a node with its pods and claim.
func (w *world) remove() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if names := slices.Sorted(maps.Keys(w.claims)); w.roll(3) == 0 && len(names) > 0 {
		name := names[w.roll(len(names))]
		claim, node := w.claims[name], w.nodes["n-"+name]
		delete(w.claims, name)
		w.news["claim"] = append(w.news["claim"], func(m *mirror.Mirror) { m.Drop(claim) })
		if node != nil {
			delete(w.nodes, node.Name)
			w.say("%s is gone", node.Name)
			w.news["node"] = append(w.news["node"], func(m *mirror.Mirror) {
				m.Drop(node)
				w.mu.Lock()
				defer w.mu.Unlock()
				w.gone[node.Name] = true
			})
		}
		for _, p := range w.pods {
			if p.Spec.NodeName == "n-"+name {
				w.drop(p)
			}
		}
		return
	}
	if names := slices.Sorted(maps.Keys(w.pods)); len(names) > 0 {
		w.drop(w.pods[names[w.roll(len(names))]])
	}
}

func (w *world) drop(p *corev1.Pod) {
	delete(w.pods, p.Name)
	w.news["pod"] = append(w.news["pod"], func(m *mirror.Mirror) { m.Drop(p) })
}

// crash ends the controller at once, and starts another.
func (w *world) crash() {
	w.stop()
	w.keeper.group.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.restarts++
	w.say("restart")
	clear(w.late)
	w.start()
}

// over is what a node would have too little of with one pod more; empty if nothing.
func (w *world) over(p *corev1.Pod, n *corev1.Node) string {
	cpu, pods, ports := int64(0), int64(0), 0
	for _, other := range w.pods {
		if other.Spec.NodeName == n.Name || other == p {
			cpu += other.Spec.Containers[0].Resources.Requests.Cpu().MilliValue()
			pods++
			ports += len(other.Spec.Containers[0].Ports)
		}
	}
	switch {
	case cpu > n.Status.Allocatable.Cpu().MilliValue():
		return fmt.Sprintf("%dm of CPU", cpu)
	case pods > n.Status.Allocatable.Pods().Value():
		return fmt.Sprintf("%d pods", pods)
	case ports > 1:
		return fmt.Sprintf("%d pods with host port 80", ports)
	}
	return ""
}

func (w *world) assign(p *corev1.Pod, node, by string) {
	p.Spec.NodeName = node
	w.say("%s is bound to %s by %s", p.Name, node, by)
	w.changed("pod", p)
}
