package aws

import (
	"sync"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/awssim"
	"github.com/dovetail-sh/dovetail/provider/aws/inventory"
)

const (
	clusterName = "demo"
	endpoint    = "https://10.1.2.3:6443"
	authority   = "-----BEGIN CERTIFICATE-----\nc2ltdWxhdGVk\n-----END CERTIFICATE-----\n"
	nodeRole    = "KarpenterNodeRole-demo"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// bench is a cloud on a simulated account whose clock stands still unless told.
type bench struct {
	*Cloud
	sim   *awssim.Server
	kube  client.Client
	clock *testclock.FakeClock
	deps  Deps
}

// newBench makes one with the objects and an EC2NodeClass "default" that is resolved.
func newBench(t *testing.T, objects ...client.Object) *bench {
	t.Helper()
	return newBenchWith(t, Settings{ClusterName: clusterName, VMMemoryOverheadPercent: 0.075}, objects...)
}

func newBenchWith(t *testing.T, settings Settings, objects ...client.Object) *bench {
	t.Helper()
	return newBenchIn(t, nil, settings, objects...)
}

// newBenchIn makes one whose account uses some groups of Local Zones.
func newBenchIn(t *testing.T, localZones []string, settings Settings, objects ...client.Object) *bench {
	t.Helper()
	b := &bench{clock: testclock.NewFakeClock(noon)}
	var err error
	b.sim, err = awssim.New(awssim.Options{
		Seed:              7,
		Clock:             b.clock,
		ClusterName:       clusterName,
		ClusterEndpoint:   endpoint,
		ClusterCA:         []byte(authority),
		KubernetesVersion: "1.32",
		LocalZones:        localZones,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.sim.Close() })
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, appsv1.AddToScheme, karpenterv1.AddToScheme, awsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	objects = append(objects, nodeClass("default"), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-dns"},
		Spec:       corev1.ServiceSpec{ClusterIP: "10.100.0.10"},
	})
	b.kube = fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
		WithStatusSubresource(&awsv1.EC2NodeClass{}, &karpenterv1.NodeClaim{}).Build()
	b.deps = Deps{
		Config: awssdk.Config{
			Region: "us-east-1", BaseEndpoint: awssdk.String(b.sim.URL()),
			Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""),
			Retryer:     func() awssdk.Retryer { return awssdk.NopRetryer{} },
		},
		Client: b.kube, Clock: b.clock, Settings: settings,
	}
	b.restart(t)
	for _, o := range objects {
		if class, ok := o.(*awsv1.EC2NodeClass); ok {
			if _, err := b.ResolveClass(t.Context(), ref(class.Name)); err != nil {
				t.Fatalf("resolving %s: %v", class.Name, err)
			}
		}
	}
	return b
}

// restart forgets everything that a process remembers.
func (b *bench) restart(t *testing.T) {
	t.Helper()
	var err error
	if b.Cloud, err = New(t.Context(), b.deps); err != nil {
		t.Fatalf("New: %v", err)
	}
	b.inventory = region()
}

// region is what every simulated account sells. To read 900 types off the wire takes longer
// than most tests, so it is done once, from an account that stays open.
var region = sync.OnceValue(func() *inventory.Store {
	sim, err := awssim.New(awssim.Options{ClusterName: clusterName})
	if err != nil {
		panic(err)
	}
	return inventory.New(ec2.NewFromConfig(awssdk.Config{
		Region: "us-east-1", BaseEndpoint: awssdk.String(sim.URL()), HTTPClient: httpClient(nil),
		Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""),
	}))
})

func ref(name string) karpenterv1.NodeClassReference {
	return karpenterv1.NodeClassReference{Group: awsv1.Group, Kind: classKind, Name: name}
}

// nodeClass selects what the simulated account has.
func nodeClass(name string, change ...func(*awsv1.EC2NodeClass)) *awsv1.EC2NodeClass {
	discovery := map[string]string{"karpenter.sh/discovery": clusterName}
	class := &awsv1.EC2NodeClass{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid-" + name), Generation: 1},
		Spec: awsv1.EC2NodeClassSpec{
			Role:                       nodeRole,
			SubnetSelectorTerms:        []awsv1.SubnetSelectorTerm{{Tags: discovery}},
			SecurityGroupSelectorTerms: []awsv1.SecurityGroupSelectorTerm{{Tags: discovery}},
			AMISelectorTerms:           []awsv1.AMISelectorTerm{{Alias: "al2023@latest"}},
		},
	}
	for _, c := range change {
		c(class)
	}
	return class
}

// class reads an EC2NodeClass back.
func (b *bench) classNamed(t *testing.T, name string) *awsv1.EC2NodeClass {
	t.Helper()
	class := &awsv1.EC2NodeClass{}
	if err := b.kube.Get(t.Context(), client.ObjectKey{Name: name}, class); err != nil {
		t.Fatal(err)
	}
	return class
}
