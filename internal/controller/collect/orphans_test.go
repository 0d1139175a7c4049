package collect

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/provider"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func machine(id, claim string, age time.Duration) provider.Machine {
	return provider.Machine{ProviderID: id, Claim: claim, State: provider.Running, Launched: noon.Add(-age)}
}

func claim(name, id string, registeredFor time.Duration) karpenterv1.NodeClaim {
	c := karpenterv1.NodeClaim{}
	c.Name, c.Status.ProviderID = name, id
	if registeredFor > 0 {
		c.Status.Conditions = []metav1.Condition{
			{
				Type:               karpenterv1.ConditionRegistered,
				Status:             metav1.ConditionTrue,
				LastTransitionTime: metav1.NewTime(noon.Add(-registeredFor)),
			},
		}
	}
	return c
}

// launched is a claim whose node has not joined.
func launched(name, id string, ago time.Duration) karpenterv1.NodeClaim {
	c := claim(name, id, ago)
	c.Status.Conditions[0].Type = karpenterv1.ConditionLaunched
	return c
}

func node(id string, ready corev1.ConditionStatus) corev1.Node {
	n := corev1.Node{Spec: corev1.NodeSpec{ProviderID: id}}
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}
	return n
}

func TestOrphans(t *testing.T) {
	t.Parallel()
	going := claim("a", "i-1", time.Hour)
	going.DeletionTimestamp = &metav1.Time{Time: noon}
	cases := map[string]struct {
		why              string
		machines         []provider.Machine
		claims           []karpenterv1.NodeClaim
		nodes            []corev1.Node
		machine, claimed []string
	}{
		"Pair": {
			why:      "Both halves are there.",
			machines: []provider.Machine{machine("i-1", "a", time.Hour)},
			claims:   []karpenterv1.NodeClaim{claim("a", "i-1", time.Hour)},
		},
		"NoClaim": {
			why:      "A machine whose claim is gone is given back.",
			machines: []provider.Machine{machine("i-1", "a", time.Hour)},
			machine:  []string{"i-1"},
		},
		"TooYoung": {
			why:      "Its claim may just not have been written yet.",
			machines: []provider.Machine{machine("i-1", "a", 29*time.Second)},
		},
		"StillLaunching": {
			why:      "A daemon died between buying and remembering: the claim will find its machine.",
			machines: []provider.Machine{machine("i-1", "a", time.Hour)},
			claims:   []karpenterv1.NodeClaim{claim("a", "", 0)},
		},
		"Doubled": {
			why:      "The claim has another machine: this one is too many.",
			machines: []provider.Machine{machine("i-1", "a", time.Hour), machine("i-2", "a", time.Hour)},
			claims:   []karpenterv1.NodeClaim{claim("a", "i-1", time.Hour)},
			machine:  []string{"i-2"},
		},
		"MachineGone": {
			why:     "A claim whose machine is gone is deleted.",
			claims:  []karpenterv1.NodeClaim{claim("a", "i-1", time.Hour)},
			nodes:   []corev1.Node{node("i-1", corev1.ConditionUnknown)},
			claimed: []string{"a"},
		},
		"NodeSaysReady": {
			why:    "A ready node proves that the cloud's list is late.",
			claims: []karpenterv1.NodeClaim{claim("a", "i-1", time.Hour)},
			nodes:  []corev1.Node{node("i-1", corev1.ConditionTrue)},
		},
		"ListedLate": {
			why:    "The cloud may list a new machine late.",
			claims: []karpenterv1.NodeClaim{launched("a", "i-1", listedWithin-time.Second)},
		},
		"NeverJoined": {
			why:     "A machine that ended before its node joined is not waited for until the registration timeout.",
			claims:  []karpenterv1.NodeClaim{launched("a", "i-1", listedWithin)},
			claimed: []string{"a"},
		},
		"Boots": {
			why:      "A machine that is there may take its time to join.",
			machines: []provider.Machine{machine("i-1", "a", time.Hour)},
			claims:   []karpenterv1.NodeClaim{launched("a", "i-1", time.Hour)},
		},
		"GoingAlready": {
			why:    "A claim that is being deleted needs no second deletion.",
			claims: []karpenterv1.NodeClaim{going},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := orphans(tc.machines, tc.claims, tc.nodes, noon)
			var ids, names []string
			for _, m := range got.machines {
				ids = append(ids, m.ProviderID)
			}
			for _, c := range got.claims {
				names = append(names, c.Name)
			}
			if diff := cmp.Diff([][]string{tc.machine, tc.claimed}, [][]string{ids, names}); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.why, diff)
			}
		})
	}
}
