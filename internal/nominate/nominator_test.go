package nominate

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/mirror"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// cluster is a mirror and an API server in one. A pod is planned onto the claim that its label names: c unless told.
type cluster struct {
	client.Client
	mu     sync.Mutex // guards the fields below
	pods   map[shape.PodID]*corev1.Pod
	nodes  map[string]*corev1.Node // by claim
	writes []string
	woken  []string         // pods whose nomination was taken away
	refuse map[string]error // by pod
	milli  int64            // cores of each node, in thousandths
	clears int              // so many writes are cleared at once, as by an attempt that was under way
}

func (c *cluster) Targets() []mirror.Target {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []mirror.Target
	for _, claim := range slices.Sorted(maps.Keys(c.nodes)) {
		out = append(out, mirror.Target{Claim: claim, Node: c.nodes[claim], Untold: true})
	}
	return out
}

func (c *cluster) Planned(claim string) []*corev1.Pod {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*corev1.Pod
	for _, id := range slices.Sorted(maps.Keys(c.pods)) {
		if c.pods[id].Labels["claim"] == claim {
			out = append(out, c.pods[id])
		}
	}
	return out
}

// Snapshot has a node for each that joined, with room for ten of its pods, which are all alike.
func (c *cluster) Snapshot() shape.Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := shape.Snapshot{Classes: []*shape.Class{{Requests: shape.Vector{CPU: 1000, Pods: 1}}}, Profiles: []*shape.Profile{{}}}
	for _, claim := range slices.Sorted(maps.Keys(c.nodes)) {
		n := &shape.Node{Name: claim, Claim: claim, Allocatable: shape.Vector{CPU: c.milli, Pods: 10}}
		for _, id := range slices.Sorted(maps.Keys(c.pods)) {
			if c.pods[id].Labels["claim"] == claim {
				n.Pods = append(n.Pods, shape.Pod{ID: id})
			}
		}
		s.Nodes = append(s.Nodes, n)
	}
	return s
}

func (c *cluster) Nominate(pods []shape.PodID, claim string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range pods {
		p := c.pods[id].DeepCopy()
		p.Labels["claim"] = claim
		c.pods[id] = p
	}
}

func (c *cluster) Pod(id shape.PodID) *corev1.Pod {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pods[id]
}

func (c *cluster) Status() client.SubResourceWriter { return status{c} }

type status struct{ *cluster }

func (s status) Create(context.Context, client.Object, client.Object, ...client.SubResourceCreateOption) error {
	return nil
}

func (s status) Update(context.Context, client.Object, ...client.SubResourceUpdateOption) error {
	return nil
}

func (s status) Apply(context.Context, runtime.ApplyConfiguration, ...client.SubResourceApplyOption) error {
	return nil
}

func (s status) Patch(_ context.Context, o client.Object, _ client.Patch, _ ...client.SubResourcePatchOption) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refuse[o.GetName()]; err != nil {
		return err
	}
	pod := o.(*corev1.Pod)
	if pod.Status.NominatedNodeName == "" {
		s.woken = append(s.woken, o.GetName())
	} else {
		s.writes = append(s.writes, o.GetName())
	}
	pod.ResourceVersion += "'"
	if s.clears > 0 {
		s.clears--
		pod.Status.NominatedNodeName = ""
	}
	s.pods[translate.IDOf(pod)] = pod
	return nil
}

// attempt is one of the scheduler's that fails.
func (c *cluster) attempt(id shape.PodID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pods[id].DeepCopy()
	p.ResourceVersion += "'"
	p.Status.NominatedNodeName = ""
	c.pods[id] = p
}

func newCluster(pods ...*corev1.Pod) *cluster {
	c := &cluster{pods: map[shape.PodID]*corev1.Pod{}, nodes: map[string]*corev1.Node{"c": newNode("n")}, refuse: map[string]error{}}
	for _, p := range pods {
		c.pods[translate.IDOf(p)] = p
	}
	return c
}

