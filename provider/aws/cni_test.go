package aws

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The VPC CNI can give each interface prefixes: a node then takes many more pods, without a word in the EC2NodeClass.
func TestMaxPodsFollowTheCNI(t *testing.T) {
	t.Parallel()
	cni := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "aws-node"}}
	cni.Spec.Template.Spec.Containers = []corev1.Container{
		{Name: "aws-node", Env: []corev1.EnvVar{{Name: "ENABLE_PREFIX_DELEGATION", Value: "true"}}},
	}
	b := newBench(t, cni)
	pods := func() int64 {
		t.Helper()
		types, err := b.InstanceTypes(t.Context(), ref("default"))
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range types {
			if it.Name == "m5.large" {
				return it.Capacity.Pods
			}
		}
		t.Fatal("there is no m5.large")
		return 0
	}
	if got := pods(); got != 110 {
		t.Errorf("with prefixes %d pods, want 110", got)
	}
	cni.Spec.Template.Spec.Containers[0].Env[0].Value = "false"
	if err := b.kube.Update(t.Context(), cni); err != nil {
		t.Fatal(err)
	}
	b.clock.Step(10 * time.Minute)
	if err := b.resolve(t, "default"); err != nil {
		t.Fatal(err)
	}
	if got := pods(); got != 29 {
		t.Errorf("without prefixes %d pods, want 29", got)
	}
}
