package awssim_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"
	corev1 "k8s.io/api/core/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/dovetail-sh/dovetail/awssim"
)

// noon is when every simulated account begins.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

const (
	clusterName = "demo"
	endpoint    = "https://10.1.2.3:6443"
	clusterCA   = "-----BEGIN CERTIFICATE-----\nc2ltdWxhdGVk\n-----END CERTIFICATE-----\n"
	nodeProfile = "KarpenterNodeInstanceProfile-demo"
)

// account is a simulated AWS whose clock the test owns, with clients.
type account struct {
	*awssim.Server
	clock *clocktesting.FakeClock
	nodes *registrar
	cfg   aws.Config
	ec2   *ec2.Client
}

func newAccount(t *testing.T, change ...func(*awssim.Options)) *account {
	t.Helper()
	a := &account{clock: clocktesting.NewFakeClock(noon), nodes: newRegistrar()}
	o := awssim.Options{
		Seed: 7, Clock: a.clock, ClusterName: clusterName, ClusterEndpoint: endpoint, ClusterCA: []byte(clusterCA),
		Nodes: a.nodes, CloudNodeLifecycle: true,
	}
	for _, c := range change {
		c(&o)
	}
	server, err := awssim.New(o)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	a.Server = server
	a.cfg = aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(server.URL()),
		Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""),
	}
	a.ec2 = ec2.NewFromConfig(a.cfg)
	return a
}

// registrar is a cluster that only remembers. Each change is also told on its
// channel.
type registrar struct {
	mu      sync.Mutex // guards nodes
	nodes   map[string]*corev1.Node
	changes chan string
}

func newRegistrar() *registrar {
	return &registrar{nodes: map[string]*corev1.Node{}, changes: make(chan string, 1000)}
}

func (r *registrar) Register(_ context.Context, node *corev1.Node) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nodes[node.Name] = node
	r.changes <- "registered " + node.Name
	return nil
}

func (r *registrar) Silence(_ context.Context, name string) error {
	r.changes <- "silenced " + name
	return nil
}

func (r *registrar) Delete(_ context.Context, name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.nodes, name)
	r.changes <- "deleted " + name
	return nil
}

// next waits for the next change.
func (r *registrar) next(t *testing.T) string {
	t.Helper()
	select {
	case change := <-r.changes:
		return change
	case <-time.After(2 * time.Minute):
		t.Fatal("no node changed in two minutes")
		return ""
	}
}

func (r *registrar) get(name string) *corev1.Node {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.nodes[name]
}

// wantCode fails unless err is an AWS error of that code.
func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !asAPIError(err, &api) {
		t.Fatalf("got error %v, want AWS's %s", err, code)
	}
	if api.ErrorCode() != code {
		t.Fatalf("got code %s (%s), want %s", api.ErrorCode(), api.ErrorMessage(), code)
	}
}