func pod(name string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, ResourceVersion: "1", Labels: map[string]string{"claim": "c"}}}
	for _, f := range change {
		f(p)
	}
	return p
}

// newNode is Ready, and keeps pods off with our taint alone.
func newNode(name string) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}, CreationTimestamp: metav1.Now()}}
	n.Spec.Taints = []corev1.Taint{karpenterv1.UnregisteredTaint()}
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	return n
}

func newNominator(t *testing.T, c *cluster) *Nominator {
	t.Helper()
	n, err := New(Deps{Client: c, Plans: c, Clock: clock.RealClock{}, Log: testr.New(t), HoldAtMost: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// hold asks until the claim's node may open, and says how long that took.
func hold(t *testing.T, n *Nominator, c *cluster, claim string) (held time.Duration, failed error) {
	t.Helper()
	began := time.Now()
	for time.Since(began) < time.Minute {
		wait, err := n.Hold(t.Context(), &karpenterv1.NodeClaim{ObjectMeta: metav1.ObjectMeta{Name: claim}}, c.nodes[claim])
		failed = errors.Join(failed, err)
		if wait == 0 {
			return time.Since(began), failed
		}
		<-time.After(wait)
	}
	t.Fatalf("claim %s is held for ever", claim)
	return 0, nil
}

func TestPlannedPodsAreNominatedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(
			pod("a"),
			pod("preempts", func(p *corev1.Pod) { p.Status.NominatedNodeName = "other" }),
			pod("foreign", func(p *corev1.Pod) { p.Spec.SchedulerName = "mine" }),
			pod("going", func(p *corev1.Pod) { now := metav1.Now(); p.DeletionTimestamp = &now }),
			pod("elsewhere", func(p *corev1.Pod) { p.Labels["claim"] = "d" }),
		)
		n := newNominator(t, c)
		for range 2 {
			if _, err := hold(t, n, c, "c"); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff([]string{"a"}, c.writes); diff != "" || c.pods["default/a"].Status.NominatedNodeName != "n" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

func TestANominationThatAnAttemptClearedIsWrittenAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(pod("a"))
		c.clears = 1
		if _, err := hold(t, newNominator(t, c), c, "c"); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"a", "a"}, c.writes); diff != "" || c.pods["default/a"].Status.NominatedNodeName != "n" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

func TestNominationsAreKeptUpAfterTheNodeTookPods(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(pod("a"))
		c.nodes["c"].Labels[karpenterv1.NodeRegisteredLabelKey] = "true"
		c.nodes["c"].Spec.Taints = nil
		ctx, cancel := context.WithCancel(t.Context())
		n := newNominator(t, c)
		ended := make(chan error, 1)
		go func() { ended <- n.Start(ctx) }()
		<-time.After(time.Second)
		cancel()
		if err := <-ended; err != nil || c.pods["default/a"].Status.NominatedNodeName != "n" || len(c.writes) != 1 {
			t.Errorf("pod a is nominated to %q after %d writes, error %v", c.pods["default/a"].Status.NominatedNodeName, len(c.writes), err)
		}
	})
}

// The node takes pods before our watch shows it, and an attempt on the way there has cleared the nomination.
func TestNominationsAreKeptUpWhileTheNodeOpens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(pod("a"))
		ctx, cancel := context.WithCancel(t.Context())
		n := newNominator(t, c)
		ended := make(chan error, 1)
		go func() { ended <- n.Start(ctx) }()
		if _, err := hold(t, n, c, "c"); err != nil {
			t.Fatal(err)
		}
		c.attempt("default/a")
		<-time.After(time.Second)
		cancel()
		if err := <-ended; err != nil || c.pods["default/a"].Status.NominatedNodeName != "n" {
			t.Errorf("pod a is nominated to %q, error %v", c.pods["default/a"].Status.NominatedNodeName, err)
		}
	})
}

