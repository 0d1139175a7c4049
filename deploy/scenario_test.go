package deploy_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/awssim"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws"
)

// scenario is the provider on a simulated account, with everything switched on.
type scenario struct {
	*aws.Cloud
	kube  client.Client
	clock *testclock.FakeClock
	sim   *awssim.Server
	class karpenterv1.NodeClassReference
}

// liveOnce does everything that the provider does and returns the calls that it took.
func liveOnce(t *testing.T) []call {
	t.Helper()
	r := &recorder{}
	s := newScenario(t, r)
	must(t, second(s.ResolveClass(t.Context(), s.class)))
	for _, task := range s.Tasks() {
		must(t, task.Run(t.Context()))
	}
	ids := []string{s.launch(t, karpenterv1.CapacityTypeOnDemand), s.launch(t, karpenterv1.CapacityTypeSpot)}
	must(t, second(s.Machines(t.Context())))
	must(t, second(s.Diagnose(t.Context())))
	s.clock.Step(time.Minute)
	notices, err := s.Notices(t.Context())
	must(t, err)
	for _, n := range notices {
		must(t, s.Done(t.Context(), n))
	}
	for _, id := range ids {
		must(t, s.Reboot(t.Context(), id, "again"))
		must(t, s.Terminate(t.Context(), id))
	}
	class := &awsv1.EC2NodeClass{ObjectMeta: metav1.ObjectMeta{Name: s.class.Name}}
	must(t, s.kube.Delete(t.Context(), class))
	must(t, second(s.ResolveClass(t.Context(), s.class)))

	var recorded, made []string
	for _, c := range s.sim.Calls() {
		recorded = append(recorded, c.Service+":"+c.Action)
		if c.Code != "" && c.Code != "DryRunOperation" && !slices.Contains(notThere, c.Code) {
			t.Errorf("%s:%s was refused: %s", c.Service, c.Action, c.Code)
		}
	}
	for _, c := range r.calls {
		made = append(made, c.name)
	}
	slices.Sort(recorded)
	slices.Sort(made)
	if !slices.Equal(recorded, made) {
		t.Errorf("AWS recorded %d calls and %d were sent", len(recorded), len(made))
	}
	return r.calls
}

// notThere are the codes of what is asked for without being expected.
var notThere = []string{"NoSuchEntity", "ParameterNotFound", "InvalidLaunchTemplateName.NotFoundException"}

func newScenario(t *testing.T, r *recorder) *scenario {
	t.Helper()
	s := &scenario{
		clock: testclock.NewFakeClock(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)),
		class: karpenterv1.NodeClassReference{Group: awsv1.Group, Kind: "EC2NodeClass", Name: "default"},
	}
	var err error
	s.sim, err = awssim.New(
		awssim.Options{
			Clock:             s.clock,
			ClusterName:       "demo",
			ClusterEndpoint:   "https://10.1.2.3",
			ClusterCA:         []byte("ca"),
			KubernetesVersion: "1.32",
		},
	)
	must(t, err)
	t.Cleanup(func() { _ = s.sim.Close() })
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, karpenterv1.AddToScheme, awsv1.AddToScheme} {
		must(t, add(scheme))
	}
	discovery := map[string]string{"karpenter.sh/discovery": "demo"}
	s.kube = fake.NewClientBuilder().
		WithScheme(scheme).
		WithStatusSubresource(&awsv1.EC2NodeClass{}).
		WithObjects(&awsv1.EC2NodeClass{
			ObjectMeta: metav1.ObjectMeta{Name: "default", UID: "uid", Generation: 1},
			Spec: awsv1.EC2NodeClassSpec{
				Role:                             "KarpenterNodeRole-demo",
				SubnetSelectorTerms:              []awsv1.SubnetSelectorTerm{{Tags: discovery}},
				SecurityGroupSelectorTerms:       []awsv1.SecurityGroupSelectorTerm{{Tags: discovery}},
				CapacityReservationSelectorTerms: []awsv1.CapacityReservationSelectorTerm{{Tags: discovery}},
				AMISelectorTerms:                 []awsv1.AMISelectorTerm{{Alias: "al2023@latest"}},
			},
		}).
		Build()
	s.Cloud, err = aws.New(t.Context(), aws.Deps{
		Config: awssdk.Config{
			Region: "us-east-1", BaseEndpoint: awssdk.String(s.sim.URL()), HTTPClient: r,
			Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""),
		},
		Client: s.kube,
		Clock:  s.clock,
		Settings: aws.Settings{
			ClusterName:             "demo",
			InterruptionQueue:       "demo",
			ReservedCapacity:        true,
			ZonalShift:              true,
			VMMemoryOverheadPercent: 0.075,
		},
	})
	must(t, err)
	return s
}

// launch buys one machine and returns its provider ID.
func (s *scenario) launch(t *testing.T, capacityType string) string {
	t.Helper()
	claim := &karpenterv1.NodeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Name:   capacityType,
			Labels: map[string]string{karpenterv1.NodePoolLabelKey: "general"},
		},
	}
	claim.Spec.NodeClassRef = &s.class
	claim.Spec.Requirements = []karpenterv1.Requirement{
		{Key: karpenterv1.CapacityTypeLabelKey, Operator: corev1.NodeSelectorOpIn, Values: []string{capacityType}},
		{Key: corev1.LabelArchStable, Operator: corev1.NodeSelectorOpIn, Values: []string{"amd64"}},
	}
	types, err := s.InstanceTypes(t.Context(), s.class)
	must(t, err)
	candidates, err := provider.CandidatesFor(claim, types, nil)
	must(t, err)
	m, err := s.Launch(t.Context(), provider.Order{Claim: claim, Token: capacityType, Candidates: candidates})
	must(t, err)
	return m.ProviderID
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, provider.ErrClassNotFound) {
		t.Fatal(err)
	}
}

// second is the error of two results.
func second[T any](_ T, err error) error { return err }