// must returns what a call gave, or fails the test.
func must[T any](t *testing.T) func(T, error) T {
	return func(out T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// nodeadmData is user data that joins the cluster of newAccount.
func nodeadmData(labels string) string {
	return fmt.Sprintf(`MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="//"

--//
Content-Type: application/node.eks.aws

apiVersion: node.eks.aws/v1alpha1
kind: NodeConfig
spec:
  cluster:
    name: %s
    apiServerEndpoint: %s
    certificateAuthority: %s
    cidr: 10.100.0.0/16
  kubelet:
    config:
      maxPods: 29
      registerWithTaints:
      - key: karpenter.sh/unregistered
        effect: NoExecute
    flags:
    - --node-labels=%s

--//--
`, clusterName, endpoint, b64(clusterCA), labels)
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// template makes a launch template whose machines join the cluster.
func (a *account) template(t *testing.T, name string, change ...func(*ec2types.RequestLaunchTemplateData)) string {
	t.Helper()
	data := &ec2types.RequestLaunchTemplateData{
		ImageId: aws.String(
			a.image(t, "/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/standard/recommended/image_id"),
		),
		UserData: aws.String(b64(nodeadmData("team=blue"))),
		IamInstanceProfile: &ec2types.LaunchTemplateIamInstanceProfileSpecificationRequest{
			Name: aws.String(nodeProfile),
		},
		BlockDeviceMappings: []ec2types.LaunchTemplateBlockDeviceMappingRequest{
			{
				DeviceName: aws.String("/dev/xvda"),
				Ebs: &ec2types.LaunchTemplateEbsBlockDeviceRequest{
					VolumeSize: aws.Int32(20),
					Encrypted:  aws.Bool(true),
					VolumeType: ec2types.VolumeTypeGp3,
				},
			},
		},
		MetadataOptions: &ec2types.LaunchTemplateInstanceMetadataOptionsRequest{
			HttpTokens: ec2types.LaunchTemplateHttpTokensStateRequired,
		},
		NetworkInterfaces: []ec2types.LaunchTemplateInstanceNetworkInterfaceSpecificationRequest{{
			DeviceIndex: aws.Int32(0), Groups: []string{a.clusterGroup(t)},
		}},
		TagSpecifications: []ec2types.LaunchTemplateTagSpecificationRequest{
			{
				ResourceType: ec2types.ResourceTypeNetworkInterface,
				Tags:         []ec2types.Tag{{Key: aws.String("a"), Value: aws.String("b")}},
			},
		},
	}
	for _, c := range change {
		c(data)
	}
	out := must[*ec2.CreateLaunchTemplateOutput](
		t,
	)(
		a.ec2.CreateLaunchTemplate(t.Context(), &ec2.CreateLaunchTemplateInput{
			LaunchTemplateName: aws.String(name), LaunchTemplateData: data,
			TagSpecifications: []ec2types.TagSpecification{
				{
					ResourceType: ec2types.ResourceTypeLaunchTemplate,
					Tags: []ec2types.Tag{
						{Key: aws.String("eks:eks-cluster-name"), Value: aws.String(clusterName)},
					},
				},
			},
		}),
	)
	return aws.ToString(out.LaunchTemplate.LaunchTemplateId)
}

func (a *account) clusterGroup(t *testing.T) string {
	t.Helper()
	out := must[*ec2.DescribeSecurityGroupsOutput](
		t,
	)(
		a.ec2.DescribeSecurityGroups(t.Context(), &ec2.DescribeSecurityGroupsInput{
			Filters: []ec2types.Filter{
				{Name: aws.String("tag:karpenter.sh/discovery"), Values: []string{clusterName}},
			},
		}),
	)
	if len(out.SecurityGroups) != 1 {
		t.Fatalf("%d security groups are tagged for discovery, want 1", len(out.SecurityGroups))
	}
	return aws.ToString(out.SecurityGroups[0].GroupId)
}

// subnets returns the subnets tagged for discovery, by zone.
func (a *account) subnets(t *testing.T) map[string]string {
	t.Helper()
	out := must[*ec2.DescribeSubnetsOutput](t)(a.ec2.DescribeSubnets(t.Context(), &ec2.DescribeSubnetsInput{
		Filters: []ec2types.Filter{{Name: aws.String("tag:karpenter.sh/discovery"), Values: []string{clusterName}}},
	}))
	byZone := map[string]string{}
	for _, s := range out.Subnets {
		byZone[aws.ToString(s.AvailabilityZone)] = aws.ToString(s.SubnetId)
	}
	return byZone
}

// fleet describes an instant fleet of one template over types and zones.
type fleet struct {
	template string
	types    []ec2types.InstanceType
	zones    []string
	count    int32
	spot     bool
	token    string
	strategy string
}

func (a *account) input(t *testing.T, f fleet) *ec2.CreateFleetInput {
	t.Helper()
	subnets := a.subnets(t)
	var overrides []ec2types.FleetLaunchTemplateOverridesRequest
	for i, kind := range f.types {
		for _, zone := range f.zones {
			overrides = append(overrides, ec2types.FleetLaunchTemplateOverridesRequest{
				InstanceType:     kind,
				SubnetId:         aws.String(subnets[zone]),
				AvailabilityZone: aws.String(zone),
				Priority:         aws.Float64(float64(i)),
			})
		}
	}
	in := &ec2.CreateFleetInput{
		Type: ec2types.FleetTypeInstant,
		LaunchTemplateConfigs: []ec2types.FleetLaunchTemplateConfigRequest{{
			LaunchTemplateSpecification: &ec2types.FleetLaunchTemplateSpecificationRequest{
				LaunchTemplateName: aws.String(f.template), Version: aws.String("$Latest"),
			},
			Overrides: overrides,
		}},
		TargetCapacitySpecification: &ec2types.TargetCapacitySpecificationRequest{
			TotalTargetCapacity: aws.Int32(
				f.count,
			),
			DefaultTargetCapacityType: ec2types.DefaultTargetCapacityTypeOnDemand,
		},
		OnDemandOptions: &ec2types.OnDemandOptionsRequest{
			AllocationStrategy: ec2types.FleetOnDemandAllocationStrategyLowestPrice,
		},
		TagSpecifications: []ec2types.TagSpecification{{
			ResourceType: ec2types.ResourceTypeInstance,
			Tags:         []ec2types.Tag{{Key: aws.String("karpenter.sh/nodepool"), Value: aws.String("default")}},
		}},
	}
	if f.token != "" {
		in.ClientToken = aws.String(f.token)
	}
	if f.spot {
		in.TargetCapacitySpecification.DefaultTargetCapacityType = ec2types.DefaultTargetCapacityTypeSpot
		in.SpotOptions = &ec2types.SpotOptionsRequest{
			AllocationStrategy: ec2types.SpotAllocationStrategyPriceCapacityOptimized,
		}
	}
	if f.strategy != "" && f.spot {
		in.SpotOptions.AllocationStrategy = ec2types.SpotAllocationStrategy(f.strategy)
	} else if f.strategy != "" {
		in.OnDemandOptions.AllocationStrategy = ec2types.FleetOnDemandAllocationStrategy(f.strategy)
	}
	return in
}

func (a *account) launch(t *testing.T, f fleet) *ec2.CreateFleetOutput {
	t.Helper()
	return must[*ec2.CreateFleetOutput](t)(a.ec2.CreateFleet(t.Context(), a.input(t, f)))
}

// one launches a single m5.large in us-east-1a and returns its id.
func (a *account) one(t *testing.T, template string, spot bool) string {
	t.Helper()
	out := a.launch(
		t,
		fleet{
			template: template,
			types:    []ec2types.InstanceType{"m5.large"},
			zones:    []string{"us-east-1a"},
			count:    1,
			spot:     spot,
		},
	)
	if len(out.Instances) != 1 || len(out.Instances[0].InstanceIds) != 1 {
		t.Fatalf("the fleet launched %+v with errors %+v, want one instance", out.Instances, out.Errors)
	}
	return out.Instances[0].InstanceIds[0]
}

func (a *account) describe(t *testing.T, id string) ec2types.Instance {
	t.Helper()
	out := must[*ec2.DescribeInstancesOutput](
		t,
	)(
		a.ec2.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{InstanceIds: []string{id}}),
	)
	return out.Reservations[0].Instances[0]
}
