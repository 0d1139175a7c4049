package integration

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/awssim/fault"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/awssim/world"
	"github.com/dovetail-sh/dovetail/catalog"
)

// terminateFirst are stories of nodes for which there is no room beside their replacement. However many are to go, one
// of them is missing at any moment.
func terminateFirst() []act {
	return []act{
		{"EndsFirst/Drift", fullReservationDrifts},
		{"EndsFirst/Repair", fullReservationIsRepaired},
		{"EndsFirst/NothingFollows", nothingFollowsInAReservation},
		{"EndsFirst/StaticReserved", fullReservationOfAStaticPool},
		{"EndsFirst/StaticNothingFollows", nothingFollowsInAStaticPool},
	}
}

// reserved has the account hold so many machines of a type in one zone, and a pool that buys nothing else.
func reserved(
	t *testing.T, s *scene, kind string, total int, change ...func(*karpenterv1.NodePool),
) *karpenterv1.NodePool {
	t.Helper()
	err := s.sim.World().Do(func(w *world.State) error {
		of, known := catalog.Lookup(kind)
		if !known {
			return fmt.Errorf("the catalogue has no %s", kind)
		}
		at := slices.IndexFunc(w.Zones, func(z *world.Zone) bool { return w.Offered(of, z) })
		if at < 0 {
			return fmt.Errorf("no zone has %s", kind)
		}
		return w.Reserve(&world.CapacityReservation{
			Type: of, Zone: w.Zones[at], Targeted: true, Total: total,
			Tags: []launchspec.Tag{{Key: "story", Value: s.name}},
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	class := ec2Class(s.name, false)
	class.Spec.CapacityReservationSelectorTerms = []awsv1.CapacityReservationSelectorTerm{
		{Tags: map[string]string{"story": s.name}},
	}
	s.create(t, class)
	return s.pool(append(change, func(p *karpenterv1.NodePool) {
		p.Spec.Template.Spec.NodeClassRef = s.classRef(s.name)
		p.Spec.Template.Spec.Requirements = []karpenterv1.Requirement{
			in(karpenterv1.CapacityTypeLabelKey, karpenterv1.CapacityTypeReserved),
			in(corev1.LabelInstanceTypeStable, kind),
		}
	})...)
}

// short is how many of the nodes that the story wants are not there: not ready, or going.
func short(t *testing.T, s *scene, want int) int {
	t.Helper()
	there := 0
	for _, c := range s.claimsHere(t) {
		if c.DeletionTimestamp.IsZero() && condition.IsTrue(&c, karpenterv1.ConditionInitialized) {
			there++
		}
	}
	return want - there
}

// oneByOne watches that old claims are replaced, and no more than one node is missing at any moment.
func oneByOne(t *testing.T, s *scene, old []karpenterv1.NodeClaim) {
	t.Helper()
	s.until(t, "the old nodes to be replaced", func() string {
		if n := short(t, s, len(old)); n > 1 {
			t.Fatalf("%d of %d nodes are missing at once, want one at most", n, len(old))
		}
		left := 0
		for _, c := range s.claimsHere(t) {
			if slices.ContainsFunc(old, func(o karpenterv1.NodeClaim) bool { return o.Name == c.Name }) {
				left++
			}
		}
		if left > 0 {
			return fmt.Sprintf("%d are left", left)
		}
		return ""
	})
	s.count(t, len(old))
}

func fullReservationDrifts(t *testing.T, s *scene) {
	pool := reserved(t, s, "m5.large", 3)
	s.create(t, pool, s.app("web", 3, "1", apart))
	s.healthy(t, "web", 3)
	old := s.count(t, 3)
	s.change(t, pool, relabel)
	oneByOne(t, s, old)
	s.healthy(t, "web", 3)
}

func fullReservationIsRepaired(t *testing.T, s *scene) {
	pool := reserved(t, s, "c5.large", 1, graceful(5*time.Second))
	s.create(t, pool, s.app("web", 1, "1"))
	s.healthy(t, "web", 1)
	old := s.count(t, 1)
	ail(t, s, old[0].Status.NodeName, s.broken, time.Hour)
	oneByOne(t, s, old)
	s.healthy(t, "web", 1)
}

func fullReservationOfAStaticPool(t *testing.T, s *scene) {
	pool := reserved(t, s, "r5.large", 2, static(2), budgets(karpenterv1.Budget{Nodes: "1"}))
	s.create(t, pool)
	old := s.count(t, 2)
	s.change(t, pool, relabel)
	oneByOne(t, s, old)
}

// nothingFollowsInAReservation has the machine that follows the first node never join: the second one stays, until
// something has followed.
func nothingFollowsInAReservation(t *testing.T, s *scene) {
	pool := reserved(t, s, "c5.xlarge", 2)
	s.create(t, pool, s.app("web", 2, "2500m", apart))
	s.healthy(t, "web", 2)
	nothingFollows(t, s, pool, "c5.xlarge", 2)
	s.healthy(t, "web", 2)
}

// nothingFollowsInAStaticPool is the same of a pool that is at its limit.
func nothingFollowsInAStaticPool(t *testing.T, s *scene) {
	pool := s.pool(static(3), atMost("3"), budgets(karpenterv1.Budget{Nodes: "1"}), func(p *karpenterv1.NodePool) {
		p.Spec.Template.Spec.Requirements = append(s.sells(), in(corev1.LabelInstanceTypeStable, "r5.xlarge"))
	})
	s.create(t, pool)
	nothingFollows(t, s, pool, "r5.xlarge", 3)
}

// nothingFollows has so many nodes drift, and machines of their type not join for a while.
func nothingFollows(t *testing.T, s *scene, pool *karpenterv1.NodePool, kind string, nodes int) {
	t.Helper()
	old := s.count(t, nodes)
	rule, err := s.sim.Faults().Add(fault.Rule{
		Kind: fault.BootFailure, Params: map[string]string{"InstanceType": kind},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.change(t, pool, relabel)
	var follower karpenterv1.NodeClaim
	s.until(t, "something to follow the first node", func() string {
		claims := s.claimsHere(t)
		at := slices.IndexFunc(claims, func(c karpenterv1.NodeClaim) bool {
			return condition.IsTrue(&c, karpenterv1.ConditionLaunched) &&
				!slices.ContainsFunc(old, func(o karpenterv1.NodeClaim) bool { return o.Name == c.Name })
		})
		if at < 0 {
			return fmt.Sprintf("%d claims, all of them old", len(claims))
		}
		follower = claims[at]
		return ""
	})
	s.steady(t, restless, func() string {
		if n := short(t, s, nodes); n > 1 {
			return fmt.Sprintf("%d of %d nodes are missing at once, and nothing has followed the first", n, nodes)
		}
		return ""
	})
	if err := s.sim.Faults().Clear(rule.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), &follower); client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	oneByOne(t, s, old)
}
