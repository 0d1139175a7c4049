package nodehealth

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/provider"
)

const (
	gpu = corev1.NodeConditionType("GPU")
	no  = corev1.ConditionFalse
)

func minutes(n int) *time.Duration { d := time.Duration(n) * time.Minute; return &d }

// devices are policies as a cloud may have them: some reasons are mended by a reboot, others are not, and of the rest
// nothing is known.
var devices = compiled(
	provider.RepairPolicy{
		Condition:   gpu,
		Status:      no,
		Reason:      "Soft",
		After:       10 * time.Minute,
		GracePeriod: minutes(5),
		Priority:    20,
		Action:      provider.RebootNode,
	},
	provider.RepairPolicy{
		Condition:   gpu,
		Status:      no,
		Reason:      "Hard",
		After:       10 * time.Minute,
		GracePeriod: minutes(5),
		Priority:    20,
	},
	provider.RepairPolicy{
		Condition:   gpu,
		Status:      no,
		After:       30 * time.Minute,
		GracePeriod: minutes(10),
		Priority:    10,
	},
	provider.RepairPolicy{Condition: "Disk", Status: no, After: 30 * time.Minute},
)

// ill is a node with conditions that have been bad for so long.
func ill(conditions ...corev1.NodeCondition) *corev1.Node {
	n := &corev1.Node{}
	n.Status.Conditions = conditions
	return n
}

func bad(kind corev1.NodeConditionType, reason string, ago time.Duration) corev1.NodeCondition {
	return corev1.NodeCondition{
		Type:               kind,
		Status:             no,
		Reason:             reason,
		LastTransitionTime: metav1.NewTime(noon.Add(-ago)),
	}
}

func claimOf(age time.Duration, conditions ...metav1.Condition) *karpenterv1.NodeClaim {
	c := &karpenterv1.NodeClaim{}
	c.CreationTimestamp = metav1.NewTime(noon.Add(-age))
	c.Status.Conditions = conditions
	return c
}

func rebooted(reason string, ago time.Duration) metav1.Condition {
	return metav1.Condition{
		Type: karpenterv1.ConditionRebooting, Status: metav1.ConditionFalse, Reason: reason,
		LastTransitionTime: metav1.NewTime(noon.Add(-ago)),
	}
}

func TestDiagnose(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	cases := map[string]struct {
		why   string
		node  *corev1.Node
		claim *karpenterv1.NodeClaim
		want  string // action, grace period and condition of the cure; empty for none
		in    time.Duration
	}{
		"Well":  {"Nothing is wrong.", ill(), claimOf(day), "", 0},
		"Waits": {"It may recover.", ill(bad(gpu, "Soft", 4*time.Minute)), claimOf(day), "", 6 * time.Minute},
		"Reboot": {
			"A reboot mends it.",
			ill(bad(gpu, "NvidiaSoftError", 11*time.Minute)),
			claimOf(day),
			"RebootNode 5m0s GPU",
			0,
		},
		"Replace": {
			"A reboot does not.",
			ill(bad(gpu, "Hard", 11*time.Minute)),
			claimOf(day),
			"ReplaceNode 5m0s GPU",
			0,
		},
		"WorseOfTwo": {
			"Of two reasons in one word the worse counts.",
			ill(bad(gpu, "Soft,Hard", 11*time.Minute)),
			claimOf(day),
			"ReplaceNode 5m0s GPU",
			0,
		},
		"Unknown": {
			"What is not known is given longer.",
			ill(bad(gpu, "Odd", 11*time.Minute)),
			claimOf(day),
			"",
			19 * time.Minute,
		},
		"UnknownLater": {
			"And goes in the end.",
			ill(bad(gpu, "Odd", 31*time.Minute)),
			claimOf(day),
			"ReplaceNode 10m0s GPU",
			0,
		},
		"SpecificShuts": {
			"A reason that is known keeps the rest out, even while it waits.",
			ill(bad(gpu, "Soft", time.Minute)),
			claimOf(day),
			"",
			9 * time.Minute,
		},
		"ShortestDrain": {
			"The shortest bound holds, also of a policy that does not decide; no bound is the longest.",
			ill(bad(gpu, "Soft", time.Hour), bad("Disk", "", time.Hour)),
			claimOf(day),
			"ReplaceNode 5m0s Disk",
			0,
		},
		"Rebooted": {
			"After a reboot the time begins anew.",
			ill(bad(gpu, "Soft", day)),
			claimOf(day, rebooted(karpenterv1.ReasonRebootSucceeded, 4*time.Minute)),
			"",
			6 * time.Minute,
		},
		"RebootedVainly": {
			"Not after one that failed.",
			ill(bad(gpu, "Soft", day)),
			claimOf(day, rebooted(karpenterv1.ReasonRebootFailed, 4*time.Minute)),
			"RebootNode 5m0s GPU",
			0,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := devices.Diagnose(tc.node, tc.claim, noon)
			got := ""
			if d.Cure != nil {
				got = fmt.Sprintf("%s %s %s", d.Cure.Action, *d.Cure.GracePeriod, d.Cure.Condition.Type)
			}
			if got != tc.want || d.In != tc.in || d.Bad != (len(tc.node.Status.Conditions) > 0) {
				t.Errorf("%s\n%q in %s, bad %v; want %q in %s", tc.why, got, d.In, d.Bad, tc.want, tc.in)
			}
		})
	}
}

