package aws

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/api/condition"
)

func TestTheProfileGivesTheRoleAndStaysThere(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	name := b.classNamed(t, "default").Status.InstanceProfile
	api := iam.NewFromConfig(b.deps.Config)
	got, err := api.GetInstanceProfile(t.Context(), &iam.GetInstanceProfileInput{InstanceProfileName: &name})
	if err != nil {
		t.Fatal(err)
	}
	p := got.InstanceProfile
	if len(p.Roles) != 1 || *p.Roles[0].RoleName != nodeRole || *p.Path != "/karpenter/us-east-1/demo/uid-default/" {
		t.Errorf("roles %+v, path %s", p.Roles, *p.Path)
	}
	tags := map[string]string{}
	for _, tag := range p.Tags {
		tags[*tag.Key] = *tag.Value
	}
	if tags["kubernetes.io/cluster/demo"] != "owned" || tags[awsv1.NodeClassTagKey] != "default" ||
		tags["topology.kubernetes.io/region"] != "us-east-1" {
		t.Errorf("tags %v", tags)
	}

	// Somebody takes the role away; it comes back when the profile is looked at again.
	if _, err := api.RemoveRoleFromInstanceProfile(
		t.Context(),
		&iam.RemoveRoleFromInstanceProfileInput{InstanceProfileName: &name, RoleName: p.Roles[0].RoleName},
	); err != nil {
		t.Fatal(err)
	}
	b.clock.Step(15 * time.Minute)
	if _, err := b.ResolveClass(t.Context(), ref("default")); err != nil {
		t.Fatal(err)
	}
	got, err = api.GetInstanceProfile(t.Context(), &iam.GetInstanceProfileInput{InstanceProfileName: &name})
	if err != nil || len(got.InstanceProfile.Roles) != 1 {
		t.Errorf("the profile has lost its role for good: %v", err)
	}
}

// IAM may not know a profile yet that it has just made. That is not a role which does not exist.
func TestAProfileThatIAMDoesNotKnowYetIsNotAMissingRole(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tr := b.withTrouble(t)
	tr.on(
		"AddRoleToInstanceProfile",
		answer(
			404,
			"<ErrorResponse><Error><Code>NoSuchEntity</Code><Message>Instance Profile demo_1 cannot be found.</Message></Error></ErrorResponse>",
		),
	)
	b.create(t, nodeClass("new"))
	if err := b.resolve(t, "new"); err == nil {
		t.Error("nothing has the class looked at again soon")
	}
	if got := condition.Get(
		b.classNamed(t, "new"),
		awsv1.ConditionInstanceProfileReady,
	); got.Status != metav1.ConditionUnknown ||
		got.Reason != reasonNotResolved {
		t.Errorf("InstanceProfileReady is %s, %s: %s", got.Status, got.Reason, got.Message)
	}
	tr.on("AddRoleToInstanceProfile", direct)
	if err := b.resolve(
		t,
		"new",
	); err != nil ||
		!condition.IsTrue(b.classNamed(t, "new"), awsv1.ConditionInstanceProfileReady) {
		t.Errorf("IAM knows it now: %v", err)
	}
}

// A class that Karpenter has looked after before keeps the profile that it made for the same role; after a change of
// the role, and if the profile is somebody else's, it gets one of ours.
func TestAClassGoesOnWithTheProfileThatWasMadeForIt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		path, role string
		kept       bool
	}{
		"Karpenters":   {"/karpenter/us-east-1/demo/uid-default/", nodeRole, true},
		"OtherRole":    {"/karpenter/us-east-1/demo/uid-default/", "", false},
		"OtherClass":   {"/karpenter/us-east-1/demo/uid-other/", nodeRole, false},
		"SomebodyElse": {"/", nodeRole, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			api, profile, role := iam.NewFromConfig(b.deps.Config), "made-before", tc.role
			if _, err := api.CreateInstanceProfile(
				t.Context(),
				&iam.CreateInstanceProfileInput{InstanceProfileName: &profile, Path: &tc.path},
			); err != nil {
				t.Fatal(err)
			}
			if role != "" {
				if _, err := api.AddRoleToInstanceProfile(
					t.Context(),
					&iam.AddRoleToInstanceProfileInput{InstanceProfileName: &profile, RoleName: &role},
				); err != nil {
					t.Fatal(err)
				}
			}
			class := b.classNamed(t, "default")
			class.Status.InstanceProfile = profile
			if err := b.kube.Status().Update(t.Context(), class); err != nil {
				t.Fatal(err)
			}
			if err := b.resolve(t, "default"); err != nil {
				t.Fatal(err)
			}
			if got := b.classNamed(t, "default").Status.InstanceProfile; (got == profile) != tc.kept {
				t.Errorf("the class uses %s", got)
			}
		})
	}
}

// Whatever a server lists, none but profiles under the class's own path are deleted.
func TestProfilesOfOthersAreLeftAloneWhateverIsListed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	api, foreign := iam.NewFromConfig(b.deps.Config), "payroll"
	if _, err := api.CreateInstanceProfile(
		t.Context(),
		&iam.CreateInstanceProfileInput{InstanceProfileName: &foreign},
	); err != nil {
		t.Fatal(err)
	}
	tr := b.withTrouble(t)
	tr.on(
		"ListInstanceProfiles",
		answer(
			200,
			`<ListInstanceProfilesResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListInstanceProfilesResult><IsTruncated>false</IsTruncated><InstanceProfiles>`+
				`<member><InstanceProfileName>payroll</InstanceProfileName><Path>/</Path></member></InstanceProfiles></ListInstanceProfilesResult></ListInstanceProfilesResponse>`,
		),
	)
	class := b.classNamed(t, "default")
	b.clock.Step(48 * time.Hour)
	if err := b.profiles.DeleteOf(t.Context(), class); err != nil {
		t.Fatal(err)
	}
	if err := b.collectProfiles(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(tr.asked["DeleteInstanceProfile"]); n > 0 {
		t.Errorf("%d profiles were deleted that are none of ours", n)
	}
}
