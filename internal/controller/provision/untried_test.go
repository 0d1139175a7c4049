package provision_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// queued is a pod that kube-scheduler has not tried yet.
func queued(owner string, i int) *corev1.Pod {
	yes := true
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default",
			Name:      fmt.Sprintf("%s-%d", owner, i),
			UID:       "1",
			OwnerReferences: []metav1.OwnerReference{
				{Kind: "ReplicaSet", Name: owner, UID: types.UID(owner), Controller: &yes},
			},
		},
	}
	p.Spec.Containers = []corev1.Container{{Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")}}}}
	return p
}

func refused(p *corev1.Pod) *corev1.Pod {
	p = p.DeepCopy()
	p.Status.Conditions = []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable}}
	return p
}

// Kube-scheduler tries pods one after the other. A batch ends when no more pods come, not when the last was tried; and
// pods that nobody knows to be refused do not draw it out.
func TestABatchDoesNotWaitForASlowScheduler(t *testing.T) {
	t.Parallel()
	const pods = 300
	for name, tc := range map[string]struct {
		comes, tried time.Duration // between two pods
		others       time.Duration // between two pods that nobody refuses; 0 for none
		after        time.Duration // the first refusal the batch ends
		planned      int           // at least
	}{
		"Slow":   {10 * time.Millisecond, 100 * time.Millisecond, 0, 4 * time.Second, pods},
		"Quick":  {10 * time.Millisecond, 10 * time.Millisecond, 0, 4 * time.Second, pods},
		"Stream": {500 * time.Millisecond, time.Second, 0, 10 * time.Second, 20},
		"Others": {time.Microsecond, time.Microsecond, 100 * time.Millisecond, time.Second, pods},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRigOf(t, clock.RealClock{}, func(context.Context, client.Object) {})
				r.mirror.Hear(r.Hear)
				start := time.Now()
				for i := range pods {
					p := queued("web", i)
					time.AfterFunc(time.Duration(i)*tc.comes, func() { r.mirror.Put(p) })
					time.AfterFunc(
						time.Duration(i)*max(tc.comes, tc.tried)+time.Nanosecond,
						func() { r.mirror.Put(refused(p)) },
					)
				}
				for i := range pods {
					if tc.others > 0 {
						time.AfterFunc(time.Duration(i)*tc.others, func() { r.mirror.Put(queued("other", i)) })
					}
				}
				r.Batch.Wait(t.Context(), 0)
				took := time.Since(start).Round(50 * time.Millisecond)
				if got := len(r.mirror.Snapshot().Pods); took != tc.after || got < tc.planned {
					t.Errorf(
						"a batch of %d pods after %s; want at least %d after %s",
						got,
						took,
						tc.planned,
						tc.after,
					)
				}
			})
		})
	}
}

// What comes after the batch is planned at once as long as others of its owner wait for their nodes, and otherwise when
// kube-scheduler has refused it.
func TestLatecomersArePlannedWhenItIsKnownThatTheyWillWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRigOf(t, clock.RealClock{}, func(context.Context, client.Object) {})
		r.pool("q", 1)
		r.mirror.Hear(r.Hear)
		first := refused(queued("web", 0))
		r.mirror.Put(first)
		planned := func(want int, why string) {
			t.Helper()
			if came := r.Batch.Wait(t.Context(), 5*time.Second); came != (want > 0) {
				t.Fatalf("%s: a batch came: %v", why, came)
			}
			if got := len(r.mirror.Snapshot().Pods); got != want {
				t.Fatalf("%s: %d pods are to be planned, want %d", why, got, want)
			}
			if _, err := r.Pass(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		planned(1, "refused")
		r.mirror.Put(queued("web", 1))
		planned(1, "not tried, and the first still waits for its node")
		r.mirror.Put(refused(queued("web", 1)))
		planned(0, "refused, and planned before")
		for _, pod := range []*corev1.Pod{first, queued("web", 1)} {
			pod.Spec.NodeName = "n"
			r.mirror.Put(pod)
		}
		late := queued("web", 2)
		r.mirror.Put(late)
		planned(0, "not tried, and nobody waits")
		r.mirror.Put(refused(late))
		planned(1, "refused again")
	})
}
