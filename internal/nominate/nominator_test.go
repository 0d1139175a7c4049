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
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// cluster is a mirror and an API server in one, of pods that are all planned onto claim c.
type cluster struct {
	client.Client
	mu     sync.Mutex // guards the fields below
	pods   map[shape.PodID]*corev1.Pod
	writes []string
	refuse map[string]error // by pod
	clears int              // so many writes are cleared at once, as by an attempt that was under way
}

func (c *cluster) Planned(string) []*corev1.Pod {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*corev1.Pod
	for _, id := range slices.Sorted(maps.Keys(c.pods)) {
		out = append(out, c.pods[id])
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
	s.writes = append(s.writes, o.GetName())
	if s.clears > 0 {
		s.clears--
		return nil
	}
	pod := o.(*corev1.Pod)
	s.pods[translate.IDOf(pod)] = pod
	return nil
}

func newCluster(pods ...*corev1.Pod) *cluster {
	c := &cluster{pods: map[shape.PodID]*corev1.Pod{}, refuse: map[string]error{}}
	for _, p := range pods {
		c.pods[translate.IDOf(p)] = p
	}
	return c
}

func pod(name string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	for _, f := range change {
		f(p)
	}
	return p
}

func run(t *testing.T, c *cluster) error {
	t.Helper()
	n, err := New(Deps{Client: c, Plans: c, Clock: clock.RealClock{}})
	if err != nil {
		t.Fatal(err)
	}
	return n.BeforeRegister(t.Context(), &karpenterv1.NodeClaim{ObjectMeta: metav1.ObjectMeta{Name: "c"}}, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}})
}

func TestPlannedPodsAreNominatedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(
			pod("a"),
			pod("preempts", func(p *corev1.Pod) { p.Status.NominatedNodeName = "other" }),
			pod("spread", func(p *corev1.Pod) {
				p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: corev1.DoNotSchedule}}
			}),
			pod("foreign", func(p *corev1.Pod) { p.Spec.SchedulerName = "mine" }),
			pod("going", func(p *corev1.Pod) {
				p.DeletionTimestamp = &metav1.Time{}
				p.DeletionTimestamp.Time = p.DeletionTimestamp.Add(1)
			}),
		)
		if err := run(t, c); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"a"}, c.writes); diff != "" || c.pods["default/a"].Status.NominatedNodeName != "n" {
			t.Errorf("-want +got\n%s", diff)
		}
		if err := run(t, c); err != nil || len(c.writes) != 1 {
			t.Errorf("a second call wrote again: %v, %v", c.writes, err)
		}
	})
}

func TestANominationThatAnAttemptClearedIsWrittenAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(pod("a"))
		c.clears = 1
		if err := run(t, c); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"a", "a"}, c.writes); diff != "" || c.pods["default/a"].Status.NominatedNodeName != "n" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

func TestAPodThatCannotBeWrittenToDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(pod("a"), pod("b"), pod("changed"))
		c.refuse["a"] = errors.New("forbidden")
		c.refuse["changed"] = apierrors.NewConflict(schema.GroupResource{Resource: "pods"}, "changed", errors.New("newer"))
		err := run(t, c)
		if err == nil || !strings.Contains(err.Error(), "nominating pod default/a to node n") {
			t.Errorf("error %v does not name the pod", err)
		}
		if c.pods["default/b"].Status.NominatedNodeName != "n" {
			t.Error("pod b was not nominated")
		}
	})
}
