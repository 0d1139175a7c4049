package aws

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/api/condition"
)

func TestAGoodClassIsResolved(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	class := b.classNamed(t, "default")
	for _, c := range class.ReadyDependsOn() {
		if !condition.IsTrue(class, c) {
			t.Errorf("%s is not True: %+v", c, condition.Get(class, c))
		}
	}
	if !condition.IsTrue(class, awsv1.ConditionReady) {
		t.Errorf("Ready: %+v", condition.Get(class, awsv1.ConditionReady))
	}
	if len(class.Status.Subnets) < 2 || class.Status.Subnets[0].ZoneID == "" ||
		len(class.Status.SecurityGroups) == 0 ||
		len(class.Status.AMIs) < 2 {
		t.Errorf("status: %+v", class.Status)
	}
	if !strings.HasPrefix(class.Status.InstanceProfile, "demo_") {
		t.Errorf("instance profile %q", class.Status.InstanceProfile)
	}
	if class.Annotations[awsv1.AnnotationEC2NodeClassHash] == "" || len(class.Finalizers) != 1 {
		t.Errorf("annotations %v, finalizers %v", class.Annotations, class.Finalizers)
	}
	if b.calls("RunInstances") == 0 {
		t.Error("no dry run was made")
	}
}

func TestWhatIsWrongWithAClassIsOneConditionWithOneMessage(t *testing.T) {
	t.Parallel()
	none := map[string]string{"there": "is-none"}
	cases := map[string]struct {
		why       string
		change    func(*awsv1.EC2NodeClass)
		condition string
		reason    string
		message   string
	}{
		"NoSubnets": {
			"nothing can be launched without a subnet",
			func(c *awsv1.EC2NodeClass) { c.Spec.SubnetSelectorTerms = []awsv1.SubnetSelectorTerm{{Tags: none}} },
			awsv1.ConditionSubnetsReady, awsv1.ReasonSubnetsNotFound, "spec.subnetSelectorTerms",
		},
		"NoSecurityGroups": {
			"nothing can be launched without a security group",
			func(c *awsv1.EC2NodeClass) {
				c.Spec.SecurityGroupSelectorTerms = []awsv1.SecurityGroupSelectorTerm{{Tags: none}}
			},
			awsv1.ConditionSecurityGroupsReady, awsv1.ReasonSecurityGroupsNotFound, "spec.securityGroupSelectorTerms",
		},
		"NoSuchAMI": {
			"an AMI that is not shared with us is not found",
			func(c *awsv1.EC2NodeClass) {
				c.Spec.AMISelectorTerms, c.Spec.AMIFamily = []awsv1.AMISelectorTerm{
					{ID: "ami-0123456789abcdef0"},
				}, ptr(
					awsv1.AMIFamilyAL2,
				)
			},
			awsv1.ConditionAMIsReady, awsv1.ReasonAMINotFound, "spec.amiSelectorTerms",
		},
		"UnsupportedAlias": {
			"Windows 2025 came with Kubernetes 1.35; this is 1.32",
			func(c *awsv1.EC2NodeClass) { c.Spec.AMISelectorTerms[0].Alias = "windows2025@latest" },
			awsv1.ConditionAMIsReady, awsv1.ReasonUnsupportedAlias, "use windows2022@latest",
		},
		"NoSuchRole": {
			"an instance profile needs its role",
			func(c *awsv1.EC2NodeClass) { c.Spec.Role = "NoSuchRole" },
			awsv1.ConditionInstanceProfileReady,
			reasonRoleNotFound,
			`"NoSuchRole" does not exist; create it or correct spec.role`,
		},
		"OurTag": {
			"tags that we set cannot be the user's",
			func(c *awsv1.EC2NodeClass) { c.Spec.Tags = map[string]string{"karpenter.sh/nodepool": "x"} },
			awsv1.ConditionValidationSucceeded, awsv1.ReasonTagValidationFailed, "remove it",
		},
		"ManyTags": {
			"EC2 would refuse each launch",
			func(c *awsv1.EC2NodeClass) {
				c.Spec.Tags = map[string]string{}
				for i := range 44 {
					c.Spec.Tags[fmt.Sprintf("tag-%d", i)] = "x"
				}
			},
			awsv1.ConditionValidationSucceeded,
			awsv1.ReasonTagValidationFailed,
			"44 tags and the controller sets 7 more",
		},
		"LongUserData": {
			"EC2 takes 16 KiB",
			func(c *awsv1.EC2NodeClass) { c.Spec.UserData = ptr("#!/bin/bash\n" + strings.Repeat("# pad\n", 4000)) },
			awsv1.ConditionValidationSucceeded, awsv1.ReasonUserDataSizeLimitExceeded, "AWS allows 16384",
		},
		"BadTOML": {
			"the line is what a user looks for",
			func(c *awsv1.EC2NodeClass) {
				c.Spec.AMISelectorTerms[0].Alias = "bottlerocket@latest"
				c.Spec.UserData = ptr("[settings.kernel]\nlockdown = \"none\"\nthis is no TOML\n")
			},
			awsv1.ConditionValidationSucceeded, reasonUserDataWrong, "userData, line 3",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nodeClass("bad", tc.change))
			class := b.classNamed(t, "bad")
			got := condition.Get(class, tc.condition)
			if got == nil || got.Status != metav1.ConditionFalse || got.Reason != tc.reason ||
				!strings.Contains(got.Message, tc.message) {
				t.Errorf(
					"%s\n%s is %+v, want False, reason %s and %q",
					tc.why,
					tc.condition,
					got,
					tc.reason,
					tc.message,
				)
			}
			if condition.IsTrue(class, awsv1.ConditionReady) {
				t.Errorf("%s\nthe class is Ready", tc.why)
			}
			version := class.ResourceVersion
			if _, err := b.ResolveClass(t.Context(), ref("bad")); err != nil {
				t.Fatal(err)
			}
			if again := b.classNamed(t, "bad"); again.ResourceVersion != version {
				t.Error("nothing has changed, and the class was written again")
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

func TestUserDataThatIsNearlyTooLongIsToldBeforeItIs(t *testing.T) {
	t.Parallel()
	for _, disabled := range []bool{false, true} {
		b := newBenchWith(
			t,
			Settings{ClusterName: clusterName, DisableDryRun: disabled},
			nodeClass("long", func(c *awsv1.EC2NodeClass) {
				c.Spec.UserData = ptr("#!/bin/bash\n# " + strings.Repeat("x", 14400))
			}),
		)
		got := condition.Get(b.classNamed(t, "long"), awsv1.ConditionValidationSucceeded)
		if got.Status != metav1.ConditionTrue || !strings.Contains(got.Message, "of 16384 that AWS allows") {
			t.Errorf("ValidationSucceeded is %s: %q", got.Status, got.Message)
		}
		if got := condition.Get(b.classNamed(t, "default"), awsv1.ConditionValidationSucceeded); got.Message != "" {
			t.Errorf("short user data: %q", got.Message)
		}
	}
}

// Neither IAM nor the Pricing API can be reached from an isolated network: each call would hang.
func TestAnIsolatedNetworkIsSparedWhatItCannotReach(t *testing.T) {
	t.Parallel()
	b := newBenchWith(
		t,
		Settings{ClusterName: clusterName, IsolatedVPC: true},
		nodeClass("isolated", func(c *awsv1.EC2NodeClass) {
			c.Spec.Role, c.Spec.InstanceProfile = "", ptr("KarpenterNodeInstanceProfile-"+clusterName)
		}),
	)
	class := b.classNamed(t, "isolated")
	if !condition.IsTrue(class, awsv1.ConditionReady) || class.Status.InstanceProfile != *class.Spec.InstanceProfile {
		t.Errorf("Ready is %+v, profile %q", condition.Get(class, awsv1.ConditionReady), class.Status.InstanceProfile)
	}
	unreachable := func() (n int) {
		for _, call := range b.sim.Calls() {
			if call.Service == "iam" || call.Service == "pricing" {
				n++
			}
		}
		return n
	}
	before := unreachable() // for the bench's class with a role
	for _, task := range b.Tasks() {
		if err := task.Run(t.Context()); err != nil {
			t.Errorf("%s: %v", task.Name, err)
		}
	}
	b.clock.Step(time.Hour)
	if err := b.resolve(t, "isolated"); err != nil {
		t.Fatal(err)
	}
	if err := b.kube.Delete(t.Context(), b.classNamed(t, "isolated")); err != nil {
		t.Fatal(err)
	}
	if err := b.resolve(t, "isolated"); err != nil {
		t.Fatal(err)
	}
	if n := unreachable() - before; n != 0 {
		t.Errorf("%d calls to IAM and Pricing", n)
	}
}

func TestDryRunsCanBeSwitchedOff(t *testing.T) {
	t.Parallel()
	b := newBenchWith(t, Settings{ClusterName: clusterName, DisableDryRun: true})
	got := condition.Get(b.classNamed(t, "default"), awsv1.ConditionValidationSucceeded)
	if got.Status != metav1.ConditionTrue || got.Reason != awsv1.ReasonDryRunDisabled {
		t.Errorf("ValidationSucceeded is %+v", got)
	}
	if n := b.calls("RunInstances") + b.calls("CreateFleet") + b.calls("CreateLaunchTemplate"); n != 0 {
		t.Errorf("%d calls were made to try things", n)
	}
}

func TestADeletedClassWaitsForItsClaimsAndLeavesNothing(t *testing.T) {
	t.Parallel()
	used := claim("general-1", "default")
	b := newBench(t, used)
	profile := b.classNamed(t, "default").Status.InstanceProfile
	if err := b.kube.Delete(t.Context(), b.classNamed(t, "default")); err != nil {
		t.Fatal(err)
	}
	again, err := b.ResolveClass(t.Context(), ref("default"))
	if err != nil || again == 0 {
		t.Fatalf("with a claim: again after %s, %v", again, err)
	}
	b.classNamed(t, "default") // still there

	if err := b.kube.Delete(t.Context(), used); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ResolveClass(t.Context(), ref("default")); err != nil {
		t.Fatal(err)
	}
	if err := b.kube.Get(
		t.Context(),
		client.ObjectKey{Name: "default"},
		&awsv1.EC2NodeClass{},
	); !apierrors.IsNotFound(
		err,
	) {
		t.Errorf("the class is still there: %v", err)
	}
	if _, err := iam.NewFromConfig(b.deps.Config).
		GetInstanceProfile(t.Context(), &iam.GetInstanceProfileInput{InstanceProfileName: &profile}); err == nil {
		t.Error("the instance profile is still there")
	}
	if n := b.sim.Status().Templates; n != 0 {
		t.Errorf("%d launch templates are still there", n)
	}
}
