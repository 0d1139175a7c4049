package soak

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/awssim/control"
)

// lookEvery is how often the cluster is looked at.
const lookEvery = 300 * time.Millisecond

// longPending is how long a pod may wait for its node.
const longPending = time.Minute

// Sample is the cluster at one moment.
type Sample struct {
	At             time.Duration
	Price, Bound   float64 // dollars an hour
	Starting       float64 // the part of Price for machines that take no pods yet
	Going          float64 // and for those that are being given up
	Nodes, Running int
	Pending        int
}

// Report is what a run has shown.
type Report struct {
	Samples   []Sample
	PodDays   float64 // of the run's own time
	Evictions float64
	Launched  int
	Created   map[string]int  // claims, by why
	Lifetimes []time.Duration // of nodes that went, ascending
	CPU       time.Duration
	Memory    int64 // bytes, the most that was seen
	Broken    []string
}

// watch looks at a cluster.
type watch struct {
	Setting
	began   time.Time
	last    time.Time
	report  Report
	claims  map[string]time.Time // since when
	orphans map[string]time.Time // machines without a claim, since when
	waiting map[string]time.Time // pods without a node, since when
}

func newWatch(s Setting) *watch {
	return &watch{
		Setting: s,
		began:   time.Now(),
		last:    time.Now(),
		report:  Report{Created: map[string]int{}},
		claims:  map[string]time.Time{},
		orphans: map[string]time.Time{},
		waiting: map[string]time.Time{},
	}
}

// broken tells of an invariant once.
func (w *watch) broken(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(w.report.Broken, text) {
		w.report.Broken = append(w.report.Broken, text)
		w.Say("BROKEN: %s", text)
	}
}

// look takes a sample and checks what must hold.
func (w *watch) look(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(lookEvery):
	}
	var claims karpenterv1.NodeClaimList
	var nodes corev1.NodeList
	var pods corev1.PodList
	if err := errors.Join(
		w.Client.List(ctx, &claims),
		w.Client.List(ctx, &nodes),
		w.Client.List(ctx, &pods),
	); err != nil {
		return fmt.Errorf("looking at the cluster: %w", err)
	}
	machines, err := w.Machines(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	s := Sample{At: now.Sub(w.began), Nodes: len(nodes.Items)}
	w.machines(now, machines, claims.Items, &s)
	var milli, mib int64
	waiting := map[string]time.Time{}
	for i := range pods.Items {
		p := &pods.Items[i]
		if p.DeletionTimestamp != nil {
			continue
		}
		for _, c := range p.Spec.Containers {
			milli += c.Resources.Requests.Cpu().MilliValue()
			mib += c.Resources.Requests.Memory().Value() >> 20
		}
		if p.Status.Phase == corev1.PodRunning {
			s.Running++
			continue
		}
		s.Pending++
		since, known := w.waiting[p.Name]
		if !known {
			since = now
		}
		waiting[p.Name] = since
		if wait := now.Sub(since); wait > longPending {
			w.broken("pod %s has been waiting for more than %s", p.Name, longPending)
		}
	}
	w.waiting = waiting
	s.Bound = bound(milli, mib)
	w.lifetimes(now, claims.Items)
	w.budget(nodes.Items)
	w.report.PodDays += float64(s.Running) * now.Sub(w.last).Hours() / 24
	w.last = now
	w.report.Samples = append(w.report.Samples, s)
	return nil
}

// machines adds up what the account pays, and checks that each machine belongs to one claim.
func (w *watch) machines(now time.Time, list []control.Instance, claims []karpenterv1.NodeClaim, s *Sample) {
	known, of := map[string]int{}, map[string]*karpenterv1.NodeClaim{}
	for i := range claims {
		known[claims[i].Status.ProviderID]++
		of[claims[i].Status.ProviderID] = &claims[i]
	}
	w.report.Launched = max(w.report.Launched, len(list))
	orphans := map[string]time.Time{}
	for _, m := range list {
		if m.State != "running" && m.State != "pending" {
			continue
		}
		price := float64(m.Price) / 1e6
		s.Price += price
		id := "aws:///" + m.Zone + "/" + m.ID
		switch claim := of[id]; {
		case claim == nil || !condition.IsTrue(claim, karpenterv1.ConditionInitialized):
			s.Starting += price
		case !claim.DeletionTimestamp.IsZero() || condition.IsTrue(claim, karpenterv1.ConditionDisruptionReason):
			s.Going += price
		}
		switch n := known[id]; {
		case n > 1:
			w.broken("machine %s belongs to %d claims", m.ID, n)
		case n == 0:
			since, seen := w.orphans[m.ID]
			if !seen {
				since = now
			}
			orphans[m.ID] = since
			if now.Sub(since) > time.Minute {
				w.broken("machine %s has had no claim for a minute", m.ID)
			}
		}
	}
	w.orphans = orphans
}

