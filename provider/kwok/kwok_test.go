package kwok

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/api/kwok/v1alpha1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/providertest"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func ref(name string) karpenterv1.NodeClassReference {
	return karpenterv1.NodeClassReference{Group: v1alpha1.Group, Kind: "KWOKNodeClass", Name: name}
}

// open makes a cloud on an API server that holds the objects and the class "default".
func open(
	t *testing.T,
	types []*shape.InstanceType,
	objects ...client.Object,
) (*Cloud, client.Client, *testclock.FakeClock) {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, karpenterv1.AddToScheme,
		v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	objects = append(objects, &v1alpha1.KWOKNodeClass{ObjectMeta: metav1.ObjectMeta{Name: "default"}})
	kube := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.KWOKNodeClass{}, &karpenterv1.NodeClaim{}).Build()
	clock := testclock.NewFakeClock(noon)
	cloud, err := New(Deps{Client: kube, Clock: clock, Types: types})
	if err != nil {
		t.Fatal(err)
	}
	return cloud, kube, clock
}

// withSoldOut are the generic types and one more, cheaper than all, that is never available.
func withSoldOut() ([]*shape.InstanceType, provider.Candidate) {
	soldOut := *genericType("x-1x-amd64-linux", 1, 4<<30, "amd64", "linux")
	for i := range soldOut.Offerings {
		soldOut.Offerings[i].Available = false
	}
	return append(
			[]*shape.InstanceType{&soldOut},
			GenericTypes()...), provider.Candidate{
			Type:     &soldOut,
			Offering: &soldOut.Offerings[0],
		}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	providertest.Run(t, func(t *testing.T) (provider.Cloud, providertest.Harness) {
		broken := &v1alpha1.KWOKNodeClass{ObjectMeta: metav1.ObjectMeta{Name: "broken"}}
		condition.False(broken, noon, v1alpha1.ConditionReady, "Broken", "Somebody said so.")
		types, soldOut := withSoldOut()
		cloud, _, clock := open(t, types, broken)
		return cloud, providertest.Harness{
			Ready:    ref("default"),
			NotReady: ref("broken"),
			SellOut: func(*testing.T,
				[]provider.Candidate) []provider.Candidate {
				return []provider.Candidate{soldOut}
			},
			Pass: clock.Step,
		}
	})
}

func claimFor(class string) *karpenterv1.NodeClaim {
	r := ref(class)
	return &karpenterv1.NodeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Name: "general-1", UID: types.UID("4a1f"),
			Labels:      map[string]string{karpenterv1.NodePoolLabelKey: "general", "team": "red"},
			Annotations: map[string]string{"note": "kept"},
		},
		Spec: karpenterv1.NodeClaimSpec{
			NodeClassRef: &r,
			Taints: []karpenterv1.Taint{
				{Key: "dedicated", Value: "red", Effect: corev1.TaintEffectNoSchedule},
			},
			StartupTaints: []karpenterv1.Taint{{Key: "cni", Effect: corev1.TaintEffectNoExecute}},
			Requirements: []karpenterv1.Requirement{
				{
					Key:      corev1.LabelInstanceTypeStable,
					Operator: corev1.NodeSelectorOpIn,
					Values:   []string{"s-4x-amd64-linux"},
				},
			},
		},
	}
}

func orderFor(t *testing.T, claim *karpenterv1.NodeClaim) provider.Order {
	t.Helper()
	candidates, err := provider.CandidatesFor(claim, GenericTypes(), nil)
	if err != nil || len(candidates) == 0 {
		t.Fatalf("%d candidates, %v", len(candidates), err)
	}
	return provider.Order{Claim: claim, Token: string(claim.UID), Candidates: candidates}
}

