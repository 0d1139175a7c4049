package lifecycle

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/awssim"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws"
)

// witness keeps the requests of CreateFleet that are made through it.
type witness struct {
	mu     sync.Mutex // guards the field below
	fleets []url.Values
}

func (w *witness) Do(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		text, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		req.Body = io.NopCloser(bytes.NewReader(text))
		if form, err := url.ParseQuery(
			string(text),
		); err == nil && form.Get("Action") == "CreateFleet" &&
			form.Get("DryRun") != "true" {
			w.mu.Lock()
			w.fleets = append(w.fleets, form)
			w.mu.Unlock()
		}
	}
	return http.DefaultClient.Do(req)
}

// place is a type in a zone.
type place struct{ instanceType, zone string }

// overrides are what a fleet may be bought from, and its capacity type.
func overrides(form url.Values) (out []place, capacityType string) {
	for i := 1; ; i++ {
		before := len(out)
		for k := 1; ; k++ {
			at := fmt.Sprintf("LaunchTemplateConfigs.%d.Overrides.%d.", i, k)
			if form.Get(at+"InstanceType") == "" {
				break
			}
			out = append(out, place{form.Get(at + "InstanceType"), form.Get(at + "AvailabilityZone")})
		}
		if len(out) == before {
			return out, form.Get("TargetCapacitySpecification.DefaultTargetCapacityType")
		}
	}
}

// seller is the provider on a simulated AWS, with NodePools of one class.
type seller struct {
	cloud   *aws.Cloud
	clock   *testclock.FakeClock
	witness *witness
	ref     karpenterv1.NodeClassReference
}

func newSeller(t *testing.T) *seller {
	t.Helper()
	s := &seller{clock: testclock.NewFakeClock(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)), witness: &witness{}}
	sim, err := awssim.New(
		awssim.Options{
			Clock:             s.clock,
			ClusterName:       "demo",
			ClusterEndpoint:   "https://10.1.2.3",
			ClusterCA:         []byte("ca"),
			KubernetesVersion: "1.36",
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, karpenterv1.AddToScheme, awsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	discovery := map[string]string{"karpenter.sh/discovery": "demo"}
	class := &awsv1.EC2NodeClass{
		ObjectMeta: metav1.ObjectMeta{Name: "default", UID: "class", Generation: 1},
		Spec: awsv1.EC2NodeClassSpec{
			Role:                       "KarpenterNodeRole-demo",
			SubnetSelectorTerms:        []awsv1.SubnetSelectorTerm{{Tags: discovery}},
			SecurityGroupSelectorTerms: []awsv1.SecurityGroupSelectorTerm{{Tags: discovery}},
			AMISelectorTerms:           []awsv1.AMISelectorTerm{{Alias: "al2023@latest"}},
		},
	}
	s.ref = karpenterv1.NodeClassReference{Group: awsv1.Group, Kind: "EC2NodeClass", Name: class.Name}
	dns := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-dns"},
		Spec:       corev1.ServiceSpec{ClusterIP: "10.100.0.10"},
	}
	kube := fake.NewClientBuilder().WithScheme(scheme).WithObjects(class, dns).WithStatusSubresource(class).Build()
	s.cloud, err = aws.New(t.Context(), aws.Deps{
		Config: awssdk.Config{
			Region:       "us-east-1",
			BaseEndpoint: awssdk.String(sim.URL()),
			HTTPClient:   s.witness,
			Credentials:  credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""),
		},
		Client: kube, Clock: s.clock, Settings: aws.Settings{ClusterName: "demo"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.cloud.ResolveClass(t.Context(), s.ref); err != nil {
		t.Fatal(err)
	}
	return s
}

// pools draws NodePools that leave much or little open.
func (s *seller) pools(dice *rand.Rand) []*karpenterv1.NodePool {
	in := func(key string, values ...string) karpenterv1.Requirement {
		return karpenterv1.Requirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}
	}
	least := 3
	choices := [][]karpenterv1.Requirement{
		nil,
		{in(shape.LabelCapacityType, shape.OnDemand)},
		{in(shape.LabelCapacityType, shape.Spot)},
		{in(shape.LabelCapacityType, shape.OnDemand, shape.Spot), in(awsv1.LabelInstanceCategory, "c", "m", "r")},
		{in(shape.LabelArch, "amd64"), in(awsv1.LabelEBSCSIZone, "us-east-1a", "us-east-1b")},
		{
			in(shape.LabelCapacityType, shape.OnDemand),
			{Key: awsv1.LabelInstanceFamily, Operator: corev1.NodeSelectorOpExists, MinValues: &least},
		},
		{in(awsv1.LabelInstanceCategory, "g", "inf", "m")},
	}
	var out []*karpenterv1.NodePool
	for i := range 1 + dice.IntN(2) {
		p := &karpenterv1.NodePool{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("pool%d", i), UID: types.UID(fmt.Sprintf("pool%d", i))},
		}
		p.Spec.Template.Spec.NodeClassRef = &s.ref
		p.Spec.Template.Spec.Requirements = choices[dice.IntN(len(choices))]
		out = append(out, p)
	}
	return out
}