// The scheduler has refused the pod when others were nominated to its node, and those were bound elsewhere.
func TestAPodThatTheSchedulerHasForgottenIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		important := int32(7)
		c := newCluster(
			pod("a"),
			pod("b", func(p *corev1.Pod) { p.Spec.Priority = &important }),
			pod("preempts", func(p *corev1.Pod) { p.Status.NominatedNodeName = "n" }),
		)
		c.nodes["c"].Labels[karpenterv1.NodeRegisteredLabelKey] = "true"
		c.nodes["c"].Spec.Taints = nil
		ctx, cancel := context.WithCancel(t.Context())
		n := newNominator(t, c)
		ended := make(chan error, 1)
		go func() { ended <- n.Start(ctx) }()
		<-time.After(50 * time.Second)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		// After 5 s, 10 s and 20 s; the scheduler looks at all that are no more important. What is not ours stays.
		if diff := cmp.Diff([]string{"b", "b", "b"}, c.woken); diff != "" || c.pods["default/b"].Status.NominatedNodeName != "n" {
			t.Errorf("nominated to %q, taken away -want +got\n%s", c.pods["default/b"].Status.NominatedNodeName, diff)
		}
	})
}

func TestAPodThatIsClearedForEverIsLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(pod("a"))
		c.clears = 1000
		held, err := hold(t, newNominator(t, c), c, "c")
		if err != nil || len(c.writes) > most || held > 10*time.Second {
			t.Errorf("%d writes in %s, error %v", len(c.writes), held, err)
		}
	})
}

func TestAPodThatCannotBeWrittenToDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(pod("a"), pod("b"), pod("changed"))
		c.refuse["a"] = errors.New("forbidden")
		c.refuse["changed"] = apierrors.NewConflict(schema.GroupResource{Resource: "pods"}, "changed", errors.New("newer"))
		held, err := hold(t, newNominator(t, c), c, "c")
		if err == nil || !strings.Contains(err.Error(), "nominating pod default/a to node \"n\"") {
			t.Errorf("error %v does not name the pod", err)
		}
		if c.pods["default/b"].Status.NominatedNodeName != "n" || held > 5*time.Second {
			t.Errorf("pod b is nominated to %q; the node was held for %s", c.pods["default/b"].Status.NominatedNodeName, held)
		}
	})
}

// TestHowLongANodeIsHeld shows when a node waits for others, and for how long at most.
func TestHowLongANodeIsHeld(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change   func(*cluster)
		min, max time.Duration
	}{
		"alone":                    {func(*cluster) {}, 0, 2 * settleFor},
		"nothing is planned there": {func(c *cluster) { clear(c.pods) }, 0, 0},
		"another has not joined":   {func(c *cluster) { c.nodes["d"] = nil }, comesWithin, 2 * time.Second},
		"another takes pods already": {func(c *cluster) {
			c.nodes["d"] = newNode("m")
			c.nodes["d"].Labels[karpenterv1.NodeRegisteredLabelKey] = "true"
		}, 0, 2 * settleFor},
		"it is not Ready, ever": {func(c *cluster) { c.nodes["c"].Status.Conditions = nil }, startsWithin, startsWithin + time.Second},
		"others keep it back": {func(c *cluster) {
			c.nodes["c"].Spec.Taints = append(c.nodes["c"].Spec.Taints, corev1.Taint{Key: corev1.TaintNodeNotReady})
		}, startsWithin, startsWithin + time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(pod("a"), pod("b", func(p *corev1.Pod) { p.Labels["claim"] = "d" }))
				tc.change(c)
				if held, err := hold(t, newNominator(t, c), c, "c"); err != nil || held < tc.min || held > tc.max {
					t.Errorf("held for %s, want %s to %s; error %v", held, tc.min, tc.max, err)
				}
			})
		})
	}
}

func TestNodesOfAPlanOpenTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(pod("a"), pod("b", func(p *corev1.Pod) { p.Labels["claim"] = "d" }))
		c.nodes["d"] = newNode("m")
		n := newNominator(t, c)
		opened := make(chan string, 2)
		open := func(claim string) {
			if _, err := hold(t, n, c, claim); err != nil {
				t.Error(err)
			}
			for _, p := range []shape.PodID{"default/a", "default/b"} {
				if c.Pod(p).Status.NominatedNodeName == "" {
					t.Errorf("claim %s opened before pod %s was nominated", claim, p)
				}
			}
			opened <- claim
		}
		go open("c")
		<-time.After(comesWithin / 2)
		go open("d")
		<-opened
		<-opened
	})
}

func TestANodeThatWasLetGoIsNotHeldAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(pod("a"), pod("b", func(p *corev1.Pod) { p.Labels["claim"] = "d" }))
		n := newNominator(t, c)
		if _, err := hold(t, n, c, "c"); err != nil {
			t.Fatal(err)
		}
		c.nodes["d"] = nil // it is on its way
		if again, err := hold(t, n, c, "c"); err != nil || again > 0 {
			t.Errorf("held for another %s, error %v: the write that opens it may have come to nothing", again, err)
		}
	})
}

func TestANodeThatOpensFirstTakesPodsOfThoseToCome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(pod("a"), pod("b", func(p *corev1.Pod) { p.Labels["claim"] = "d" }), pod("told", func(p *corev1.Pod) {
			p.Labels["claim"], p.Status.NominatedNodeName = "d", "m"
		}))
		c.nodes["d"], c.milli = nil, 10_000
		if _, err := hold(t, newNominator(t, c), c, "c"); err != nil {
			t.Fatal(err)
		}
		got := map[shape.PodID]string{}
		for id, p := range c.pods {
			got[id] = p.Status.NominatedNodeName
		}
		if diff := cmp.Diff(map[shape.PodID]string{"default/a": "n", "default/b": "n", "default/told": "m"}, got); diff != "" {
			t.Errorf("nominated: -want +got\n%s", diff)
		}
	})
}

// TestAllThatAreReadyOpenWhenTheFirstHasWaitedLongEnough has nodes come one after the other for ever: those that are there
// go together, since each opening has the scheduler try all pods again.
func TestAllThatAreReadyOpenWhenTheFirstHasWaitedLongEnough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(pod("a"), pod("b", func(p *corev1.Pod) { p.Labels["claim"] = "d" }), pod("e", func(p *corev1.Pod) { p.Labels["claim"] = "never" }))
		c.nodes["d"], c.nodes["never"] = newNode("m"), nil
		n := newNominator(t, c)
		began := time.Now()
		opened := make(chan time.Duration, 2)
		open := func(claim string, slow time.Duration) {
			claimed := &karpenterv1.NodeClaim{ObjectMeta: metav1.ObjectMeta{Name: claim, CreationTimestamp: metav1.NewTime(time.Now().Add(-slow))}}
			for {
				wait, err := n.Hold(t.Context(), claimed, c.nodes[claim])
				if err != nil || wait == 0 {
					break
				}
				<-time.After(wait)
			}
			opened <- time.Since(began)
		}
		go open("c", 40*time.Second)
		<-time.After(4 * time.Second)
		go open("d", 44*time.Second)
		first, second := <-opened, <-opened
		if first < n.HoldAtMost || second > n.HoldAtMost+time.Second {
			t.Errorf("opened after %s and %s, want both soon after %s", first, second, n.HoldAtMost)
		}
	})
}

func TestANodeThatGoesWhileItIsHeldDoesNotHoldOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(pod("a"), pod("b", func(p *corev1.Pod) { p.Labels["claim"] = "d" }))
		c.nodes["d"] = newNode("m")
		n := newNominator(t, c)
		if _, err := n.Hold(t.Context(), &karpenterv1.NodeClaim{ObjectMeta: metav1.ObjectMeta{Name: "d"}}, c.nodes["d"]); err != nil {
			t.Fatal(err)
		}
		delete(c.nodes, "d") // nobody asks for it again
		if held, err := hold(t, n, c, "c"); err != nil || held > n.HoldAtMost+2*writesWithin {
			t.Errorf("held for %s, error %v", held, err)
		}
	})
}