// TestWhoWaitsLongEnoughComesFirst: no priority keeps a node waiting for ever.
func TestWhoWaitsLongEnoughComesFirst(t *testing.T) {
	t.Parallel()
	score := func(n *corev1.Node) float64 { return devices.Diagnose(n, claimOf(99*time.Hour), noon).Cure.Score }
	fresh := score(ill(bad(gpu, "Hard", 10*time.Minute)))
	if old := score(ill(bad("Disk", "", 30*time.Minute+59*time.Minute))); old >= fresh {
		t.Errorf(
			"a disk that waits for less than two steps scores %v, a device that has just become due %v",
			old,
			fresh,
		)
	}
	if old := score(ill(bad("Disk", "", 30*time.Minute+61*time.Minute))); old <= fresh {
		t.Errorf(
			"a disk that waits for more than two steps scores %v, a device that has just become due %v",
			old,
			fresh,
		)
	}
}

func TestPoliciesThatBreakARuleAreNamed(t *testing.T) {
	t.Parallel()
	fine := provider.RepairPolicy{Condition: "A", Status: no}
	for want, change := range map[string]func(*provider.RepairPolicy){
		"the condition is missing": func(p *provider.RepairPolicy) { p.Condition = "" },
		`status "Maybe" is none`:   func(p *provider.RepairPolicy) { p.Status = "Maybe" },
		"no regular expression":    func(p *provider.RepairPolicy) { p.Reason = "(" },
		"wait, -1s, is negative":   func(p *provider.RepairPolicy) { p.After = -time.Second },
		"1m0s, is negative": func(p *provider.RepairPolicy) {
			p.GracePeriod = minutes(-1)
		},
		"priority 101 is not": func(p *provider.RepairPolicy) { p.Priority = 101 },
		"priority -1 is not":  func(p *provider.RepairPolicy) { p.Priority = -1 },
		"action 7 is unknown": func(p *provider.RepairPolicy) { p.Action = 7 },
		"0 repair policies have no reason; exactly one must": func(p *provider.RepairPolicy) { p.Reason = "x" },
	} {
		p := fine
		change(&p)
		if _, err := Compile([]provider.RepairPolicy{p}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
	if _, err := Compile([]provider.RepairPolicy{fine, fine}); err == nil {
		t.Error("two policies for whatever is left of a pair are taken")
	}
}

// TestMergingDoesNotDependOnOrder diagnoses random nodes by policies in any order.
func TestMergingDoesNotDependOnOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var list []provider.RepairPolicy
		kinds := []corev1.NodeConditionType{"A", "B", "C"}
		draw := func(kind corev1.NodeConditionType, reason string) {
			list = append(list, provider.RepairPolicy{
				Condition: kind, Status: no, Reason: reason,
				After: time.Duration(rapid.IntRange(0, 3).Draw(t, "after")) * time.Minute,
				GracePeriod: rapid.SampledFrom([]*time.Duration{nil, minutes(0), minutes(1), minutes(2)}).
					Draw(t, "grace"),
				Priority: rapid.SampledFrom([]int{0, 50, 100}).Draw(t, "priority"),
				Action: rapid.SampledFrom([]provider.RepairAction{provider.ReplaceNode, provider.RebootNode}).
					Draw(t, "action"),
			})
		}
		node := ill()
		for _, kind := range kinds {
			draw(kind, "")
			draw(kind, "x")
			node.Status.Conditions = append(
				node.Status.Conditions,
				bad(
					kind,
					rapid.SampledFrom([]string{"x", "y"}).Draw(t, "reason"),
					time.Duration(rapid.IntRange(0, 5).Draw(t, "ago"))*time.Minute,
				),
			)
		}
		claim := claimOf(time.Hour)
		a := compiled(list...).Diagnose(node, claim, noon)
		other := ill(rapid.Permutation(node.Status.Conditions).Draw(t, "conditions")...)
		b := compiled(rapid.Permutation(list).Draw(t, "policies")...).Diagnose(other, claim, noon)
		if (a.Cure == nil) != (b.Cure == nil) || a.In != b.In {
			t.Fatalf("%+v, and in another order %+v", a, b)
		}
		if a.Cure == nil {
			return
		}
		if a.Cure.Action != b.Cure.Action || a.Cure.Condition.Type != b.Cure.Condition.Type ||
			a.Cure.Score != b.Cure.Score ||
			(a.Cure.GracePeriod == nil) != (b.Cure.GracePeriod == nil) ||
			a.Cure.GracePeriod != nil && *a.Cure.GracePeriod != *b.Cure.GracePeriod {
			t.Fatalf("%+v, and in another order %+v", a.Cure, b.Cure)
		}
	})
}

