package aws

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/nodehealth"
)

// TestRepairPolicies diagnoses nodes as EKS's node monitoring agent would describe them, an hour after they fell sick
// and a quarter of one.
func TestRepairPolicies(t *testing.T) {
	t.Parallel()
	const gpu, storage = "AcceleratedHardwareReady", "StorageReady"
	cases := map[string]struct {
		settings Settings
		kind     corev1.NodeConditionType
		status   corev1.ConditionStatus
		reason   string
		early    string // what is done after a quarter of an hour, with which bound; empty for nothing
		late     string
	}{
		"NotReady":       {Settings{}, corev1.NodeReady, "False", "KubeletNotReady", "", "ReplaceNode 10m0s"},
		"Silent":         {Settings{}, corev1.NodeReady, "Unknown", "NodeStatusUnknown", "", "ReplaceNode 10m0s"},
		"Storage":        {Settings{}, storage, "False", "IODelays", "", "ReplaceNode 10m0s"},
		"StorageUnknown": {Settings{}, storage, "Unknown", "", "", ""},
		"Fatal":          {Settings{}, gpu, "False", "NvidiaXID79Error", "ReplaceNode 5m0s", "ReplaceNode 5m0s"},
		"FatalReboots": {
			Settings{RebootForRepair: true},
			gpu,
			"False",
			"NvidiaXID79Error",
			"ReplaceNode 5m0s",
			"ReplaceNode 5m0s",
		},
		"Resettable": {Settings{}, gpu, "False", "NvidiaXID46Error", "ReplaceNode 5m0s", "ReplaceNode 5m0s"},
		"Reset": {
			Settings{RebootForRepair: true},
			gpu,
			"False",
			"NvidiaXID46Error",
			"RebootNode 5m0s",
			"RebootNode 5m0s",
		},
		"ResetAtTheEnd": {
			Settings{RebootForRepair: true},
			gpu,
			"False",
			"XID158",
			"RebootNode 5m0s",
			"RebootNode 5m0s",
		},
		"LongerCode": {
			Settings{RebootForRepair: true},
			gpu,
			"False",
			"NvidiaXID640Error",
			"",
			"ReplaceNode 10m0s",
		},
		"OtherCode": {Settings{}, gpu, "False", "NvidiaXID31Error", "", "ReplaceNode 10m0s"},
		"Legacy": {
			Settings{LegacyRepair: true, RebootForRepair: true},
			gpu,
			"False",
			"NvidiaXID31Error",
			"ReplaceNode 0s",
			"ReplaceNode 0s",
		},
		"LegacyNotReady": {Settings{LegacyRepair: true}, corev1.NodeReady, "False", "", "", "ReplaceNode 0s"},
	}
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policies, err := nodehealth.Compile((&Cloud{account: &account{settings: tc.settings}}).RepairPolicies())
			if err != nil {
				t.Fatal(err)
			}
			for ago, want := range map[time.Duration]string{15 * time.Minute: tc.early, time.Hour: tc.late} {
				node := &corev1.Node{}
				node.Status.Conditions = []corev1.NodeCondition{
					{
						Type:               tc.kind,
						Status:             tc.status,
						Reason:             tc.reason,
						LastTransitionTime: metav1.NewTime(now.Add(-ago)),
					},
				}
				got := ""
				if cure := policies.Diagnose(node, &karpenterv1.NodeClaim{}, now).Cure; cure != nil {
					got = fmt.Sprintf("%s %s", cure.Action, *cure.GracePeriod)
				}
				if got != want {
					t.Errorf("after %s: %q, want %q", ago, got, want)
				}
			}
		})
	}
}
