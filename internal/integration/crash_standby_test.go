package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestStandbyProcess kills the leader of two processes in the middle of a scale up. The other takes over soon after
// the lease has ended, and launches nothing twice.
func TestStandbyProcess(t *testing.T) {
	t.Parallel()
	v := onAWS(t)
	peaceful := &assassin{seen: map[string]int{}, killed: map[string]int{}}
	elected := func() *supervisor {
		p := v.process(t, peaceful)
		for i, arg := range p.args {
			if arg == "--disable-leader-election" {
				p.args[i] = "--disable-controller-warmup=false"
			}
		}
		p.mortal = true
		supervise(t, p)
		return p
	}
	first := elected()
	lease := v.held(t, "")
	second := elected()
	s := v.scene(t, "standby")
	watch := newReferee(s)
	stop := watch.start(t)
	app := s.app("web", 3, "1500m")
	s.create(t, s.pool(), app)
	s.until(t, "the first machine", func() string {
		if len(s.machines(t)) == 0 {
			return "none"
		}
		return ""
	})
	first.kill()

	ends := v.held(t, "").Spec.RenewTime.Add(time.Duration(*lease.Spec.LeaseDurationSeconds) * time.Second)
	next := v.held(t, *lease.Spec.HolderIdentity)
	if took := next.Spec.AcquireTime.Sub(ends); took > takeover {
		t.Errorf(
			"the standby took over %s after the lease had ended, want %s or less",
			took.Round(time.Millisecond),
			takeover,
		)
	} else {
		t.Logf("taken over %s after the lease had ended", took.Round(time.Millisecond))
	}
	s.healthy(t, "web", 3)
	s.count(t, 3)
	stop()
	if launched := len(v.sim.Status().Instances); launched != 3 {
		t.Errorf("%d machines were launched for three nodes", launched)
	}
	if second.startedTimes() != 1 {
		t.Errorf("the standby was started %d times", second.startedTimes())
	}
}

// held waits until somebody other than this holds the lease.
func (v *venue) held(t *testing.T, not string) *coordinationv1.Lease {
	t.Helper()
	lease := &coordinationv1.Lease{}
	eventually(t, "a holder of the lease", func() string {
		if err := v.Get(
			t.Context(),
			client.ObjectKey{Namespace: "kube-system", Name: "karpenter-leader-election"},
			lease,
		); err != nil {
			return err.Error()
		}
		holder := lease.Spec.HolderIdentity
		if holder == nil || *holder == "" || *holder == not || !strings.Contains(*holder, "_") {
			return fmt.Sprintf("it is held by %v", holder)
		}
		return ""
	})
	return lease
}
