package binder

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/mirror"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// scheduler is told of pods, and takes note.
type scheduler struct {
	mu   sync.Mutex
	told []string
}

func (s *scheduler) Open(*corev1.Pod) bool { return true }

// Tell notes who is nominated.
func (s *scheduler) Tell(_ context.Context, pods []*corev1.Pod, node string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range pods {
		if line := p.Name + " onto " + node; !slices.Contains(s.told, line) {
			s.told = append(s.told, line)
		}
	}
	return nil
}

// joined is a world in which one node is ready that is kept for some pods.
func joined(t *testing.T, change func(*corev1.Pod)) (w *world, told *scheduler) {
	w = newWorld(t.Context(), 1)
	w.random, told = nil, &scheduler{}
	w.keeper.Scheduler = told
	claim := &karpenterv1.NodeClaim{}
	claim.Name, claim.Status.ProviderID, claim.Status.Allocatable = "c", "m-c", amounts(1)
	w.claims["c"] = claim
	w.changed("claim", claim)
	w.create()
	for _, p := range w.pods {
		p.Name, p.UID = "p", "p"
		p.Spec.Containers[0].Ports = nil
		change(p)
		w.pods = map[string]*corev1.Pod{"p": p}
		w.news["pod"] = nil
		w.changed("pod", p)
	}
	w.deliverAll()
	w.mirror.Nominate([]shape.PodID{"d/p"}, "c")
	w.node("n-c", claim)
	return w, told
}

// node has a machine join as it is, registered and ready at once.
func (w *world) node(name string, claim *karpenterv1.NodeClaim) {
	n := &corev1.Node{}
	n.Name, n.UID, n.Spec.ProviderID = name, types.UID("u-"+name), claim.Status.ProviderID
	n.Labels = map[string]string{karpenterv1.NodeRegisteredLabelKey: "true",
		karpenterv1.NodeInitializedLabelKey: "true"}
	n.Status.Allocatable = claim.Status.Allocatable
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	if w.keeper.Hold(claim.Name) {
		n.Spec.Taints = []corev1.Taint{translate.PlannedTaint()}
	}
	w.nodes[name] = n
	w.changed("node", n)
	w.deliverAll()
}

// pass has the keeper look at everything for a while.
func (w *world) pass(d time.Duration) {
	for began := time.Now(); time.Since(began) < d; <-time.After(lookEvery) {
		w.keeper.Round(w.ctx)
		synctest.Wait()
		w.deliverAll()
	}
}

func kept(w *world, node string) bool { return translate.Planned(w.nodes[node]) }

// TestWhoIsBoundAndWhoIsLeftToKubeScheduler has one pod planned onto a node that is kept for it.
func TestWhoIsBoundAndWhoIsLeftToKubeScheduler(t *testing.T) {
	t.Parallel()
	driver := func(names ...string) *storagev1.CSINode {
		c := &storagev1.CSINode{}
		c.Name = "n-c"
		for _, name := range names {
			c.Spec.Drivers = append(c.Spec.Drivers, storagev1.CSINodeDriver{Name: name, NodeID: "n-c"})
		}
		return c
	}
	group := "g"
	for name, tc := range map[string]struct {
		pod  func(*corev1.Pod)
		also []client.Object
		want string // where it is bound
	}{
		"an ordinary one":     {func(*corev1.Pod) {}, nil, "n-c"},
		"another scheduler's": {func(p *corev1.Pod) { p.Spec.SchedulerName = "mine" }, nil, ""},
		"with a gate": {func(p *corev1.Pod) {
			p.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "g"}}
		}, nil, ""},
		"with a device": {func(p *corev1.Pod) {
			p.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "d"}}
		}, nil, ""},
		"of a group": {func(p *corev1.Pod) {
			p.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &group}
		}, nil, ""},
		"of a group by label": {func(p *corev1.Pod) { p.Labels = map[string]string{groupLabels[0]: "g"} }, nil, ""},
		"that tolerates all": {func(p *corev1.Pod) {
			p.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
		}, nil, ""},
		"with a volume":          {volume, []client.Object{claimed("v"), disk("v"), driver("ebs")}, "n-c"},
		"with a volume too soon": {volume, []client.Object{claimed("v"), disk("v")}, ""},
		"with a volume to be":    {volume, []client.Object{claimed("")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, told := joined(t, tc.pod)
				for _, o := range tc.also {
					w.mirror.Put(o)
				}
				w.pass(20 * time.Second)
				if w.fault != "" || w.pods["p"].Spec.NodeName != tc.want || kept(w, "n-c") {
					t.Errorf("bound to %q, want %q; the node is kept: %t; %s", w.pods["p"].Spec.NodeName, tc.want,
						kept(w, "n-c"), w.fault)
				}
				if hinted := len(told.told) > 0; hinted == (tc.want != "") && name != "with a gate" {
					t.Errorf("kube-scheduler was told %v", told.told)
				}
			})
		})
	}
}

