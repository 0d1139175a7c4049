package devicedriver

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
)

const shared = `
nodes: {matchLabels: {gpu: shared}}
driver: gpu.example.com
after: 2s
slices:
- devices:
  - name: gpu-0
    allowMultipleAllocations: true
    capacity: {memory: {value: 16Gi}}
- devices: [{name: gpu-1}]
`

func stockMap(text string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: metav1.NamespaceSystem, Name: "devices", Labels: map[string]string{Label: ""},
		},
		Data: map[string]string{"stock.yaml": text},
	}
}

func node(name string, labels map[string]string, ready time.Time) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name: name, UID: types.UID(name), Labels: labels, Annotations: map[string]string{fakeNode: "fake"},
	}}
	n.Status.Conditions = []corev1.NodeCondition{
		{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(ready)},
	}
	return n
}

func published(t *testing.T, client *fake.Clientset) (names []string) {
	t.Helper()
	list, err := client.ResourceV1().ResourceSlices().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list.Items {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return names
}

func TestSlicesComeAWhileAfterTheirNodeAndBelongToIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		client := fake.NewClientset(
			stockMap(shared),
			node("n1", map[string]string{"gpu": "shared"}, time.Now()),
			node("n2", map[string]string{"gpu": "whole"}, time.Now()),
		)
		seen, err := client.ResourceV1().ResourceSlices().Watch(ctx, metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := start(ctx, client, time.Now); err != nil {
			t.Fatal(err)
		}
		<-seen.ResultChan()
		synctest.Wait()
		if after := time.Since(began); after < 2*time.Second || after > 2200*time.Millisecond {
			t.Errorf("the first slice is there after %s, want 2s", after)
		}
		want := []string{"n1-gpu.example.com-0", "n1-gpu.example.com-1"}
		if got := published(t, client); !slices.Equal(got, want) {
			t.Fatalf("published %v, want %v", got, want)
		}
		s, err := client.ResourceV1().ResourceSlices().Get(ctx, want[0], metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if s.Spec.Pool.ResourceSliceCount != 2 || *s.Spec.NodeName != "n1" || s.OwnerReferences[0].UID != "n1" {
			t.Errorf("slice is %v, want one of two of n1's, owned by it", s)
		}
		stop()
		synctest.Wait()
	})
}

func TestAPodRunsWhenAllItsClaimsArePrepared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		first, second := "first", "second"
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "p", UID: "p"}}
		pod.Spec.ResourceClaims = []corev1.PodResourceClaim{
			{Name: "a", ResourceClaimName: &first}, {Name: "b", ResourceClaimName: &second},
		}
		client := fake.NewClientset(pod, claim(first), claim(second))
		if err := start(ctx, client, time.Now); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			claim string
			runs  bool
		}{{first, false}, {second, true}} {
			c := claim(step.claim)
			c.Status.Allocation = &resourcev1.AllocationResult{}
			c.Status.Allocation.Devices.Results = []resourcev1.DeviceRequestAllocationResult{
				{Request: "r", Driver: "gpu.example.com", Pool: "n1", Device: step.claim},
			}
			c.Status.ReservedFor = []resourcev1.ResourceClaimConsumerReference{
				{Resource: "pods", Name: "p", UID: "p"},
			}
			claims := client.ResourceV1().ResourceClaims("default")
			if _, err := claims.UpdateStatus(ctx, c, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			now, err := client.CoreV1().Pods("default").Get(ctx, "p", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if got := now.Annotations[Prepared] == "true"; got != step.runs {
				t.Errorf("after claim %s the pod may run: %t, want %t", step.claim, got, step.runs)
			}
			if c, err = claims.Get(ctx, step.claim, metav1.GetOptions{}); err != nil || len(c.Status.Devices) != 1 {
				t.Errorf("claim %s tells of %v (%v), want its device", step.claim, c.Status.Devices, err)
			}
		}
		stop()
		synctest.Wait()
	})
}

func claim(name string) *resourcev1.ResourceClaim {
	return &resourcev1.ResourceClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
}

func TestStocksThatCannotBeReadAreErrorsThatNameThem(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"Typo":     "drivr: x",
		"Nothing":  "nodes: {}",
		"Both":     "driver: x\ncatalog: true",
		"Selector": "driver: x\nnodes: {matchExpressions: [{key: a, operator: Near}]}",
	} {
		if _, err := stocksOf(stockMap(text)); err == nil {
			t.Errorf("%s: %q was read", name, text)
		}
	}
}

func TestTheCatalogueSaysWhatNVIDIAsDriverPublishes(t *testing.T) {
	t.Parallel()
	list, err := stocksOf(stockMap("catalog: true"))
	if err != nil {
		t.Fatal(err)
	}
	n := node("n", map[string]string{corev1.LabelInstanceTypeStable: "g6.12xlarge"}, time.Unix(0, 0))
	got, _ := wanted(list, n, time.Unix(10, 0))
	if len(got) != 1 || len(got[0].Spec.Devices) != 4 {
		t.Errorf("a g6.12xlarge publishes %v, want its four GPUs", got)
	}
}
