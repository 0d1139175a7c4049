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

func newCluster(pods ...*corev1.Pod) *cluster {
	c := &cluster{
		pods:   map[shape.PodID]*corev1.Pod{},
		nodes:  map[string]*corev1.Node{"c": newNode("n")},
		refuse: map[string]error{},
	}
	for _, p := range pods {
		c.pods[translate.IDOf(p)] = p
	}
	return c
}

func pod(name string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       "default",
			Name:            name,
			ResourceVersion: "1",
			Labels:          map[string]string{"claim": "c"},
		},
	}
	for _, f := range change {
		f(p)
	}
	return p
}

// newNode is open.
func newNode(name string) *corev1.Node {
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:   name,
			Labels: map[string]string{karpenterv1.NodeRegisteredLabelKey: "true"},
		},
	}
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	return n
}

func newNominator(t *testing.T, c *cluster) *Nominator {
	t.Helper()
	n, err := New(Deps{Client: c, Plans: c, Clock: clock.RealClock{}, Log: testr.New(t)})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// tell nominates what is planned onto claim c to its node, some times.
func tell(t *testing.T, n *Nominator, c *cluster, times int) (failed error) {
	t.Helper()
	for range times {
		failed = errors.Join(failed, n.Tell(t.Context(), c.Planned("c"), "n"))
	}
	return failed
}

// follow has the nominator work for a while.
func follow(t *testing.T, n *Nominator, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.Start(ctx) }()
	<-time.After(d)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestPlannedPodsAreNominatedOnce(t *testing.T) {
	t.Parallel()
	c := newCluster(
		pod("a"),
		pod("preempts", func(p *corev1.Pod) { p.Status.NominatedNodeName = "other" }),
		pod("foreign", func(p *corev1.Pod) { p.Spec.SchedulerName = "mine" }),
		pod("going", func(p *corev1.Pod) { now := metav1.Now(); p.DeletionTimestamp = &now }),
		pod("elsewhere", func(p *corev1.Pod) { p.Labels["claim"] = "d" }),
	)
	if err := tell(t, newNominator(t, c), c, 2); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a"}, c.writes); diff != "" || c.pods["default/a"].Status.NominatedNodeName != "n" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestANominationThatAnAttemptClearedIsWrittenAgain(t *testing.T) {
	t.Parallel()
	c := newCluster(pod("a"))
	c.clears = 1
	if err := tell(t, newNominator(t, c), c, 3); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(
		[]string{"a", "a"},
		c.writes,
	); diff != "" ||
		c.pods["default/a"].Status.NominatedNodeName != "n" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestNominationsAreKeptUpOnOpenNodes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*corev1.Node)
		want   string
	}{
		"open":           {func(*corev1.Node) {}, "n"},
		"kept":           {func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{translate.PlannedTaint()} }, ""},
		"not registered": {func(n *corev1.Node) { clear(n.Labels) }, ""},
		"not Ready":      {func(n *corev1.Node) { n.Status.Conditions = nil }, ""},
		"starting": {func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeNotReady}} },
			""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(pod("a"))
				tc.change(c.nodes["c"])
				follow(t, newNominator(t, c), time.Second)
				if got := c.pods["default/a"].Status.NominatedNodeName; got != tc.want {
					t.Errorf("pod a is nominated to %q after %d writes, want %q", got, len(c.writes), tc.want)
				}
			})
		})
	}
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
		follow(t, newNominator(t, c), 50*time.Second)
		// After 5 s, 10 s and 20 s; the scheduler looks at all that are no more important. What is not ours stays.
		if diff := cmp.Diff(
			[]string{"b", "b", "b"},
			c.woken,
		); diff != "" ||
			c.pods["default/b"].Status.NominatedNodeName != "n" {
			t.Errorf("nominated to %q, taken away -want +got\n%s", c.pods["default/b"].Status.NominatedNodeName, diff)
		}
	})
}

func TestAPodThatIsClearedForEverIsLeftAlone(t *testing.T) {
	t.Parallel()
	c := newCluster(pod("a"))
	c.clears = 1000
	n := newNominator(t, c)
	if err := tell(t, n, c, 3*most); err != nil || len(c.writes) > most || n.Open(c.Pod("default/a")) {
		t.Errorf("%d writes, error %v", len(c.writes), err)
	}
}

func TestAPodThatCannotBeWrittenToDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	c := newCluster(pod("a"), pod("b"), pod("changed"))
	c.refuse["a"] = errors.New("forbidden")
	c.refuse["changed"] = apierrors.NewConflict(
		schema.GroupResource{Resource: "pods"},
		"changed",
		errors.New("newer"),
	)
	err := tell(t, newNominator(t, c), c, 1)
	if err == nil || !strings.Contains(err.Error(), "nominating pod default/a to node \"n\"") {
		t.Errorf("error %v does not name the pod", err)
	}
	if c.pods["default/b"].Status.NominatedNodeName != "n" {
		t.Errorf("pod b is nominated to %q", c.pods["default/b"].Status.NominatedNodeName)
	}
}
