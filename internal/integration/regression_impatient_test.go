package integration

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/config"
)

// shortPatience is how long a machine may take to join in TestImpatient.
const shortPatience = 20 * time.Second

// TestImpatient plays the stories in which machines never join, with a daemon that does not wait for a quarter of an
// hour, and those of the repair of before 1.15.
func TestImpatient(t *testing.T) {
	t.Parallel()
	for name, open := range clouds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := open(t)
			v.create(t, v.class("deaf", true))
			v.start(
				t,
				func(c *config.Config) { c.Lifecycle.Registration, c.Lifecycle.LegacyRepair = shortPatience, true },
			)
			v.play(t, 4, []act{
				{"LegacyRepair/NotReady", sickNodeIsReplaced(sickness{status: corev1.ConditionFalse})},
				{"LegacyRepair/Unknown", sickNodeIsReplaced(sickness{status: corev1.ConditionUnknown})},
				{
					"LegacyRepair/IgnoresBudgets",
					sickNodeIsReplaced(sickness{status: corev1.ConditionFalse, pool: budgets(blocking())}),
				},
				{
					"LegacyRepair/IgnoresDoNotDisrupt",
					sickNodeIsReplaced(sickness{status: corev1.ConditionFalse, pod: kept("true")}),
				},
				{
					"LegacyRepair/IgnoresGracePeriod",
					sickNodeIsReplaced(
						sickness{status: corev1.ConditionFalse, pod: kept("true"), pool: graceful(time.Hour)},
					),
				},
				{"Drift/NeverRegisters", driftWaitsForRegistration},
				{"Standalone/NeverRegisters", claimThatNeverRegistersGoes},
			})
		})
	}
}

// driftWaitsForRegistration replaces a node by machines that never join: each is given up, and the old node stays.
func driftWaitsForRegistration(t *testing.T, s *scene) {
	pool := s.pool()
	s.create(t, pool, s.app("web", 1, "1500m"))
	s.healthy(t, "web", 1)
	old := s.count(t, 1)[0]
	s.change(t, pool, func(p *karpenterv1.NodePool) { p.Spec.Template.Spec.NodeClassRef.Name = "deaf" })
	s.drifts(t, old)
	var replacement string
	s.until(t, "a replacement", func() string {
		for _, c := range s.claimsHere(t) {
			if c.Name != old.Name {
				replacement = c.Name
				return ""
			}
		}
		return "none"
	})
	s.until(t, "the replacement to be given up", func() string {
		if now := s.claim(t, old.Name); now == nil || !now.DeletionTimestamp.IsZero() {
			t.Fatal("the old node goes, and its replacement never joined")
		}
		if s.claim(t, replacement) != nil {
			return fmt.Sprintf("%s is there", replacement)
		}
		return ""
	})
	s.steady(t, 5*time.Second, func() string {
		if now := s.claim(t, old.Name); now == nil || !now.DeletionTimestamp.IsZero() {
			return "the old node goes"
		}
		return ""
	})
	s.healthy(t, "web", 1)
}

func claimThatNeverRegistersGoes(t *testing.T, s *scene) {
	claim := s.lone(func(c *karpenterv1.NodeClaim) { c.Spec.NodeClassRef.Name = "deaf" })
	s.create(t, claim)
	s.until(t, "a machine", func() string {
		if now := s.claim(t, claim.Name); now == nil || now.Status.ProviderID == "" {
			return "none"
		}
		return ""
	})
	s.vanished(t, claim)
	if lived := time.Since(claim.CreationTimestamp.Time); lived < shortPatience-time.Second {
		t.Errorf(
			"the claim was given up after %s, machines have %s to join",
			lived.Round(time.Millisecond),
			shortPatience,
		)
	}
}
