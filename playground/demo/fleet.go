package demo

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// machine is one NodeClaim and what runs on its node.
type machine struct {
	claim, node              string
	instanceType, zone, kind string
	launched, ready          bool
	price                    float64 // dollars an hour
	cpu, usedCPU             resource.Quantity
	memory, usedMemory       resource.Quantity
	pods                     int
}

// fleet is what a user sees of Dovetail's machines and of the pods.
type fleet struct {
	machines         []machine // by claim
	pending, running int       // pods of all namespaces, without those that are ending
	zones            map[string]int
}

func (f fleet) perHour() float64 {
	var sum float64
	for _, m := range f.machines {
		sum += m.price
	}
	return sum
}

// count is how many machines satisfy a condition.
func (f fleet) count(is func(machine) bool) int {
	n := 0
	for _, m := range f.machines {
		if is(m) {
			n++
		}
	}
	return n
}

// look reads claims, nodes and pods.
func (s *stage) look(ctx context.Context) (fleet, error) {
	var claims karpenterv1.NodeClaimList
	var nodes corev1.NodeList
	var pods corev1.PodList
	if err := s.client.List(ctx, &claims); err != nil {
		return fleet{}, fmt.Errorf("listing node claims: %w", err)
	}
	if err := s.client.List(ctx, &nodes); err != nil {
		return fleet{}, fmt.Errorf("listing nodes: %w", err)
	}
	if err := s.client.List(ctx, &pods); err != nil {
		return fleet{}, fmt.Errorf("listing pods: %w", err)
	}

	prices, err := s.prices(ctx)
	if err != nil {
		return fleet{}, fmt.Errorf("reading prices: %w", err)
	}

	f := fleet{zones: map[string]int{}}
	for i := range claims.Items {
		m := describe(&claims.Items[i], nodes.Items)
		m.price = prices[claims.Items[i].Status.ProviderID]
		s.note(&claims.Items[i], m)
		f.machines = append(f.machines, m)
	}
	slices.SortFunc(f.machines, func(a, b machine) int { return cmp.Compare(a.claim, b.claim) })
	for i := range pods.Items {
		f.add(&pods.Items[i])
	}
	return f, nil
}

// prices are what machines cost now, in dollars an hour by provider ID.
func (s *stage) prices(ctx context.Context) (map[string]float64, error) {
	status, err := s.account.Status(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[string]float64, len(status.Instances))
	for _, m := range status.Instances {
		out[fmt.Sprintf("aws:///%s/%s", m.Zone, m.ID)] = float64(m.Price) / 1e6
	}
	return out, nil
}

func describe(claim *karpenterv1.NodeClaim, nodes []corev1.Node) machine {
	m := machine{
		claim:        claim.Name,
		node:         claim.Status.NodeName,
		instanceType: claim.Labels[corev1.LabelInstanceTypeStable],
		zone:         claim.Labels[corev1.LabelTopologyZone],
		kind:         claim.Labels[karpenterv1.CapacityTypeLabelKey],
		launched:     meta.IsStatusConditionTrue(claim.Status.Conditions, karpenterv1.ConditionLaunched),
		cpu:          claim.Status.Allocatable[corev1.ResourceCPU],
		memory:       claim.Status.Allocatable[corev1.ResourceMemory],
	}
	for i := range nodes {
		if nodes[i].Name == m.node && m.node != "" {
			m.cpu, m.memory = nodes[i].Status.Allocatable[corev1.ResourceCPU],
				nodes[i].Status.Allocatable[corev1.ResourceMemory]
			m.ready = meta.IsStatusConditionTrue(claim.Status.Conditions, karpenterv1.ConditionInitialized)
		}
	}
	return m
}

func (f *fleet) add(pod *corev1.Pod) {
	if pod.DeletionTimestamp != nil {
		return
	}
	switch pod.Status.Phase {
	case corev1.PodRunning:
		f.running++
	case corev1.PodPending:
		f.pending++
	default:
		return
	}
	for i := range f.machines {
		m := &f.machines[i]
		if m.node == "" || m.node != pod.Spec.NodeName {
			continue
		}
		m.pods++
		f.zones[m.zone]++
		for _, c := range pod.Spec.Containers {
			m.usedCPU.Add(c.Resources.Requests[corev1.ResourceCPU])
			m.usedMemory.Add(c.Resources.Requests[corev1.ResourceMemory])
		}
	}
}

// show draws the fleet as a table with its total.
func (s *stage) show(f fleet) {
	if len(f.machines) == 0 {
		s.say.Say("no machines · $0.0000 an hour")
		return
	}
	var rows [][]string
	for _, m := range f.machines {
		node := cmp.Or(m.node, "(starting)")
		rows = append(rows, []string{
			node, m.instanceType, m.zone, m.kind, fmt.Sprintf("$%.4f", m.price),
			fmt.Sprintf("%s/%s", cores(m.usedCPU), cores(m.cpu)),
			fmt.Sprintf("%s/%s", gibibytes(m.usedMemory), gibibytes(m.memory)),
			fmt.Sprint(m.pods),
		})
	}
	s.say.Table([]string{"NODE", "TYPE", "ZONE", "CAPACITY", "$/H", "CPU USED", "GiB USED", "PODS"}, rows)
	s.say.Say("total $%.4f an hour", f.perHour())
}

func cores(q resource.Quantity) string { return fmt.Sprintf("%.1f", q.AsApproximateFloat64()) }
func gibibytes(q resource.Quantity) string {
	return fmt.Sprintf("%.1f", q.AsApproximateFloat64()/(1<<30))
}

// pollEvery is how often the demo looks; figures in the summary are no finer than this.
const pollEvery = 100 * time.Millisecond