func (w *watch) lifetimes(now time.Time, claims []karpenterv1.NodeClaim) {
	there := map[string]bool{}
	for i := range claims {
		there[claims[i].Name] = true
		if _, ok := w.claims[claims[i].Name]; !ok {
			w.claims[claims[i].Name] = now
		}
	}
	for name, since := range w.claims {
		if !there[name] {
			w.report.Lifetimes = append(w.report.Lifetimes, now.Sub(since))
			delete(w.claims, name)
		}
	}
}

// BudgetPercent is how many of its nodes the pool may give up at once.
const BudgetPercent = 20

func (w *watch) budget(nodes []corev1.Node) {
	going := 0
	for i := range nodes {
		disrupted := slices.ContainsFunc(
			nodes[i].Spec.Taints,
			func(t corev1.Taint) bool { return t.Key == karpenterv1.DisruptedTaintKey },
		)
		if disrupted || nodes[i].DeletionTimestamp != nil {
			going++
		}
	}
	// nodes may have gone since they were counted
	if allowed := (len(nodes)*BudgetPercent + 99) / 100; going > allowed+1 {
		w.broken("%d of %d nodes are going at once, the budget is %d %%", going, len(nodes), BudgetPercent)
	}
}

func (w *watch) tell(step int) {
	s := w.report.Samples[len(w.report.Samples)-1]
	w.Say(
		"%02d:%02d  %4d pods run, %3d wait, %3d nodes, $%7.3f an hour ($%6.3f starting, $%6.3f going), bound $%7.3f",
		step*24/steps,
		step*24*60/steps%60,
		s.Running,
		s.Pending,
		s.Nodes,
		s.Price,
		s.Starting,
		s.Going,
		s.Bound,
	)
}

// settle waits until all pods run, and reads Dovetail's metrics.
func (w *watch) settle(ctx context.Context, limit time.Duration) (*Report, error) {
	deadline := time.Now().Add(limit)
	for {
		if err := w.look(ctx); err != nil {
			return nil, err
		}
		if s := w.report.Samples[len(w.report.Samples)-1]; s.Pending == 0 && len(w.orphans) == 0 {
			break
		}
		if time.Now().After(deadline) {
			w.broken("after %s, %d pods wait and %d machines have no claim", limit, len(w.waiting), len(w.orphans))
			break
		}
	}
	if err := w.readMetrics(ctx); err != nil {
		return nil, err
	}
	slices.Sort(w.report.Lifetimes)
	var err error
	if n := len(w.report.Broken); n > 0 {
		err = fmt.Errorf("%d invariants broke, the first: %s", n, w.report.Broken[0])
	}
	return &w.report, err
}

func (w *watch) readMetrics(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.Metrics, nil)
	if err != nil {
		return fmt.Errorf("reading metrics: %w", err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("reading metrics: %w", err)
	}
	defer answer.Body.Close() // it is read to the end
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		name, value, ok := strings.Cut(lines.Text(), " ")
		number, err := strconv.ParseFloat(value, 64)
		switch {
		case !ok || err != nil:
		case name == "process_cpu_seconds_total":
			w.report.CPU = time.Duration(number * float64(time.Second))
		case name == "process_resident_memory_bytes":
			w.report.Memory = int64(number)
		case strings.HasPrefix(name, `karpenter_pods_eviction_requests_total{code="200"`):
			w.report.Evictions += number
		case strings.HasPrefix(name, "karpenter_nodeclaims_created_total{"):
			_, reason, _ := strings.Cut(name, `reason="`)
			reason, _, _ = strings.Cut(reason, `"`)
			w.report.Created[reason] += int(number)
		}
	}
	return nil
}
