package integration

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// standalone is a NodeClaim without a NodePool.
func standalone(name string, change ...func(*karpenterv1.NodeClaim)) *karpenterv1.NodeClaim {
	claim := &karpenterv1.NodeClaim{}
	claim.Name = name
	claim.Spec.NodeClassRef = &karpenterv1.NodeClassReference{
		Group: "karpenter.kwok.sh",
		Kind:  "KWOKNodeClass",
		Name:  "default",
	}
	claim.Spec.Requirements = []karpenterv1.Requirement{
		{Key: corev1.LabelOSStable, Operator: corev1.NodeSelectorOpIn, Values: []string{"linux"}},
	}
	for _, f := range change {
		f(claim)
	}
	return claim
}

// ready waits until the claim is Ready.
func (c *cluster) ready(t *testing.T, claim *karpenterv1.NodeClaim) *karpenterv1.NodeClaim {
	t.Helper()
	got := &karpenterv1.NodeClaim{}
	eventually(t, "NodeClaim "+claim.Name+" to be ready", func() string {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(claim), got); err != nil {
			return err.Error()
		}
		if !condition.IsTrue(got, condition.Ready) {
			return "its conditions are: " + conditions(got.Status.Conditions)
		}
		return ""
	})
	return got
}

// gone waits until the object is.
func (c *cluster) gone(t *testing.T, o client.Object) {
	t.Helper()
	eventually(t, fmt.Sprintf("%T %s to be gone", o, o.GetName()), func() string {
		err := c.Get(t.Context(), client.ObjectKeyFromObject(o), o)
		if client.IgnoreNotFound(err) != nil {
			return err.Error()
		}
		if err == nil {
			return fmt.Sprintf("it is there, finalizers %v", o.GetFinalizers())
		}
		return ""
	})
}

func standaloneLivesAndDies(t *testing.T, c *cluster) {
	claim := standalone("one", func(n *karpenterv1.NodeClaim) {
		n.Labels = map[string]string{"team": "blue"}
		n.Annotations = map[string]string{"note": "keep"}
		n.Spec.Taints = []karpenterv1.Taint{{Key: "team", Value: "blue", Effect: corev1.TaintEffectNoSchedule}}
		n.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("3")}
	})
	c.create(t, claim)
	got := c.ready(t, claim)
	node := &corev1.Node{}
	if err := c.Get(t.Context(), client.ObjectKey{Name: got.Status.NodeName}, node); err != nil {
		t.Fatal(err)
	}
	if node.Labels["team"] != "blue" || node.Annotations["note"] != "keep" ||
		node.Labels[karpenterv1.NodeInitializedLabelKey] != "true" {
		t.Errorf("labels and annotations did not reach the node: %v %v", node.Labels, node.Annotations)
	}
	if len(node.Spec.Taints) != 1 || node.Spec.Taints[0].ToString() != "team=blue:NoSchedule" {
		t.Errorf("taints are %v, want the claim's only", node.Spec.Taints)
	}
	if cpu := node.Status.Allocatable.Cpu().MilliValue(); cpu < 3000 {
		t.Errorf("the node has %dm of CPU, 3 cores were requested", cpu)
	}
	if got.Labels[corev1.LabelInstanceTypeStable] == "" || got.Labels[corev1.LabelTopologyZone] == "" ||
		got.Labels[karpenterv1.CapacityTypeLabelKey] != "spot" {
		t.Errorf("the claim does not say what was launched, or it was not the cheapest: %v", got.Labels)
	}
	if err := c.Delete(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	c.gone(t, node)
	c.gone(t, claim)
}

func standaloneGoesWithItsNode(t *testing.T, c *cluster) {
	claim := standalone("two")
	c.create(t, claim)
	node := &corev1.Node{}
	node.Name = c.ready(t, claim).Status.NodeName
	if err := c.Delete(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	c.gone(t, node)
	c.gone(t, claim)
}

func standaloneWithoutClassIsGivenUp(t *testing.T, c *cluster) {
	claim := standalone("three", func(n *karpenterv1.NodeClaim) { n.Spec.NodeClassRef.Name = "missing" })
	c.create(t, claim)
	c.gone(t, claim)
	eventually(t, "an event that names the class", func() string {
		return missingFrom(c.events(t, claim), "NodeClassNotReady", "KWOKNodeClass missing")
	})
}

func standaloneThatNothingFitsIsGivenUp(t *testing.T, c *cluster) {
	claim := standalone("four", func(n *karpenterv1.NodeClaim) {
		n.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("5000")}
	})
	c.create(t, claim)
	c.gone(t, claim)
	eventually(t, "an event that says why", func() string {
		return missingFrom(c.events(t, claim), "InsufficientCapacityError", "satisfies its requirements")
	})
}
