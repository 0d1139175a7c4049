package overlay

import (
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	karpenterv1alpha1 "github.com/dovetail-sh/dovetail/api/karpenter/v1alpha1"
	"github.com/dovetail-sh/dovetail/awssim"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/internal/market"
	"github.com/dovetail-sh/dovetail/internal/mirror"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws"
)

const (
	cheaper = "m5.large"
	larger  = "m5.xlarge"
	slice   = "example.com/gpu-slice"
)

// account is the provider on a simulated AWS that sells one pool m5.large and m5.xlarge on demand.
type account struct {
	cloud *aws.Cloud
	clock *testclock.FakeClock
	pool  *karpenterv1.NodePool
	kube  client.Client
}

func newAccount(t *testing.T, overlays ...client.Object) *account {
	t.Helper()
	a := &account{clock: testclock.NewFakeClock(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC))}
	sim, err := awssim.New(
		awssim.Options{
			Clock:             a.clock,
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
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, karpenterv1.AddToScheme,
		karpenterv1alpha1.AddToScheme, awsv1.AddToScheme} {
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
	ref := karpenterv1.NodeClassReference{Group: awsv1.Group, Kind: "EC2NodeClass", Name: class.Name}
	a.pool = &karpenterv1.NodePool{ObjectMeta: metav1.ObjectMeta{Name: "general", UID: "pool"}}
	a.pool.Spec.Template.Spec.NodeClassRef = &ref
	a.pool.Spec.Template.Spec.Requirements = []karpenterv1.Requirement{
		{
			Key:      karpenterv1.CapacityTypeLabelKey,
			Operator: corev1.NodeSelectorOpIn,
			Values:   []string{karpenterv1.CapacityTypeOnDemand},
		},
		{Key: corev1.LabelInstanceTypeStable, Operator: corev1.NodeSelectorOpIn, Values: []string{cheaper, larger}},
	}
	dns := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-dns"},
		Spec:       corev1.ServiceSpec{ClusterIP: "10.100.0.10"},
	}
	a.kube = fake.NewClientBuilder().WithScheme(scheme).WithObjects(append(overlays, class, a.pool, dns)...).
		WithStatusSubresource(class, &karpenterv1alpha1.NodeOverlay{}).Build()
	a.cloud, err = aws.New(t.Context(), aws.Deps{
		Config: awssdk.Config{
			Region:       "us-east-1",
			BaseEndpoint: awssdk.String(sim.URL()),
			Credentials:  credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""),
		},
		Client: a.kube, Clock: a.clock, Settings: aws.Settings{ClusterName: "demo"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.cloud.ResolveClass(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	return a
}

// launch plans a node for a pod under the overlays and buys it from EC2, as the daemon's controllers do.
func (a *account) launch(t *testing.T, requests corev1.ResourceList) (*karpenterv1.NodeClaim, provider.Machine) {
	t.Helper()
	store := market.NewOverlays()
	r, err := New(
		Deps{
			Client:  a.kube,
			Cloud:   a.cloud,
			Clock:   a.clock,
			Store:   store,
			Changed: func() {},
			Rules:   []karpenterv1.LabelRules{awsv1.LabelRules()},
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Reconcile(t.Context(), reconcile.Request{}); err != nil {
		t.Fatal(err)
	}
	m := mirror.New(mirror.Options{Clock: a.clock})
	m.Put(a.pool)
	market.New(a.cloud, store).Refresh(t.Context(), m)
	offer := m.Offered(a.pool.Name)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "web"}}
	pod.Spec.Containers = []corev1.Container{
		{Name: "main", Resources: corev1.ResourceRequirements{Requests: requests, Limits: requests}},
	}
	pod.Status.Phase = corev1.PodPending
	snapshot, problems := translate.Snapshot(translate.Objects{
		NodePools: []*karpenterv1.NodePool{
			a.pool,
		},
		Offers:     map[string]*translate.Offer{a.pool.Name: offer},
		TrustPools: true,
		Pods:       []*corev1.Pod{pod},
	}, a.clock.Now())
	if len(problems) > 0 {
		t.Fatal(problems[0])
	}
	decision := engine.Plan(snapshot, engine.DefaultPolicy())
	if len(decision.Open) != 1 {
		t.Fatalf("%d nodes are planned, want 1; unplaced: %v", len(decision.Open), decision.Unplaced)
	}
	claim := translate.NodeClaim(a.pool, decision.Open[0], nil)
	claim.Name, claim.UID, claim.CreationTimestamp = "general-1", "claim", metav1.NewTime(a.clock.Now())
	offer.Mark(claim, decision.Open[0])
	candidates, err := provider.CandidatesFor(claim, offer.Types, awsv1.LabelAliases())
	if err != nil {
		t.Fatal(err)
	}
	machine, err := a.cloud.Launch(
		t.Context(),
		provider.Order{Claim: claim, Token: string(claim.UID), Candidates: candidates},
	)
	if err != nil {
		t.Fatal(err)
	}
	return claim, machine
}

func overlay(change func(*karpenterv1alpha1.NodeOverlaySpec)) client.Object {
	o := &karpenterv1alpha1.NodeOverlay{ObjectMeta: metav1.ObjectMeta{Name: "contract"}}
	o.Spec.Requirements = []karpenterv1alpha1.Requirement{
		{Key: corev1.LabelInstanceTypeStable, Operator: corev1.NodeSelectorOpIn, Values: []string{larger}},
	}
	change(&o.Spec)
	return o
}

// What an overlay says of prices and capacity decides what EC2 launches, against EC2's own prices.
func TestOverlaysChangeWhatEC2Launches(t *testing.T) {
	t.Parallel()
	price := "0.01"
	cpu := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}
	slices := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"), slice: resource.MustParse("2")}
	cases := map[string]struct {
		why      string
		overlay  []client.Object
		requests corev1.ResourceList
		want     string
		mark     string
	}{
		"None": {"EC2's own prices", nil, cpu, cheaper, ""},
		"Price": {
			"a contract makes the larger type the cheaper one",
			[]client.Object{overlay(func(s *karpenterv1alpha1.NodeOverlaySpec) { s.Price = &price })},
			cpu,
			larger,
			karpenterv1alpha1.PriceOverlayAppliedAnnotationKey,
		},
		"Capacity": {
			"only the larger type is said to have slices",
			[]client.Object{overlay(func(s *karpenterv1alpha1.NodeOverlaySpec) {
				s.Capacity = corev1.ResourceList{slice: resource.MustParse("4")}
			})},
			slices,
			larger,
			karpenterv1alpha1.CapacityOverlayAppliedAnnotationKey,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, tc.overlay...)
			claim, m := a.launch(t, tc.requests)
			if m.InstanceType != tc.want {
				t.Errorf("%s: launched %s, want %s", tc.why, m.InstanceType, tc.want)
			}
			if tc.mark != "" && claim.Annotations[tc.mark] != "true" {
				t.Errorf("the claim is not marked %s: %v", tc.mark, claim.Annotations)
			}
			if got, want := m.Capacity[slice], tc.requests[slice]; got.Cmp(want) < 0 {
				t.Errorf("the machine has %s slices, the pod wants %s", got.String(), want.String())
			}
			again, err := a.cloud.Machine(t.Context(), m.ProviderID)
			if err != nil || again.InstanceType != tc.want {
				t.Errorf("EC2 runs %s, want %s; %v", again.InstanceType, tc.want, err)
			}
		})
	}
}
