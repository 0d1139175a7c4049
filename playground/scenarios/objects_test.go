package scenarios

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

func claim(name, node string) *karpenterv1.NodeClaim {
	c := &karpenterv1.NodeClaim{ObjectMeta: metav1.ObjectMeta{Name: name}}
	c.Status.ProviderID, c.Status.NodeName = "aws:///us-east-1a/i-"+name, node
	return c
}

func pod(name, node, owner string) *corev1.Pod {
	controls := true
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name:            name,
			OwnerReferences: []metav1.OwnerReference{{Kind: owner, Controller: &controls}},
		},
	}
	p.Spec.NodeName = node
	return p
}
