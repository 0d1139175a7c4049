package awssim_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// emptyProfile makes an instance profile without a role.
func (a *account) emptyProfile(t *testing.T) string {
	t.Helper()
	out := must[*iam.CreateInstanceProfileOutput](
		t,
	)(
		iam.NewFromConfig(a.cfg).CreateInstanceProfile(t.Context(), &iam.CreateInstanceProfileInput{
			InstanceProfileName: aws.String("empty"),
		}),
	)
	return aws.ToString(out.InstanceProfile.InstanceProfileName)
}

func TestInstanceProfiles(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	client, ctx := iam.NewFromConfig(a.cfg), t.Context()
	name := aws.String("demo_1234")
	path := "/karpenter/us-east-1/demo/uid/"
	created := must[*iam.CreateInstanceProfileOutput](
		t,
	)(
		client.CreateInstanceProfile(ctx, &iam.CreateInstanceProfileInput{
			InstanceProfileName: name, Path: aws.String(path),
			Tags: []iamtypes.Tag{{Key: aws.String("eks:eks-cluster-name"), Value: aws.String("demo")}},
		}),
	)
	if got := aws.ToString(
		created.InstanceProfile.Arn,
	); got != "arn:aws:iam::111122223333:instance-profile"+path+"demo_1234" {
		t.Errorf("arn %s", got)
	}
	_, err := client.CreateInstanceProfile(ctx, &iam.CreateInstanceProfileInput{InstanceProfileName: name})
	wantCode(t, err, "EntityAlreadyExists")
	_, err = client.AddRoleToInstanceProfile(
		ctx,
		&iam.AddRoleToInstanceProfileInput{InstanceProfileName: name, RoleName: aws.String("nobody")},
	)
	wantCode(t, err, "NoSuchEntity")
	role := aws.String("KarpenterNodeRole-demo")
	must[*iam.AddRoleToInstanceProfileOutput](
		t,
	)(
		client.AddRoleToInstanceProfile(
			ctx,
			&iam.AddRoleToInstanceProfileInput{InstanceProfileName: name, RoleName: role},
		),
	)
	_, err = client.AddRoleToInstanceProfile(
		ctx,
		&iam.AddRoleToInstanceProfileInput{InstanceProfileName: name, RoleName: role},
	)
	wantCode(t, err, "LimitExceeded")
	must[*iam.TagInstanceProfileOutput](t)(client.TagInstanceProfile(ctx, &iam.TagInstanceProfileInput{
		InstanceProfileName: name, Tags: []iamtypes.Tag{{Key: aws.String("more"), Value: aws.String("yes")}},
	}))
	got := must[*iam.GetInstanceProfileOutput](
		t,
	)(
		client.GetInstanceProfile(ctx, &iam.GetInstanceProfileInput{InstanceProfileName: name}),
	).InstanceProfile
	if len(got.Roles) != 1 || aws.ToString(got.Roles[0].RoleName) != *role || len(got.Tags) != 2 ||
		got.CreateDate == nil {
		t.Errorf("profile %+v", got)
	}
	_, err = client.DeleteInstanceProfile(ctx, &iam.DeleteInstanceProfileInput{InstanceProfileName: name})
	wantCode(t, err, "DeleteConflict")
	must[*iam.RemoveRoleFromInstanceProfileOutput](
		t,
	)(
		client.RemoveRoleFromInstanceProfile(
			ctx,
			&iam.RemoveRoleFromInstanceProfileInput{InstanceProfileName: name, RoleName: role},
		),
	)
	must[*iam.DeleteInstanceProfileOutput](
		t,
	)(
		client.DeleteInstanceProfile(ctx, &iam.DeleteInstanceProfileInput{InstanceProfileName: name}),
	)
	_, err = client.GetInstanceProfile(ctx, &iam.GetInstanceProfileInput{InstanceProfileName: name})
	wantCode(t, err, "NoSuchEntity")
}

func TestInstanceProfilesArePaged(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	client := iam.NewFromConfig(a.cfg)
	want := map[string]bool{}
	for _, name := range []string{"p1", "p2", "p3", "p4", "p5"} {
		want[name] = true
		must[*iam.CreateInstanceProfileOutput](
			t,
		)(
			client.CreateInstanceProfile(t.Context(), &iam.CreateInstanceProfileInput{
				InstanceProfileName: aws.String(name), Path: aws.String("/mine/"),
			}),
		)
	}
	pages := iam.NewListInstanceProfilesPaginator(
		client,
		&iam.ListInstanceProfilesInput{PathPrefix: aws.String("/mine/"), MaxItems: aws.Int32(2)},
	)
	count := 0
	for pages.HasMorePages() {
		page := must[*iam.ListInstanceProfilesOutput](t)(pages.NextPage(t.Context()))
		count++
		for _, p := range page.InstanceProfiles {
			if !want[*p.InstanceProfileName] {
				t.Errorf("profile %s was listed twice, or has another path", *p.InstanceProfileName)
			}
			delete(want, *p.InstanceProfileName)
		}
	}
	if count != 3 || len(want) != 0 {
		t.Errorf("%d pages, not listed: %v; want 3 pages and none missing", count, want)
	}
}