// pods draws a handful of kinds of pods, some of which ask for a GPU, a zone or a capacity type.
func pods(dice *rand.Rand) []*corev1.Pod {
	var out []*corev1.Pod
	for kind := range 1 + dice.IntN(4) {
		requests := corev1.ResourceList{
			corev1.ResourceCPU:    *resource.NewMilliQuantity(int64(100+dice.IntN(8000)), resource.DecimalSI),
			corev1.ResourceMemory: *resource.NewQuantity(int64(1+dice.IntN(24))<<29, resource.BinarySI),
		}
		selector := map[string]string{}
		switch dice.IntN(6) {
		case 0:
			requests["nvidia.com/gpu"] = resource.MustParse("1")
		case 1:
			selector[shape.LabelZone] = "us-east-1b"
		case 2:
			selector[shape.LabelCapacityType] = shape.OnDemand
		}
		for i := range 1 + dice.IntN(30) {
			p := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{
					Namespace: "default",
					Name:      fmt.Sprintf("p%d-%d", kind, i),
					UID:       types.UID(fmt.Sprintf("p%d-%d", kind, i)),
				},
			}
			p.Spec.NodeSelector = selector
			p.Spec.Containers = []corev1.Container{
				{Name: "main", Resources: corev1.ResourceRequirements{Requests: requests, Limits: requests}},
			}
			p.Status.Phase = corev1.PodPending
			out = append(out, p)
		}
	}
	return out
}

// plannedSeeds is how many clusters are planned and launched, and fewSeeds how many with -short.
const plannedSeeds, fewSeeds = 24, 6

// A plan reckons with the cheapest of each node's options. That must be among what CreateFleet may choose from, and
// nothing that the plan priced lower; and what is bought on demand is what was planned.
func TestWhatIsPlannedIsWhatIsLaunched(t *testing.T) {
	t.Parallel()
	s := newSeller(t)
	planned, launched := shape.Money(0), shape.Money(0)
	seeds := plannedSeeds
	if testing.Short() {
		seeds = fewSeeds
	}
	for seed := range uint64(seeds) {
		dice := rand.New(rand.NewPCG(seed, 1))
		p, l := s.play(t, fmt.Sprintf("s%d", seed), s.pools(dice), pods(dice))
		planned, launched = planned+p, launched+l
	}
	t.Logf("planned %s, launched %s an hour", planned, launched)
	if launched == 0 {
		t.Error("nothing was launched")
	}
}

// play plans pods, launches up to four nodes of the plan, and says what they were planned to cost and what they do.
func (s *seller) play(
	t *testing.T,
	name string,
	pools []*karpenterv1.NodePool,
	pods []*corev1.Pod,
) (planned, launched shape.Money) {
	t.Helper()
	sold, err := s.cloud.InstanceTypes(t.Context(), s.ref)
	if err != nil {
		t.Fatal(err)
	}
	offers, byName := map[string]*translate.Offer{}, map[string]*karpenterv1.NodePool{}
	for _, p := range pools {
		offers[p.Name], byName[p.Name] = translate.NewOffer(sold, ""), p
	}
	snapshot, problems := translate.Snapshot(translate.Objects{
		NodePools: pools, Offers: offers, Aliases: s.cloud.LabelRules().Aliases, TrustPools: true, Pods: pods,
	}, s.clock.Now())
	if len(problems) > 0 {
		t.Fatal(problems[0])
	}
	decision := engine.Plan(snapshot, engine.DefaultPolicy())
	for i, n := range decision.Open[:min(len(decision.Open), 4)] {
		claim := translate.NodeClaim(byName[n.Pool], n, nil)
		claim.Name, claim.CreationTimestamp = fmt.Sprintf("%s-%d", name, i), metav1.NewTime(s.clock.Now())
		claim.UID = types.UID(claim.Name)
		candidates, err := provider.CandidatesFor(claim, sold, s.cloud.LabelRules().Aliases)
		if err != nil {
			t.Fatal(err)
		}
		s.witness.fleets = nil
		m, err := s.cloud.Launch(t.Context(), provider.Order{Claim: claim, Token: claim.Name, Candidates: candidates})
		if err != nil {
			t.Fatalf("%s: %v", claim.Name, err)
		}
		s.check(t, claim.Name, n, candidates)
		price := priceOf(candidates, place{m.InstanceType, m.Zone}, m.CapacityType)
		if m.CapacityType == shape.OnDemand && price != n.Price {
			t.Errorf("%s was planned at %s, and %s was bought at %s", claim.Name, n.Price, m.InstanceType, price)
		}
		planned, launched = planned+n.Price, launched+price
		if err := s.cloud.Terminate(t.Context(), m.ProviderID); err != nil {
			t.Fatal(err)
		}
	}
	return planned, launched
}

// check holds the first request for a node against its plan.
func (s *seller) check(t *testing.T, name string, n engine.NewNode, candidates []provider.Candidate) {
	t.Helper()
	asked, capacityType := overrides(s.witness.fleets[0])
	first := n.Options[0]
	if capacityType != first.CapacityType || !slices.Contains(asked, place{first.Type, first.Zone}) {
		t.Errorf(
			"%s: the plan reckons with %s in %s, %s; the fleet asks for %s of %v",
			name,
			first.Type,
			first.Zone,
			first.CapacityType,
			capacityType,
			asked,
		)
	}
	for _, p := range asked {
		if price := priceOf(candidates, p, capacityType); price < n.Price {
			t.Errorf("%s: the fleet may buy %v at %s, the plan reckons with %s", name, p, price, n.Price)
		}
	}
}

// priceOf is the price of a type in a zone.
func priceOf(candidates []provider.Candidate, at place, capacityType string) shape.Money {
	for _, c := range candidates {
		if c.Type.Name == at.instanceType && c.Offering.Zone == at.zone && c.Offering.CapacityType == capacityType {
			return c.Offering.Price
		}
	}
	return -1
}
