package integration

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/daemon"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/kwok"
)

// warning is the kwok cloud with a queue of notices.
type warning struct {
	provider.Cloud
	notices chan provider.Notice
	done    chan provider.Notice
}

func (w *warning) Notices(ctx context.Context) ([]provider.Notice, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case n := <-w.notices:
		return []provider.Notice{n}, nil
	}
}

func (w *warning) Done(_ context.Context, n provider.Notice) error {
	w.done <- n
	return nil
}

func (w *warning) Scarce(map[string]string) {}

// interruptedMachineIsReplaced: one pod's machine is about to be taken away, and a budget keeps the pod where it is.
// The replacement does not wait for the drain.
func interruptedMachineIsReplaced(t *testing.T, c *cluster) {
	w := &warning{notices: make(chan provider.Notice, 1), done: make(chan provider.Notice, 1)}
	s := settings()
	s.AWS.InterruptionQueue = "any"
	_, stop := c.run(t, s, func(o *daemon.Options) {
		o.Cloud = func(_ context.Context, d daemon.CloudDeps) (provider.Cloud, error) {
			inner, err := kwok.New(kwok.Deps{Client: d.Client, Live: d.Live, Clock: d.Clock})
			w.Cloud = inner
			return w, err
		}
	})
	defer stop()
	pool, deployment := general(), web("one", 1, "500m")
	none := intstr.FromInt32(0)
	budget := &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "one"},
		Spec:       policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &none, Selector: deployment.Spec.Selector},
	}
	c.create(t, pool, budget, deployment)
	c.running(t, "one", 1)
	old := c.claims(t)[0]

	began := time.Now()
	machine := old.Status.ProviderID[strings.LastIndex(old.Status.ProviderID, "/")+1:]
	w.notices <- provider.Notice{ID: "1", Kind: provider.SpotInterrupted, Machines: []string{machine}, Sent: began}
	eventually(t, "a claim in place of the one that goes", func() string {
		for _, claim := range c.claims(t) {
			if claim.Name != old.Name {
				return ""
			}
		}
		return "none"
	})
	t.Logf("message to new claim: %s, batch window included", time.Since(began).Round(time.Millisecond))
	<-w.done
	if got := len(c.claims(t)); got != 2 {
		t.Errorf("%d claims while the pod cannot leave, want the old and the new one", got)
	}
	if err := c.Delete(t.Context(), budget); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the old claim to go", func() string {
		for _, claim := range c.claims(t) {
			if claim.Name == old.Name {
				return "it is still there"
			}
		}
		return ""
	})
	c.running(t, "one", 1)
	c.happened(t, old, "SpotInterrupted", "TerminatingOnInterruption")
	c.remove(t, deployment, pool)
}

// happened waits until events with these reasons were recorded about a claim.
func (c *cluster) happened(t *testing.T, claim karpenterv1.NodeClaim, reasons ...string) {
	t.Helper()
	eventually(t, "events about "+claim.Name, func() string {
		var list corev1.EventList
		if err := c.List(t.Context(), &list); err != nil {
			return err.Error()
		}
		told := map[string]bool{}
		for _, e := range list.Items {
			told[e.Reason] = told[e.Reason] || e.InvolvedObject.Name == claim.Name
		}
		for _, r := range reasons {
			if !told[r] {
				return "no " + r
			}
		}
		return ""
	})
}
