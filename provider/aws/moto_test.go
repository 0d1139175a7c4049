package aws

import (
	"errors"
	"os"
	"slices"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/provider"
)

// motoEndpoint names the environment's variable with the address of a moto server, a simulation of AWS that others
// wrote.
const motoEndpoint = "DOVETAIL_MOTO_ENDPOINT"

// motoAccount is the network, role and cluster that moto does not have from the beginning, and an image to launch.
func motoAccount(t *testing.T, config awssdk.Config) (image string) {
	t.Helper()
	api := ec2.NewFromConfig(config)
	discovery := func(kind ec2types.ResourceType) []ec2types.TagSpecification {
		return []ec2types.TagSpecification{{ResourceType: kind, Tags: []ec2types.Tag{{
			Key: awssdk.String("karpenter.sh/discovery"), Value: awssdk.String(clusterName),
		}}}}
	}
	vpc, err := api.CreateVpc(t.Context(), &ec2.CreateVpcInput{CidrBlock: awssdk.String("10.7.0.0/16")})
	if err != nil {
		t.Fatalf("making moto's VPC: %v", err)
	}
	var subnets []string
	for i, zone := range []string{"us-east-1a", "us-east-1b", "us-east-1c"} {
		cidr := awssdk.String("10.7." + string(rune('0'+i)) + ".0/24")
		out, err := api.CreateSubnet(t.Context(), &ec2.CreateSubnetInput{
			VpcId:             vpc.Vpc.VpcId,
			AvailabilityZone:  &zone,
			CidrBlock:         cidr,
			TagSpecifications: discovery(ec2types.ResourceTypeSubnet),
		})
		if err != nil {
			t.Fatalf("making moto's subnet in %s: %v", zone, err)
		}
		subnets = append(subnets, *out.Subnet.SubnetId)
	}
	if _, err := api.CreateSecurityGroup(t.Context(), &ec2.CreateSecurityGroupInput{
		VpcId:             vpc.Vpc.VpcId,
		GroupName:         awssdk.String("nodes"),
		Description:       awssdk.String("nodes"),
		TagSpecifications: discovery(ec2types.ResourceTypeSecurityGroup),
	}); err != nil {
		t.Fatalf("making moto's security group: %v", err)
	}
	role, err := iam.NewFromConfig(config).CreateRole(t.Context(), &iam.CreateRoleInput{
		RoleName: awssdk.String(
			nodeRole,
		),
		AssumeRolePolicyDocument: awssdk.String(`{"Version":"2012-10-17","Statement":[]}`),
	})
	if err != nil {
		t.Fatalf("making moto's role: %v", err)
	}
	if _, err := eks.NewFromConfig(config).CreateCluster(t.Context(), &eks.CreateClusterInput{
		Name: awssdk.String(
			clusterName,
		),
		RoleArn:            role.Role.Arn,
		Version:            awssdk.String("1.32"),
		ResourcesVpcConfig: &ekstypes.VpcConfigRequest{SubnetIds: subnets},
	}); err != nil {
		t.Fatalf("making moto's cluster: %v", err)
	}
	images, err := api.DescribeImages(t.Context(), &ec2.DescribeImagesInput{Owners: []string{"amazon"}})
	if err != nil {
		t.Fatalf("listing moto's images: %v", err)
	}
	i := slices.IndexFunc(images.Images, func(im ec2types.Image) bool {
		return im.Architecture == ec2types.ArchitectureValuesX8664 && im.Platform == "" &&
			im.VirtualizationType == ec2types.VirtualizationTypeHvm
	})
	if i < 0 {
		t.Fatalf("none of moto's %d images is for Linux on x86_64", len(images.Images))
	}
	return *images.Images[i].ImageId
}

// The provider does its day on a simulation that nobody here wrote: a class becomes ready, a machine is bought, found
// and ended, and deleting the class deletes its instance profile and no other.
func TestADayOnMoto(t *testing.T) {
	endpoint := os.Getenv(motoEndpoint)
	if endpoint == "" {
		t.Skipf("%s is not set: make clients starts moto and runs this", motoEndpoint)
	}
	config := awssdk.Config{
		Region:       "us-east-1",
		BaseEndpoint: &endpoint,
		Credentials:  credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""),
	}
	image := motoAccount(t, config)
	profiles := iam.NewFromConfig(config)
	if _, err := profiles.CreateInstanceProfile(t.Context(), &iam.CreateInstanceProfileInput{
		InstanceProfileName: awssdk.String("payroll"), Path: awssdk.String("/other/"),
	}); err != nil {
		t.Fatal(err)
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, karpenterv1.AddToScheme, awsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	class := nodeClass("default", func(c *awsv1.EC2NodeClass) {
		c.Spec.AMISelectorTerms = []awsv1.AMISelectorTerm{{ID: image}}
		family := "AL2"
		c.Spec.AMIFamily = &family
	})
	kube := fake.NewClientBuilder().
		WithScheme(scheme).
		WithObjects(class).
		WithStatusSubresource(&awsv1.EC2NodeClass{}, &karpenterv1.NodeClaim{}).
		Build()
	cloud, err := New(t.Context(), Deps{
		Config: config,
		Client: kube,
		Clock:  clock.RealClock{},
		Settings: Settings{
			ClusterName:             clusterName,
			ClusterEndpoint:         "https://10.1.2.3:6443",
			EKSControlPlane:         true,
			VMMemoryOverheadPercent: 0.075,
		},
	})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	if _, err := cloud.ResolveClass(t.Context(), ref("default")); err != nil {
		t.Fatalf("resolving the class: %v", err)
	}
	b := &bench{Cloud: cloud, kube: kube}
	for _, c := range b.classNamed(t, "default").Status.Conditions {
		if c.Status != "True" {
			t.Errorf("condition %s is %s: %s", c.Type, c.Status, c.Message)
		}
	}
	made, err := cloud.Launch(t.Context(), b.orderFor(t, claim("general-1", "default", onDemandAMD64...)))
	if err != nil {
		t.Fatalf("Launch: %v", err)
	}
	if n := b.instances(t); n != 1 {
		t.Errorf("%d machines after one launch", n)
	}
	t.Logf("launched %s as %s", made.InstanceType, made.ProviderID)
	if err := cloud.Terminate(t.Context(), made.ProviderID); err != nil {
		t.Errorf("Terminate: %v", err)
	}
	if err := kube.Delete(t.Context(), b.classNamed(t, "default")); err != nil {
		t.Fatal(err)
	}
	if _, err := cloud.ResolveClass(
		t.Context(),
		ref("default"),
	); err != nil &&
		!errors.Is(err, provider.ErrClassNotFound) {
		t.Errorf("deleting the class: %v", err)
	}
	if left := profileNames(t, profiles); !slices.Equal(left, []string{"payroll"}) {
		t.Errorf("after the class is gone the profiles are %v, want payroll alone, which is nobody's here", left)
	}
}

func profileNames(t *testing.T, api *iam.Client) []string {
	t.Helper()
	out, err := api.ListInstanceProfiles(t.Context(), &iam.ListInstanceProfilesInput{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range out.InstanceProfiles {
		names = append(names, *p.InstanceProfileName)
	}
	return names
}
