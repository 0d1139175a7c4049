package aws

import (
	"maps"
	"testing"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// launchedClaim is a claim after its launch, as the lifecycle controller leaves it.
func (b *bench) launchedClaim(t *testing.T) *karpenterv1.NodeClaim {
	t.Helper()
	class, err := b.Class(t.Context(), ref("default"))
	if err != nil {
		t.Fatal(err)
	}
	c := claim("general-1", "default", onDemandAMD64...)
	m, err := b.Launch(t.Context(), b.orderFor(t, c))
	if err != nil {
		t.Fatal(err)
	}
	c.Status.ProviderID, c.Status.ImageID = m.ProviderID, m.ImageID
	c.Annotations = maps.Clone(class.Stamp)
	maps.Copy(c.Labels, m.Labels)
	return c
}

func TestDrift(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why    string
		spec   func(*awsv1.EC2NodeClass)
		status func(*awsv1.EC2NodeClass)
		claim  func(*karpenterv1.NodeClaim)
		want   string
	}{
		"Nothing": {why: "A node as its class asks for stays."},
		"Spec": {
			why:  "A changed field that nodes are started with is seen by the hash.",
			spec: func(c *awsv1.EC2NodeClass) { c.Spec.Tags = map[string]string{"cost": "42"} },
			want: DriftNodeClass,
		},
		"SpecOfAnotherHashVersion": {
			why:   "Hashes that were worked out differently cannot be compared.",
			spec:  func(c *awsv1.EC2NodeClass) { c.Spec.Tags = map[string]string{"cost": "42"} },
			claim: func(c *karpenterv1.NodeClaim) { c.Annotations[awsv1.AnnotationEC2NodeClassHashVersion] = "v0" },
		},
		"Selectors": {
			why: "Selectors are not hashed: what they find counts, and it is the same.",
			spec: func(c *awsv1.EC2NodeClass) {
				c.Spec.SubnetSelectorTerms = append(
					c.Spec.SubnetSelectorTerms,
					awsv1.SubnetSelectorTerm{ID: "subnet-0000"},
				)
			},
		},
		"AMI": {
			why:    "A new release of the AMI replaces nodes.",
			status: func(c *awsv1.EC2NodeClass) { eachAMI(c, func(a *awsv1.AMI) { a.ID = "ami-00000000000000000" }) },
			want:   DriftAMI,
		},
		"Subnet": {
			why:    "The node's subnet is no longer selected.",
			status: func(c *awsv1.EC2NodeClass) { eachSubnet(c, func(s *awsv1.Subnet) { s.ID = "subnet-gone" }) },
			want:   DriftSubnet,
		},
		"SecurityGroup": {
			why: "A security group was added.",
			status: func(c *awsv1.EC2NodeClass) {
				c.Status.SecurityGroups = append(c.Status.SecurityGroups, awsv1.SecurityGroup{ID: "sg-more"})
			},
			want: DriftSecurityGroup,
		},
		"NotReady": {
			why: "An empty status of a class that is broken is no reason to replace nodes.",
			status: func(c *awsv1.EC2NodeClass) {
				c.Status.Subnets, c.Status.AMIs, c.Status.Conditions = nil, nil, nil
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			c := b.launchedClaim(t)
			if tc.claim != nil {
				tc.claim(c)
			}
			class := b.classNamed(t, "default")
			if tc.spec != nil {
				tc.spec(class)
				if err := b.kube.Update(t.Context(), class); err != nil {
					t.Fatal(err)
				}
			}
			if tc.status != nil {
				tc.status(class)
				if err := b.kube.Status().Update(t.Context(), class); err != nil {
					t.Fatal(err)
				}
			}
			got, err := b.Drift(t.Context(), c)
			if err != nil || got != tc.want {
				t.Errorf("%s\nDrift = %q, %v; want %q", tc.why, got, err, tc.want)
			}
		})
	}
}

func eachAMI(c *awsv1.EC2NodeClass, change func(*awsv1.AMI)) {
	for i := range c.Status.AMIs {
		change(&c.Status.AMIs[i])
	}
}

func eachSubnet(c *awsv1.EC2NodeClass, change func(*awsv1.Subnet)) {
	for i := range c.Status.Subnets {
		change(&c.Status.Subnets[i])
	}
}