func volume(p *corev1.Pod) {
	source := corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "v"}}
	p.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: source}}
}

func claimed(volume string) *corev1.PersistentVolumeClaim {
	c, class := &corev1.PersistentVolumeClaim{}, "ebs"
	c.Namespace, c.Name, c.Spec.VolumeName, c.Spec.StorageClassName = "d", "v", volume, &class
	if volume != "" {
		c.Annotations, c.Status.Phase = map[string]string{"pv.kubernetes.io/bind-completed": "yes"}, corev1.ClaimBound
	}
	return c
}

func disk(name string) *corev1.PersistentVolume {
	v := &corev1.PersistentVolume{}
	v.Name, v.Spec.CSI = name, &corev1.CSIPersistentVolumeSource{Driver: "ebs", VolumeHandle: name}
	v.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "d", Name: "v"}
	return v
}

func TestRoomForPodsThatTheTaintDoesNotKeepOffIsNotGivenAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := joined(t, func(*corev1.Pod) {})
		w.create()
		for _, p := range w.pods {
			if p.Name != "p" { // it wants the whole node, and kube-scheduler may put it there now
				p.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
				p.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU] = amounts(1)[corev1.ResourceCPU]
				w.changed("pod", p)
			}
		}
		w.deliverAll()
		w.pass(2 * time.Second)
		if on := w.pods["p"].Spec.NodeName; on != "" {
			t.Errorf("pod p is bound to %s", on)
		}
		w.pass(20 * time.Second)
		if kept(w, "n-c") {
			t.Error("the node is kept for ever")
		}
	})
}

func TestANodeThatHasLessThanWasThoughtGetsNoMoreThanThat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := joined(t, func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU] = amounts(1)[corev1.ResourceCPU]
		})
		w.nodes["n-c"].Status.Allocatable = amounts(0)
		w.changed("node", w.nodes["n-c"])
		w.deliverAll()
		w.pass(time.Second)
		if on := w.pods["p"].Spec.NodeName; on != "" || len(w.mirror.Snapshot().Pods) != 1 {
			t.Errorf("pod p is bound to %q; %d pods are to be planned anew, want 1", on, len(w.mirror.Snapshot().Pods))
		}
		w.pass(20 * time.Second)
		if kept(w, "n-c") {
			t.Error("the node is kept for ever")
		}
	})
}

// A DaemonSet that the taint keeps off may bring the devices that the node's pods wait for, or make the node ready.
func TestANodeIsNotKeptFromWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		plugin := &appsv1.DaemonSet{}
		plugin.Namespace, plugin.Name = "d", "plugin"
		for name, tc := range map[string]struct {
			tolerations []corev1.Toleration
			want        bool
		}{
			"kept off": {nil, false},
			"tolerant": {[]corev1.Toleration{{Operator: corev1.TolerationOpExists}}, true},
		} {
			w, _ := joined(t, func(p *corev1.Pod) {
				p.Spec.Containers[0].Resources.Requests["nvidia.com/gpu"] = amounts(0)[corev1.ResourceCPU]
			})
			ds := plugin.DeepCopy()
			ds.Spec.Template.Spec.Tolerations = tc.tolerations
			w.mirror.Put(ds)
			if got := w.keeper.Hold("c"); got != tc.want {
				t.Errorf("%s: the node is kept: %t, want %t", name, got, tc.want)
			}
		}
	})
}

