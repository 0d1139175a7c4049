package play

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"
)

// crowd says what is waited for: all pods of all Deployments and StatefulSets run at once.
type crowd struct {
	ctx     context.Context
	kube    *fake.Clientset
	expects int
}

func (c *crowd) Expect(pods int) { c.expects = max(c.expects, pods) }

func (c *crowd) Count() (running, wanted int) {
	deployments, err := c.kube.AppsV1().Deployments(namespace).List(c.ctx, metav1.ListOptions{})
	if err != nil {
		return 0, 0
	}
	for _, d := range deployments.Items {
		running += int(*d.Spec.Replicas)
	}
	sets, err := c.kube.AppsV1().StatefulSets(namespace).List(c.ctx, metav1.ListOptions{})
	if err != nil {
		return 0, 0
	}
	for _, s := range sets.Items {
		running += int(*s.Spec.Replicas)
	}
	return running, running
}

// Every play comes to its end in its time where pods run at once, asks for about as many pods as it says, and each pod
// says what it needs.
func TestPlays(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, p := range All {
		if names[p.Name] {
			t.Errorf("there are two plays %s", p.Name)
		}
		names[p.Name] = true
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				kube := fake.NewClientset(&corev1.Node{ObjectMeta: metav1.ObjectMeta{
					Name: "spot", Labels: map[string]string{"karpenter.sh/capacity-type": "spot"},
				}})
				deleted := 0
				kube.PrependReactor("delete", "nodes", func(ktesting.Action) (bool, runtime.Object, error) {
					deleted++
					return false, nil, nil
				})
				c := &crowd{ctx: t.Context(), kube: kube}
				s := &Stage{
					Kube:     kube,
					Watch:    c,
					Pods:     p.Pods,
					For:      p.For,
					Patience: time.Minute,
					Seed:     1,
					Say:      t.Logf,
				}
				began := time.Now()
				if err := p.Act(t.Context(), s); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took < p.For*8/10 || took > p.For+15*time.Second {
					t.Errorf("it took %s, want about %s", took, p.For)
				}
				if c.expects < p.Pods/2 || c.expects > p.Pods+10 {
					t.Errorf("it waits for %d pods, want about %d", c.expects, p.Pods)
				}
				if p.Spot != (deleted > 0) {
					t.Errorf("%d nodes were taken away", deleted)
				}
			})
		})
	}
}

func TestPodsThatDoNotComeAreSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &Stage{Watch: nobody{}, Patience: time.Minute, Say: t.Logf}
		if err := s.settle(t.Context(), 3); err == nil {
			t.Error("three pods run that are not there")
		}
	})
}

type nobody struct{}

func (nobody) Expect(int)        {}
func (nobody) Count() (int, int) { return 0, 0 }
