package aws

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/provider"
)

// joined is a cluster that tells of each node that registers.
type joined chan *corev1.Node

func (j joined) Register(_ context.Context, node *corev1.Node) error { j <- node; return nil }
func (j joined) Silence(context.Context, string) error               { return nil }
func (j joined) Delete(context.Context, string) error                { return nil }

// claim wants a small on-demand node of a class.
func claim(name, class string, more ...karpenterv1.Requirement) *karpenterv1.NodeClaim {
	r := ref(class)
	return &karpenterv1.NodeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, UID: types.UID("uid-" + name),
			Labels: map[string]string{karpenterv1.NodePoolLabelKey: "general", "team": "red"},
		},
		Spec: karpenterv1.NodeClaimSpec{
			NodeClassRef: &r,
			Taints: []karpenterv1.Taint{
				{Key: "dedicated", Value: "red", Effect: corev1.TaintEffectNoSchedule},
			},
			StartupTaints: []karpenterv1.Taint{{Key: "cni", Effect: corev1.TaintEffectNoExecute}},
			Requirements:  more,
			Resources: karpenterv1.ResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourcePods: resource.MustParse("5"),
			}},
		},
	}
}

func oneOf(key string, values ...string) karpenterv1.Requirement {
	return karpenterv1.Requirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}
}

var onDemandAMD64 = []karpenterv1.Requirement{
	oneOf(karpenterv1.CapacityTypeLabelKey, karpenterv1.CapacityTypeOnDemand),
	oneOf(corev1.LabelArchStable, "amd64"),
	oneOf(awsv1.LabelInstanceCategory, "c", "m", "r"),
}

func (b *bench) orderFor(t *testing.T, claim *karpenterv1.NodeClaim) provider.Order {
	t.Helper()
	all, err := b.InstanceTypes(t.Context(), *claim.Spec.NodeClassRef)
	if err != nil {
		t.Fatal(err)
	}
	candidates, err := provider.CandidatesFor(claim, all, awsv1.LabelAliases())
	if err != nil || len(candidates) == 0 {
		t.Fatalf("%d candidates, %v", len(candidates), err)
	}
	return provider.Order{Claim: claim, Token: string(claim.UID), Candidates: candidates}
}

func TestNodesJoinWithWhatTheirUserDataSays(t *testing.T) {
	t.Parallel()
	cases := map[string]*awsv1.EC2NodeClass{
		"AL2": nodeClass("it", func(c *awsv1.EC2NodeClass) {
			c.Spec.AMISelectorTerms[0].Alias = "al2@latest"
			script := "#!/bin/bash\necho hello\n"
			c.Spec.UserData = &script
		}),
		"AL2023": nodeClass("it"),
		"Bottlerocket": nodeClass("it", func(c *awsv1.EC2NodeClass) {
			c.Spec.AMISelectorTerms[0].Alias = "bottlerocket@latest"
			toml := "[settings.kernel.sysctl]\n\"vm.max_map_count\" = \"262144\"\n"
			c.Spec.UserData = &toml
		}),
	}
	for name, class := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, class)
			nodes := make(joined, 1)
			b.sim.SetCluster(endpoint, []byte(authority), nodes)
			m, err := b.Launch(t.Context(), b.orderFor(t, claim("general-1", "it", onDemandAMD64...)))
			if err != nil {
				t.Fatal(err)
			}
			checkNode(t, b, m, b.join(t, nodes))
		})
	}
}

// join lets a minute pass, in which the machine boots, and waits for its node.
func (b *bench) join(t *testing.T, nodes joined) *corev1.Node {
	t.Helper()
	for {
		b.clock.Step(time.Second)
		select {
		case node := <-nodes:
			return node
		case <-t.Context().Done():
			t.Fatal("no node came")
		case <-time.After(10 * time.Millisecond):
			for _, i := range b.sim.Status().Instances {
				if i.BootFailure != "" {
					t.Fatalf("the machine did not boot: %s", i.BootFailure)
				}
			}
		}
	}
}

func checkNode(t *testing.T, b *bench, m provider.Machine, node *corev1.Node) {
	t.Helper()
	if node.Spec.ProviderID != m.ProviderID {
		t.Errorf("the node's provider ID is %s, the machine's %s", node.Spec.ProviderID, m.ProviderID)
	}
	for key, want := range map[string]string{karpenterv1.NodePoolLabelKey: "general", "team": "red", karpenterv1.NodeDoNotSyncTaintsLabelKey: "true"} {
		if node.Labels[key] != want {
			t.Errorf("label %s is %q, want %q", key, node.Labels[key], want)
		}
	}
	taints := map[string]bool{}
	for _, taint := range node.Spec.Taints {
		taints[taint.ToString()] = true
	}
	for _, want := range []string{"dedicated=red:NoSchedule", "cni:NoExecute", "karpenter.sh/unregistered:NoExecute"} {
		if !taints[want] {
			t.Errorf("taint %s is missing among %v", want, taints)
		}
	}
	if got, want := node.Status.Capacity.Pods().Value(), m.Capacity.Pods().Value(); got != want {
		t.Errorf("the node takes %d pods, the plan reckoned with %d", got, want)
	}
}