func nodes(t *testing.T, kube client.Client) []corev1.Node {
	t.Helper()
	list := &corev1.NodeList{}
	if err := kube.List(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func TestLaunchedNodeIsWhatAKubeletWouldRegister(t *testing.T) {
	t.Parallel()
	cloud, kube, _ := open(t, nil)
	m, err := cloud.Launch(t.Context(), orderFor(t, claimFor("default")))
	if err != nil {
		t.Fatal(err)
	}
	all := nodes(t, kube)
	if len(all) != 1 {
		t.Fatalf("%d nodes, want 1", len(all))
	}
	node := all[0]
	if node.Spec.ProviderID != m.ProviderID || m.ProviderID != "kwok://"+node.Name {
		t.Errorf("node %s has provider ID %s, the machine %s", node.Name, node.Spec.ProviderID, m.ProviderID)
	}
	want := map[string]string{
		"team":                           "red",
		karpenterv1.NodePoolLabelKey:     "general",
		corev1.LabelHostname:             node.Name,
		corev1.LabelInstanceTypeStable:   "s-4x-amd64-linux",
		corev1.LabelTopologyZone:         "test-zone-a",
		karpenterv1.CapacityTypeLabelKey: "spot",
		v1alpha1.InstanceFamilyLabelKey:  "s",
		v1alpha1.InstanceSizeLabelKey:    "4",
		v1alpha1.InstanceCPULabelKey:     "4",
		v1alpha1.InstanceMemoryLabelKey:  "16384",
		v1alpha1.NodeLabelKey:            "fake",
		"eks-node-viewer/instance-price": "0.0820",
		corev1.LabelArchStable:           "amd64",
		corev1.LabelOSStable:             "linux",
	}
	for key, value := range want {
		if node.Labels[key] != value {
			t.Errorf("label %s is %q, want %q", key, node.Labels[key], value)
		}
	}
	if node.Annotations["note"] != "kept" || node.Annotations["kwok.x-k8s.io/node"] != "fake" {
		t.Errorf("annotations are %v", node.Annotations)
	}
	taints := map[string]bool{}
	for _, taint := range node.Spec.Taints {
		taints[taint.ToString()] = true
	}
	for _, taint := range []string{"dedicated=red:NoSchedule", "cni:NoExecute", "karpenter.sh/unregistered:NoExecute"} {
		if !taints[taint] {
			t.Errorf("taint %s is missing among %v", taint, taints)
		}
	}
	if cpu := node.Status.Allocatable.Cpu().MilliValue(); cpu != 3900 {
		t.Errorf("allocatable cpu is %dm, want 3900m: 4 cores less 100m", cpu)
	}
}

func TestRegistrationDelayHoldsTheNodeBackAndSurvivesARestart(t *testing.T) {
	t.Parallel()
	slow := &v1alpha1.KWOKNodeClass{
		ObjectMeta: metav1.ObjectMeta{Name: "slow"},
		Spec:       v1alpha1.KWOKNodeClassSpec{NodeRegistrationDelay: &metav1.Duration{Duration: 30 * time.Second}},
	}
	claim := claimFor("slow")
	cloud, kube, clock := open(t, nil, slow, claim)
	m, err := cloud.Launch(t.Context(), orderFor(t, claim))
	if err != nil || m.State != provider.Pending {
		t.Fatalf("Launch: state %q, %v; want pending", m.State, err)
	}

	// The lifecycle controller writes down what it was told.
	claim.Labels = m.Labels
	if err := kube.Update(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	claim.Status.ProviderID, claim.Status.Capacity, claim.Status.Allocatable = m.ProviderID, m.Capacity, m.Allocatable
	condition.True(claim, clock.Now(), karpenterv1.ConditionLaunched)
	if err := kube.Status().Update(t.Context(), claim); err != nil {
		t.Fatal(err)
	}

	restarted, err := New(Deps{Client: kube, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	behind := claim.DeepCopy() // as a cache still shows it below
	join := restarted.Tasks()[0]
	clock.Step(29 * time.Second)
	if err := join.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(nodes(t, kube)); n != 0 {
		t.Fatalf("%d nodes a second before the delay is over", n)
	}
	if got, err := restarted.Machine(t.Context(), m.ProviderID); err != nil || got.State != provider.Pending {
		t.Errorf("Machine: state %q, %v; want pending", got.State, err)
	}
	clock.Step(time.Second)
	if err := join.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := nodes(t, kube)
	if len(all) != 1 || all[0].Spec.ProviderID != m.ProviderID || all[0].Status.Capacity.Cpu().Value() != 4 {
		t.Fatalf("nodes after the delay: %v", all)
	}
	vanishes(t, kube, clock, behind)
}

// vanishes ends a machine once its Node has been seen. A cache that does not show this yet makes no second one.
func vanishes(t *testing.T, kube client.Client, clock *testclock.FakeClock, behind *karpenterv1.NodeClaim) {
	t.Helper()
	claim := &karpenterv1.NodeClaim{}
	if err := kube.Get(t.Context(), client.ObjectKeyFromObject(behind), claim); err != nil {
		t.Fatal(err)
	}
	node := nodes(t, kube)[0]
	claim.Status.NodeName = node.Name
	if err := kube.Status().Update(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	if err := kube.Delete(t.Context(), &node); err != nil {
		t.Fatal(err)
	}
	stale := interceptor.NewClient(kube.(client.WithWatch), interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, o ...client.ListOption) error {
			if claims, ok := list.(*karpenterv1.NodeClaimList); ok {
				claims.Items = []karpenterv1.NodeClaim{*behind}
				return nil
			}
			return c.List(ctx, list, o...)
		},
	})
	cloud, err := New(Deps{Client: stale, Live: kube, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	if err := cloud.Tasks()[0].Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again := nodes(t, kube); len(again) != 0 {
		t.Errorf("the Node is made anew: %v", again[0].Name)
	}
}

func TestTerminateWithAFinalizerCountsAsGoneWhileTheNodeStays(t *testing.T) {
	t.Parallel()
	cloud, kube, _ := open(t, nil)
	m, err := cloud.Launch(t.Context(), orderFor(t, claimFor("default")))
	if err != nil {
		t.Fatal(err)
	}
	node := nodes(t, kube)[0]
	node.Finalizers = []string{karpenterv1.TerminationFinalizer}
	if err := kube.Update(t.Context(), &node); err != nil {
		t.Fatal(err)
	}
	if err := kube.Delete(t.Context(), &node); err != nil {
		t.Fatal(err)
	}
	if _, err := cloud.Machine(t.Context(), m.ProviderID); err != nil {
		t.Errorf("a node that is only being drained still has its machine: %v", err)
	}
	if err := cloud.Terminate(t.Context(), m.ProviderID); err != nil {
		t.Fatalf("Terminate: %v", err)
	}
	if err := cloud.Terminate(t.Context(), m.ProviderID); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("second Terminate: %v, want ErrNotFound, or the finalizer is never taken off", err)
	}
	if n := len(nodes(t, kube)); n != 1 {
		t.Errorf("%d nodes; the finalizer's owner decides when the Node goes", n)
	}
}
