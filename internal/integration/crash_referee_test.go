package integration

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

// referee looks at a story all the time and reports what must never be.
type referee struct {
	scene *scene

	mu      sync.Mutex // guards the fields below
	least   map[string]int
	ignored map[string]bool
	told    map[string]bool    // each problem once
	ended   map[string]bool    // machines whose end was looked at
	asked   map[types.UID]bool // pods that were seen to be given time
	rude    []string           // what was seen of pods that were not, or that their node could not take
}

func newReferee(s *scene) *referee {
	return &referee{
		scene: s, least: map[string]int{}, ignored: map[string]bool{}, told: map[string]bool{},
		ended: map[string]bool{}, asked: map[types.UID]bool{},
	}
}

// guard says how many pods of an app must run from now on.
func (r *referee) guard(app string, least int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.least[app] = least
}

// except leaves a claim out of budgets: its machine is being taken away.
func (r *referee) except(claim string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ignored[claim] = true
}

// start looks until stop is called.
func (r *referee) start(t *testing.T) (stop func()) {
	t.Helper()
	unfollow := r.follow(t)
	var looking sync.WaitGroup
	end := make(chan struct{})
	looking.Go(func() {
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-t.Context().Done():
				return
			case <-tick.C:
				r.look(t)
			}
		}
	})
	var once sync.Once
	stop = func() { once.Do(func() { unfollow(); close(end) }); looking.Wait() }
	t.Cleanup(stop)
	return stop
}

func (r *referee) look(t *testing.T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	wrongs := slices.Concat(r.rude, []string{r.twice(), r.unguarded(t), r.beyondBudget(t), r.cutOff(t)})
	r.rude = nil
	for _, wrong := range wrongs {
		if wrong != "" && !r.told[wrong] {
			r.told[wrong] = true
			t.Error(wrong)
		}
	}
}

// follow notes pods that vanish from a node without having been given time to stop: nobody evicted them, or only for
// show; and pods that were bound to a node whose kubelet refuses them.
func (r *referee) follow(t *testing.T) (stop func()) {
	t.Helper()
	informer, err := r.scene.seen.(cache.Cache).GetInformer(t.Context(), &corev1.Pod{})
	if err != nil {
		t.Fatal(err)
	}
	seen := func(o any) {
		pod, ok := o.(*corev1.Pod)
		if !ok {
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if !pod.DeletionTimestamp.IsZero() {
			r.asked[pod.UID] = true
		}
		if pod.Namespace == r.scene.name && strings.HasPrefix(pod.Status.Message, "Pod was rejected: ") {
			r.rude = append(
				r.rude,
				fmt.Sprintf(
					"pod %s was bound to node %s, whose kubelet refuses it: %s: %s",
					pod.Name,
					pod.Spec.NodeName,
					pod.Status.Reason,
					pod.Status.Message,
				),
			)
		}
	}
	handle, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    seen,
		UpdateFunc: func(_, o any) { seen(o) },
		DeleteFunc: func(o any) {
			pod, ok := o.(*corev1.Pod)
			if !ok || pod.Namespace != r.scene.name || pod.Spec.NodeName == "" ||
				pod.Status.Phase != corev1.PodRunning {
				return
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			if !r.asked[pod.UID] {
				r.rude = append(
					r.rude,
					fmt.Sprintf("pod %s vanished from node %s without time to stop", pod.Name, pod.Spec.NodeName),
				)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := informer.RemoveEventHandler(handle); err != nil {
			t.Error(err)
		}
	}
}

// cutOff finds machines that were ended under pods which nobody had asked to go.
func (r *referee) cutOff(t *testing.T) (wrong string) {
	for _, m := range r.scene.sim.Status().Instances {
		if m.Node == "" || r.ended[m.ID] || m.State != "shutting-down" && m.State != "terminated" {
			continue
		}
		r.ended[m.ID] = true
		var pods corev1.PodList
		// The machine was ended before this list was made, and pods were asked before that.
		if err := r.scene.List(
			t.Context(),
			&pods,
			client.InNamespace(r.scene.name),
			client.MatchingFields{"spec.nodeName": m.Node},
		); err != nil {
			if t.Context().Err() == nil {
				t.Error(err)
			}
			return ""
		}
		for _, p := range pods.Items {
			if p.DeletionTimestamp.IsZero() && p.Status.Phase == corev1.PodRunning &&
				metav1.GetControllerOf(&p) != nil {
				wrong = fmt.Sprintf("machine %s of node %s was ended under pod %s", m.ID, m.Node, p.Name)
			}
		}
	}
	return wrong
}

// twice finds two machines that were launched for one claim.
func (r *referee) twice() (wrong string) {
	_ = r.scene.sim.World().Do(func(s *world.State) error { // it fails only if this does
		machines := map[string]string{}
		for _, m := range s.Instances {
			for _, tag := range m.Tags {
				if tag.Key != "karpenter.sh/nodeclaim" {
					continue
				}
				if other := machines[tag.Value]; other != "" {
					wrong = fmt.Sprintf("machines %s and %s were both launched for claim %s", other, m.ID, tag.Value)
				}
				machines[tag.Value] = m.ID
			}
		}
		return nil
	})
	return wrong
}

// unguarded finds an app of which more pods are away than its PodDisruptionBudget allows.
func (r *referee) unguarded(t *testing.T) string {
	for app, least := range r.least {
		running := 0
		for _, p := range r.scene.podsOf(t, app) {
			if p.Status.Phase == corev1.PodRunning {
				running++
			}
		}
		if running < least {
			return fmt.Sprintf("only %d pods of %s run, its PodDisruptionBudget wants %d", running, app, least)
		}
	}
	return ""
}

// beyondBudget finds more nodes that go than their pool's budget allows.
func (r *referee) beyondBudget(t *testing.T) string {
	var pool karpenterv1.NodePool
	if r.scene.seen.Get(t.Context(), client.ObjectKey{Name: r.scene.name}, &pool) != nil ||
		len(pool.Spec.Disruption.Budgets) == 0 {
		return ""
	}
	nodes := r.scene.nodesHere(t)
	allowed, err := pool.AllowedDisruptions(time.Now(), len(nodes), karpenterv1.DisruptionReasonDrifted)
	if err != nil {
		return err.Error()
	}
	ignored := 0
	for name := range r.ignored {
		if r.scene.claim(t, name) != nil {
			ignored++
		}
	}
	if going := r.scene.leaving(t); going > allowed+ignored {
		return fmt.Sprintf("%d nodes are going, the budget allows %d", going, allowed)
	}
	return ""
}