func TestEscalates(t *testing.T) {
	t.Parallel()
	with := func(times ...time.Duration) *karpenterv1.NodeClaim {
		c := claimOf(99 * time.Hour)
		for _, ago := range times {
			c.Annotations = map[string]string{AnnotationReboots: WithReboot(c, noon.Add(-ago))}
		}
		return c
	}
	day := 24 * time.Hour
	for name, tc := range map[string]struct {
		claim *karpenterv1.NodeClaim
		want  bool
	}{
		"Never":      {with(), false},
		"Once":       {with(time.Hour), false},
		"Twice":      {with(20*time.Hour, time.Hour), true},
		"LongAgo":    {with(day+time.Hour, time.Hour), false},
		"Failed":     {claimOf(day, rebooted(karpenterv1.ReasonRebootFailed, time.Hour)), true},
		"Succeeded":  {claimOf(day, rebooted(karpenterv1.ReasonRebootSucceeded, time.Hour)), false},
		"FailedOnce": {claimOf(99*time.Hour, rebooted(karpenterv1.ReasonRebootFailed, 25*time.Hour)), false},
		"Unreadable": {func() *karpenterv1.NodeClaim {
			c := with()
			c.Annotations = map[string]string{AnnotationReboots: "{"}
			return c
		}(), false},
		"NotRebooted": {claimOf(day), false},
	} {
		if got := Escalates(tc.claim, noon); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

func TestTooMany(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		sick, of int
		want     bool
	}{{1, 1, false}, {1, 5, false}, {2, 5, true}, {2, 6, false}, {2, 10, false}, {3, 10, true}, {0, 0, false}} {
		if got := TooMany(tc.sick, tc.of); got != tc.want {
			t.Errorf("%d of %d: %v", tc.sick, tc.of, got)
		}
	}
}
