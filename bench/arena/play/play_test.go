package play

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
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

// A recorded day is followed Deployment by Deployment, of so few groups that its peak is what was asked for.
func TestARecordedDay(t *testing.T) {
	t.Parallel()
	rows := "pod_id,submit_s,end_s,cpu_milli,memory_mib,gpu_milli,extra\n"
	morning := whichDay*86_400 + 6*3600
	for i := range 400 { // of 100 groups; one half comes in the morning and the other half goes in the evening
		submit, end := 0, ""
		if i%2 == 0 {
			submit = morning
		} else {
			end = strconv.Itoa(morning + 12*3600)
		}
		rows += fmt.Sprintf("p%d,%d,%s,500,1024,0,group=%d;prio=high\n", i, submit, end, i/4)
	}
	file := filepath.Join(t.TempDir(), "trace.csv.gz")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write([]byte(rows))
	if err := errors.Join(err, z.Close(), os.WriteFile(file, packed.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		kube := fake.NewClientset()
		c := &crowd{ctx: t.Context(), kube: kube}
		s := &Stage{Kube: kube, Watch: c, Pods: 100, For: time.Minute, Patience: time.Minute, Trace: file, Say: t.Logf}
		if err := day(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		list, err := kube.AppsV1().Deployments(namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil || len(list.Items) == 0 || len(list.Items) > 25 {
			t.Fatalf("%d Deployments, %v", len(list.Items), err)
		}
		for _, d := range list.Items {
			cpu := d.Spec.Template.Spec.Containers[0].Resources.Requests.Cpu().MilliValue()
			if *d.Spec.Replicas != 2 || cpu != 1000 {
				t.Errorf("%s ends with %d pods of %dm, want 2 of 1000m", d.Name, *d.Spec.Replicas, cpu)
			}
		}
		if c.expects != 2*len(list.Items) {
			t.Errorf("it began with %d pods, want 2 of each of %d groups", c.expects, len(list.Items))
		}
	})
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
