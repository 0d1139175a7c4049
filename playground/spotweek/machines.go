package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider"
)

// machine is one that was bought, with its claim and, once it joined, its node.
type machine struct {
	bought provider.Machine
	claim  *karpenterv1.NodeClaim
	node   *corev1.Node // nil until it joined
	// planned are the pods that wait for it to join.
	planned []*workload
	// leaving machines take no pods; they end at endsAt, unless AWS ends them before.
	leaving bool
	endsAt  time.Time
	since   time.Time // when it joined
}

func (m *machine) instance() string { return path.Base(m.bought.ProviderID) }

// gracePeriod is how long pods of a node that is drained take to end.
const gracePeriod = 30 * time.Second

// podStart is from a node to a pod that serves: the image is there or small.
const podStart = 5 * time.Second

// buy launches one planned node, as the lifecycle controller does. nil, nil means that there was no capacity.
func (w *week) buy(ctx context.Context, n engine.NewNode, pods []*workload) (*machine, error) {
	w.serial++
	claim := translate.NodeClaim(w.pool, n, nil)
	claim.Name = fmt.Sprintf("default-%d", w.serial)
	claim.UID = types.UID(claim.Name)
	claim.CreationTimestamp = metav1.NewTime(w.clock.Now())
	sold, err := w.cloud.InstanceTypes(ctx, classRef())
	if err != nil {
		return nil, fmt.Errorf("listing instance types: %w", err)
	}
	candidates, err := provider.CandidatesFor(claim, sold, nil)
	if err != nil || len(candidates) == 0 {
		return nil, err
	}
	bought, err := w.cloud.Launch(ctx, provider.Order{Claim: claim, Token: string(claim.UID), Candidates: candidates})
	if errors.Is(err, provider.ErrNoCapacity) {
		w.result.soldOut++
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("launching %s: %w", claim.Name, err)
	}
	claim.Status.ProviderID = bought.ProviderID
	for key, value := range bought.Labels {
		claim.Labels[key] = value
	}
	m := &machine{bought: bought, claim: claim, planned: pods}
	w.machines = append(w.machines, m)
	w.result.launched++
	return m, nil
}

// join makes nodes of the machines that joined, and binds the pods planned for them.
func (w *week) join() {
	for _, node := range w.nodes.take() {
		i := slices.IndexFunc(
			w.machines,
			func(m *machine) bool { return m.bought.ProviderID == node.Spec.ProviderID },
		)
		if i < 0 || w.machines[i].leaving {
			continue
		}
		m := w.machines[i]
		for key, value := range m.claim.Labels {
			node.Labels[key] = value
		}
		node.Labels[karpenterv1.NodeRegisteredLabelKey], node.Labels[karpenterv1.NodeInitializedLabelKey] = "true",
			"true"
		node.Spec.Taints = nil
		node.CreationTimestamp = metav1.NewTime(w.clock.Now())
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		m.claim.Status.NodeName = node.Name
		m.node, m.since = node, w.clock.Now()
		for _, p := range m.planned {
			w.bind(p, m)
		}
		m.planned = nil
	}
}

// bind puts a pod on a node.
func (w *week) bind(p *workload, m *machine) {
	p.Spec.NodeName, p.Status.Phase, p.bound = m.node.Name, corev1.PodRunning, w.clock.Now()
	if !p.evicted.IsZero() {
		gap := w.clock.Since(p.evicted) + podStart
		w.result.unavailable += gap
		w.result.longest = max(w.result.longest, gap)
		p.evicted = time.Time{}
	}
}

// evict takes a pod from its node; it waits for another.
func (w *week) evict(p *workload) {
	p.Spec.NodeName, p.Status.Phase, p.evicted = "", corev1.PodPending, w.clock.Now()
	w.result.evicted++
}

// drain evicts all pods of a machine, and lets go those that wait for it.
func (w *week) drain(m *machine) {
	m.leaving, m.planned, w.unsettled = true, nil, true
	if m.node == nil {
		return
	}
	for _, p := range w.podsOn(m) {
		w.evict(p)
	}
}

func (w *week) podsOn(m *machine) []*workload {
	var out []*workload
	for _, p := range w.all() {
		if m.node != nil && p.Spec.NodeName == m.node.Name {
			out = append(out, p)
		}
	}
	return out
}

// leave forgets a pod that is not wanted any more.
func (w *week) leave(p *workload) {
	for _, m := range w.machines {
		m.planned = slices.DeleteFunc(m.planned, func(other *workload) bool { return other == p })
	}
	for _, move := range w.moving {
		move.forget(p)
	}
}

// retire ends the machines that were drained.
func (w *week) retire(ctx context.Context) {
	w.machines = slices.DeleteFunc(w.machines, func(m *machine) bool {
		if !m.leaving || w.clock.Now().Before(m.endsAt) {
			return false
		}
		// An error is one of a machine that AWS ended before.
		_ = w.cloud.Terminate(ctx, m.bought.ProviderID)
		return true
	})
}
