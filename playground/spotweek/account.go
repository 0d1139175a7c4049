package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/awssim"
	"github.com/dovetail-sh/dovetail/provider/aws"
)

const (
	clusterName = "spot-week"
	className   = "default"
	endpoint    = "https://10.1.2.3:6443"
	authority   = "-----BEGIN CERTIFICATE-----\nc2ltdWxhdGVk\n-----END CERTIFICATE-----\n"
)

// bootDelay is from launch to a node that takes pods: what AL2023 nodes of EKS need.
const bootDelay = 40 * time.Second

// monday is when every week begins.
var monday = time.Date(2026, 11, 16, 0, 0, 0, 0, time.UTC)

// register collects the nodes that join.
type register struct {
	mu     sync.Mutex // guards joined
	joined []*corev1.Node
}

func (r *register) Register(_ context.Context, node *corev1.Node) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.joined = append(r.joined, node)
	return nil
}

func (r *register) Silence(context.Context, string) error { return nil }
func (r *register) Delete(context.Context, string) error  { return nil }

// take returns the nodes that joined since it was last called.
func (r *register) take() []*corev1.Node {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.joined
	r.joined = nil
	return out
}

// open starts an account and connects the real provider to it.
func open(
	ctx context.Context,
	s scenario,
	clock *clocktesting.FakeClock,
	nodes *register,
) (*awssim.Server, *aws.Cloud, error) {
	server, err := awssim.New(awssim.Options{
		Seed:              s.seed,
		Clock:             clock,
		ClusterName:       clusterName,
		ClusterEndpoint:   endpoint,
		ClusterCA:         []byte(authority),
		KubernetesVersion: "1.36",
		Moving:            true,
		Unrest:            s.unrest,
		BootDelay:         bootDelay,
		Nodes:             nodes,
	})
	if err != nil {
		return nil, nil, err
	}
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL(), "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKIASPOTWEEK",
		"AWS_SECRET_ACCESS_KEY":     "simulated",
		"AWS_EC2_METADATA_DISABLED": "true",
	} {
		if err := os.Setenv(name, value); err != nil {
			return nil, nil, fmt.Errorf("setting %s: %w", name, err)
		}
	}
	cloud, err := connect(ctx, clock)
	if err != nil {
		return nil, nil, fmt.Errorf("connecting the provider: %w", err)
	}
	return server, cloud, nil
}

// connect makes the provider, with an EC2NodeClass that it resolved.
func connect(ctx context.Context, clock *clocktesting.FakeClock) (*aws.Cloud, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, karpenterv1.AddToScheme, awsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	discovery := map[string]string{"karpenter.sh/discovery": clusterName}
	class := &awsv1.EC2NodeClass{
		ObjectMeta: metav1.ObjectMeta{Name: className, UID: "spot-week", Generation: 1},
		Spec: awsv1.EC2NodeClassSpec{
			Role:                       "KarpenterNodeRole-" + clusterName,
			SubnetSelectorTerms:        []awsv1.SubnetSelectorTerm{{Tags: discovery}},
			SecurityGroupSelectorTerms: []awsv1.SecurityGroupSelectorTerm{{Tags: discovery}},
			AMISelectorTerms:           []awsv1.AMISelectorTerm{{Alias: "al2023@latest"}},
		},
	}
	dns := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-dns"},
		Spec:       corev1.ServiceSpec{ClusterIP: "10.100.0.10"},
	}
	config, err := aws.Connect(ctx)
	if err != nil {
		return nil, err
	}
	cloud, err := aws.New(ctx, aws.Deps{
		Config: config,
		Clock:  clock,
		Client: fake.NewClientBuilder().
			WithScheme(scheme).
			WithObjects(class, dns).
			WithStatusSubresource(class).
			Build(),
		Settings: aws.Settings{
			ClusterName:             clusterName,
			VMMemoryOverheadPercent: 0.075,
			InterruptionQueue:       clusterName,
		},
	})
	if err != nil {
		return nil, err
	}
	_, err = cloud.ResolveClass(ctx, classRef())
	return cloud, err
}

func classRef() karpenterv1.NodeClassReference {
	return karpenterv1.NodeClassReference{Group: awsv1.Group, Kind: "EC2NodeClass", Name: className}
}

// newPool makes the one NodePool: everything of the c, m and r families that is not too small, of the scenario's
// capacity types.
func newPool(s scenario) *karpenterv1.NodePool {
	ref := classRef()
	pool := &karpenterv1.NodePool{ObjectMeta: metav1.ObjectMeta{Name: "default", UID: "spot-week-pool"}}
	pool.Spec.Template.Spec.NodeClassRef = &ref
	pool.Spec.Template.Spec.Requirements = []karpenterv1.Requirement{
		{Key: karpenterv1.CapacityTypeLabelKey, Operator: corev1.NodeSelectorOpIn, Values: s.capacityTypes},
		{
			Key:      "karpenter.k8s.aws/instance-category",
			Operator: corev1.NodeSelectorOpIn,
			Values:   []string{"c", "m", "r"},
		},
		{Key: "karpenter.k8s.aws/instance-cpu", Operator: "Gt", Values: []string{"3"}},
		{Key: "karpenter.k8s.aws/instance-cpu", Operator: "Lt", Values: []string{"33"}},
		{Key: corev1.LabelArchStable, Operator: corev1.NodeSelectorOpIn, Values: []string{"amd64"}},
	}
	return pool
}
