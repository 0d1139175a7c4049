package agreement

import (
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	kwokv1alpha1 "github.com/dovetail-sh/dovetail/api/kwok/v1alpha1"
)

const name = "default"

// KwokPool buys Linux machines on demand from the kwok cloud.
func KwokPool() (pool, class client.Object) {
	c := &kwokv1alpha1.KWOKNodeClass{}
	c.Name = name
	return newPool("karpenter.kwok.sh", "KWOKNodeClass"), c
}

// AWSPool buys c, m and r types on demand, no metal ones, from AWS, in the subnets of a cluster.
func AWSPool(cluster string) (pool, class client.Object) {
	discovery := map[string]string{"karpenter.sh/discovery": cluster}
	c := &awsv1.EC2NodeClass{}
	c.Name = name
	c.Spec.Role = "KarpenterNodeRole-" + cluster
	c.Spec.AMISelectorTerms = []awsv1.AMISelectorTerm{{Alias: "al2023@latest"}}
	c.Spec.SubnetSelectorTerms = []awsv1.SubnetSelectorTerm{{Tags: discovery}}
	c.Spec.SecurityGroupSelectorTerms = []awsv1.SecurityGroupSelectorTerm{{Tags: discovery}}
	return newPool(
		"karpenter.k8s.aws",
		"EC2NodeClass",
		requirement(awsv1.LabelInstanceCategory, corev1.NodeSelectorOpIn, "c", "m", "r"),
		requirement(
			awsv1.LabelInstanceSize,
			corev1.NodeSelectorOpNotIn,
			"metal",
			"metal-24xl",
			"metal-48xl",
			"metal-96xl",
			"metal-16xl",
			"metal-32xl",
		),
	), c
}

// newPool never gives a node up, so that what is measured is where pods came to be first.
func newPool(group, kind string, more ...karpenterv1.Requirement) *karpenterv1.NodePool {
	p := &karpenterv1.NodePool{}
	p.Name = name
	p.Spec.Disruption.ConsolidateAfter = karpenterv1.NillableDuration{} // never
	p.Spec.Template.Spec.ExpireAfter = karpenterv1.NillableDuration{}
	p.Spec.Template.Spec.NodeClassRef = &karpenterv1.NodeClassReference{Group: group, Kind: kind, Name: name}
	p.Spec.Template.Spec.Requirements = append([]karpenterv1.Requirement{
		requirement(corev1.LabelOSStable, corev1.NodeSelectorOpIn, "linux"),
		requirement(karpenterv1.CapacityTypeLabelKey, corev1.NodeSelectorOpIn, karpenterv1.CapacityTypeOnDemand),
	}, more...)
	return p
}

func requirement(key string, operator corev1.NodeSelectorOperator, values ...string) karpenterv1.Requirement {
	return karpenterv1.Requirement{Key: key, Operator: operator, Values: values}
}
