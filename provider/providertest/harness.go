package providertest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
)

// Harness is what the suite needs besides the cloud itself.
type Harness struct {
	// Ready is a NodeClass that can launch.
	Ready karpenterv1.NodeClassReference

	// NotReady is a NodeClass that exists and cannot launch yet.
	NotReady karpenterv1.NodeClassReference

	// SellOut takes what the candidates describe off the market, without a word to the
	// provider, and returns those that are now sold out: a cloud whose supply is fixed
	// returns others. It returns at least one.
	SellOut func(t *testing.T, of []provider.Candidate) []provider.Candidate

	// Pass lets time go by in the cloud, so that machines change state.
	Pass func(d time.Duration)
}

// Opener makes a new cloud that shares nothing with others.
type Opener func(t *testing.T) (provider.Cloud, Harness)

// Run runs the whole suite.
func Run(t *testing.T, open Opener) {
	for _, p := range slices.Concat(launchPromises, machinePromises, classPromises) {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			cloud, harness := open(t)
			p.check(t, &bench{cloud: cloud, Harness: harness})
		})
	}
}

type promise struct {
	name  string
	check func(t *testing.T, b *bench)
}

// bench is a cloud under test.
type bench struct {
	Harness
	cloud  provider.Cloud
	claims int
}

// claim makes a NodeClaim of the ready class: a small on-demand amd64 Linux node, unless
// further requirements are given for the same keys.
func (b *bench) claim(more ...karpenterv1.Requirement) *karpenterv1.NodeClaim {
	b.claims++
	ref := b.Ready
	reqs := slices.Clone(more)
	for _, r := range []karpenterv1.Requirement{
		{Key: corev1.LabelOSStable, Operator: corev1.NodeSelectorOpIn, Values: []string{"linux"}},
		{Key: corev1.LabelArchStable, Operator: corev1.NodeSelectorOpIn, Values: []string{"amd64"}},
		{Key: karpenterv1.CapacityTypeLabelKey, Operator: corev1.NodeSelectorOpIn,
			Values: []string{karpenterv1.CapacityTypeOnDemand}},
	} {
		if !slices.ContainsFunc(more, func(m karpenterv1.Requirement) bool { return m.Key == r.Key }) {
			reqs = append(reqs, r)
		}
	}
	return &karpenterv1.NodeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Name:   fmt.Sprintf("general-%d", b.claims),
			UID:    types.UID(fmt.Sprintf("00000000-0000-0000-0000-%012d", b.claims)),
			Labels: map[string]string{karpenterv1.NodePoolLabelKey: "general"},
		},
		Spec: karpenterv1.NodeClaimSpec{
			Requirements: reqs,
			NodeClassRef: &ref,
			Resources: karpenterv1.ResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceCPU:    resource.MustParse("1"),
				corev1.ResourceMemory: resource.MustParse("1Gi"),
				corev1.ResourcePods:   resource.MustParse("5"),
			}},
		},
	}
}

// types lists the ready class's instance types.
func (b *bench) types(t *testing.T) []*shape.InstanceType {
	t.Helper()
	out, err := b.cloud.InstanceTypes(t.Context(), b.Ready)
	if err != nil {
		t.Fatalf("InstanceTypes(%s): %v", b.Ready.Name, err)
	}
	return out
}

// order asks for what suits the claim.
func (b *bench) order(t *testing.T, claim *karpenterv1.NodeClaim) provider.Order {
	t.Helper()
	candidates, err := provider.CandidatesFor(claim, b.types(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(candidates) == 0 {
		t.Fatalf("no candidate suits a small linux amd64 node: the suite needs one")
	}
	return provider.Order{Claim: claim, Token: string(claim.UID), Candidates: candidates}
}

// launch buys a machine and fails the test if it cannot.
func (b *bench) launch(t *testing.T, order provider.Order) provider.Machine {
	t.Helper()
	m, err := b.cloud.Launch(t.Context(), order)
	if err != nil {
		t.Fatalf("Launch: %v", err)
	}
	return m
}

// machines lists all machines.
func (b *bench) machines(t *testing.T) []provider.Machine {
	t.Helper()
	out, err := b.cloud.Machines(t.Context())
	if err != nil {
		t.Fatalf("Machines: %v", err)
	}
	return out
}

// wantIs fails the test unless err is target.
func wantIs(t *testing.T, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s: got error %v, want %v", what, err, target)
	}
}
