package translate_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// TestPodsThatMustNotBeDisruptedMoveBeforeTheirMachineEnds has a node that goes, with and without a time by which it
// must.
func TestPodsThatMustNotBeDisruptedMoveBeforeTheirMachineEnds(t *testing.T) {
	t.Parallel()
	now := metav1.NewTime(noon)
	for name, tc := range map[string]struct {
		ends      string
		displaced int
	}{
		"Someday": {"", 0},
		"Ends":    {noon.Add(2 * time.Minute).Format(time.RFC3339), 1},
		"Slip":    {"soon", 0},
	} {
		claim := launched()
		claim.DeletionTimestamp = &now
		if tc.ends != "" {
			claim.Annotations = map[string]string{translate.AnnotationMachineEnds: tc.ends}
		}
		db := pod(corev1.PodSpec{NodeName: "ip-1"})
		db.Annotations = map[string]string{karpenterv1.DoNotDisruptAnnotationKey: "true"}
		got, _ := translate.Snapshot(translate.Objects{
			Pods: []*corev1.Pod{db}, Nodes: []*corev1.Node{joined(nil)}, NodeClaims: []*karpenterv1.NodeClaim{claim},
		}, noon)
		if len(got.Pods) != tc.displaced || len(got.Nodes[0].Pods) != 1-tc.displaced {
			t.Errorf(
				"%s: %d pods need room elsewhere and %d stay, want %d to move",
				name,
				len(got.Pods),
				len(got.Nodes[0].Pods),
				tc.displaced,
			)
		}
		for _, p := range got.Pods {
			if p.Role != shape.Movable || p.From != "ip-1" {
				t.Errorf("%s: pod %s is to be placed as %v from %q", name, p.ID, p.Role, p.From)
			}
		}
	}
}

// TestAClaimWhoseNodeIsGoneIsNoRoom tells a Node that was lost from one that is still to come.
func TestAClaimWhoseNodeIsGoneIsNoRoom(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		why     string
		node    string
		joined  func(*karpenterv1.NodeClaim)
		present bool
		want    shape.Stage
	}{
		"ToCome": {"It is bought and about to join.", "", func(c *karpenterv1.NodeClaim) {
			condition.Unknown(c, noon, karpenterv1.ConditionRegistered, "NodeNotFound", "")
		}, false, shape.Launching},
		"NotSeen": {"The cache shows the claim first.", "ip-1", func(c *karpenterv1.NodeClaim) { condition.True(c, noon, karpenterv1.ConditionRegistered) }, false, shape.Launching},
		"Gone": {"Somebody deleted the Node by force.", "ip-1", func(c *karpenterv1.NodeClaim) {
			condition.Unknown(c, noon, karpenterv1.ConditionRegistered, "NodeNotFound", "")
		}, false, shape.Leaving},
		"Back": {"Its kubelet was started anew.", "ip-1", func(c *karpenterv1.NodeClaim) {
			condition.Unknown(c, noon, karpenterv1.ConditionRegistered, "NodeNotFound", "")
		}, true, shape.Joined},
	} {
		claim := launched()
		claim.Status.NodeName = tc.node
		tc.joined(claim)
		parts := translate.NodeParts{Name: "ip-1", Claim: claim, Offer: offer()}
		if tc.present {
			parts.Node = joined(nil)
		}
		if got := translate.NewInterner(&translate.World{}).Node(parts).Stage; got != tc.want {
			t.Errorf("%s: %s\nstage %v, want %v", name, tc.why, got, tc.want)
		}
	}
}