func TestWithoutTheRightToBindAllIsLeftToKubeScheduler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, told := joined(t, func(*corev1.Pod) {})
		var lines []string
		w.keeper.Log = funcr.New(func(_, line string) { lines = append(lines, line) }, funcr.Options{})
		w.keeper.Client = forbidden{server{world: w}}
		w.pass(200 * time.Millisecond)
		w.plan()
		w.pass(5 * time.Second)
		if kept(w, "n-c") || len(told.told) != 1 || ledger(w).PromisedTo("d/p") != "" {
			t.Errorf("kept: %t, told: %v, promised to %q", kept(w, "n-c"), told.told, ledger(w).PromisedTo("d/p"))
		}
		if len(lines) != 1 || !strings.Contains(lines[0], "pods/binding") || !strings.Contains(lines[0],
			"--placement=nominate") {
			t.Errorf("said %q, want one line with the way out", lines)
		}
	})
}

// forbidden is an API server that lets us bind nothing.
type forbidden struct{ server }

func (forbidden) SubResource(string) client.SubResourceClient { return never{} }

type never struct{ client.SubResourceClient }

// Create is refused.
func (never) Create(context.Context, client.Object, client.Object, ...client.SubResourceCreateOption) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "p", nil)
}

func TestANodeThatAnotherProcessKeptIsOpened(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := joined(t, func(*corev1.Pod) {})
		w.crash()
		w.keeper.Keep, w.keeper.Bind = false, false // and is not to keep any
		w.pass(adoptAfter / 2)
		if !kept(w, "n-c") {
			t.Error("it is open before all have seen what the other process did")
		}
		w.pass(adoptAfter)
		if kept(w, "n-c") {
			t.Error("it is kept for ever")
		}
	})
}

// With nominations alone nobody is bound, and nodes of one plan open together: the first to open has all pods tried.
func TestNodesOpenTogetherOnceAllPodsAreNominated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, told := joined(t, func(*corev1.Pod) {})
		w.keeper.Bind = false
		w.create()
		var other string
		for name, p := range w.pods {
			if name != "p" { // of another class, or nobody need be told
				other, p.Spec.Containers[0].Ports = name, []corev1.ContainerPort{{HostPort: 81, ContainerPort: 81,
					Protocol: corev1.ProtocolTCP}}
				w.changed("pod", p)
			}
		}
		claim := &karpenterv1.NodeClaim{}
		claim.Name, claim.Status.ProviderID, claim.Status.Allocatable = "late", "m-late", amounts(1)
		w.claims["late"] = claim
		w.changed("claim", claim)
		w.deliverAll()
		w.mirror.Nominate([]shape.PodID{shape.PodID("d/" + other)}, "late")
		w.pass(3 * time.Second)
		if !kept(w, "n-c") || len(told.told) > 0 {
			t.Errorf("kept: %t, told %v, while another node of the plan is on its way", kept(w, "n-c"), told.told)
		}
		w.node("n-late", claim)
		w.pass(3 * time.Second)
		slices.Sort(told.told)
		if diff := cmp.Diff([]string{"p onto n-c", other + " onto n-late"}, told.told); diff != "" || kept(w,
			"n-c") || kept(w, "n-late") {
			t.Errorf("kept: %t and %t; told: -want +got\n%s", kept(w, "n-c"), kept(w, "n-late"), diff)
		}
		if w.bindings > 0 {
			t.Errorf("%d pods were bound", w.bindings)
		}
	})
}

func TestPlansAreOrderedByImportance(t *testing.T) {
	t.Parallel()
	plan := func(name string, priority int32) mirror.Plan {
		p := &corev1.Pod{}
		p.Name = name
		return mirror.Plan{Pod: p, Class: &shape.Class{Priority: priority}}
	}
	list := []mirror.Plan{plan("b", 0), plan("a", 0), plan("c", 7)}
	slices.SortFunc(list, mirror.ComparePlans)
	var got []string
	for _, p := range list {
		got = append(got, p.Pod.Name)
	}
	if diff := cmp.Diff([]string{"c", "a", "b"}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
