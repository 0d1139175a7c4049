package integration

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/internal/daemon"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

// takeover is how long a standby may take once the leader has stopped in good order.
const takeover = 5 * time.Second

// standbyTakesOver runs two daemons with leader election: one works, and the other takes over when it stops.
func standbyTakesOver(t *testing.T, c *cluster) {
	elected := settings()
	elected.Leader.Disabled = false
	first, stopFirst := c.run(t, elected)
	await(t, "the first daemon to lead", first.Elected())
	second, stopSecond := c.run(t, elected)
	defer stopSecond()

	pool, deployment := general(), web("one", 1, "500m")
	c.create(t, pool, deployment)
	c.running(t, "one", 1)
	if leads(second) {
		t.Error("two daemons lead")
	}
	stopFirst()
	began := time.Now()
	await(t, "the second daemon to lead", second.Elected())
	if took := time.Since(began); took > takeover {
		t.Errorf("the standby took over after %s, want %s or less", took.Round(time.Millisecond), takeover)
	}
	lease := &coordinationv1.Lease{}
	if err := c.Get(
		t.Context(),
		client.ObjectKey{Namespace: "kube-system", Name: "karpenter-leader-election"},
		lease,
	); err != nil {
		t.Error(err)
	}
	c.scale(t, deployment, 2)
	c.running(t, "one", 2)
	c.remove(t, deployment, pool)
}

// nobodyLeadsBesideAnother runs two with Leases in different namespaces: the second waits, says so, is not ready, and
// leads when the first has stopped.
func nobodyLeadsBesideAnother(t *testing.T, c *cluster) {
	elected := settings()
	elected.Leader.Disabled = false
	first, stopFirst := c.run(t, elected)
	await(t, "the first daemon to lead", first.Elected())
	elsewhere := elected
	elsewhere.Leader.Namespace, elsewhere.Serve.HealthPort = "default", freePort(t)
	said, waits := &sync.Once{}, make(chan struct{})
	second, stopSecond := c.run(t, elsewhere, func(o *daemon.Options) {
		o.RestConfig = c.kube // the chart's rights are for one namespace
		o.Log = funcr.New(func(_, line string) {
			if strings.Contains(line, "another controller leads") && strings.Contains(line, "-n kube-system") {
				said.Do(func() { close(waits) })
			}
		}, funcr.Options{})
	})
	defer stopSecond()
	await(t, "the second daemon to say why it waits", waits)
	if _, problem := page200(fmt.Sprintf("http://127.0.0.1:%d/readyz", elsewhere.Serve.HealthPort)); problem == "" {
		t.Error("it is ready although it must not lead")
	}
	if leads(second) {
		t.Error("two daemons lead")
	}
	stopFirst()
	await(t, "the second daemon to lead", second.Elected())
}

func leads(d *daemon.Daemon) bool {
	select {
	case <-d.Elected():
		return true
	default:
		return false
	}
}

func await(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("waited %s for %s", patience, what)
	}
}

// metricsAndHealthAreServed reads what Prometheus and the kubelet read.
func metricsAndHealthAreServed(t *testing.T, c *cluster) {
	served := settings()
	served.Serve.MetricsPort, served.Serve.HealthPort = freePort(t), freePort(t)
	served.Serve.Profiling = true
	d, stop := c.run(t, served)
	defer stop()
	pool, deployment := general(), web("one", 1, "500m")
	c.create(t, pool, deployment)
	c.running(t, "one", 1)

	health, metrics := fmt.Sprintf(
		"http://127.0.0.1:%d",
		served.Serve.HealthPort,
	), fmt.Sprintf(
		"http://127.0.0.1:%d",
		served.Serve.MetricsPort,
	)
	for _, page := range []string{health + "/healthz", health + "/readyz", metrics + "/debug/pprof/"} {
		eventually(t, page, func() string { _, problem := page200(page); return problem })
	}
	eventually(t, "the metrics", func() string {
		text, problem := page200(metrics + "/metrics")
		if problem != "" {
			return problem
		}
		for _, want := range []string{
			`karpenter_nodeclaims_created_total{min_values_relaxed="false",nodepool="general",reason="provisioned"}`,
			`karpenter_nodes_created_total{nodepool="general"`, `karpenter_pods_state{`, `karpenter_nodes_allocatable{`, "karpenter_cluster_state_synced 1",
			`karpenter_nodepools_usage{nodepool="general",resource_type="nodes"} 1`, `karpenter_cloudprovider_duration_seconds_count{controller="nodeclaim.lifecycle",method="Create",provider="kwok"} 1`,
			`karpenter_pods_bound_duration_seconds_count`, `operator_nodeclaim_status_condition_transitions_total{reason="Launched",status="True",type="Launched"}`,
			"karpenter_pods_scheduling_decision_duration_seconds_count", "karpenter_scheduler_unfinished_work_seconds{", `karpenter_cluster_utilization_percent{resource_type="cpu"}`,
			"karpenter_nodepools_cost_total{",
			`karpenter_nodepools_allowed_disruptions{nodepool="general",reason="empty"}`,
			"process_resident_memory_bytes", "process_cpu_seconds_total", "controller_runtime_reconcile_total", "karpenter_build_info{",
		} {
			if missing := missingFrom(text, want); missing != "" {
				return want + " is missing"
			}
		}
		return cmp.Or(duplicates(text), strangers(text, d.Metrics()))
	})
	c.remove(t, deployment, pool)
}

// strangers finds a metric of ours that the table does not know, or knows with another type or other labels.
func strangers(text string, m *observe.Metrics) string {
	rows := map[string]observe.Metric{}
	for _, row := range m.Table() {
		rows[row.Name] = row
	}
	var current observe.Metric
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 4 && words[1] == "TYPE" {
			name, kind := words[2], words[3]
			current = rows[name]
			ours := strings.HasPrefix(name, "karpenter_") || strings.HasPrefix(name, "operator_")
			if ours && string(current.Kind) != kind {
				return fmt.Sprintf("%s is a %s, in the table %q", name, kind, current.Kind)
			}
		}
		if strings.HasPrefix(line, "#") || current.Name == "" {
			continue
		}
		if got, want := labelsOf(line), slices.Sorted(slices.Values(current.Labels)); !slices.Equal(got, want) {
			return fmt.Sprintf("%s has labels %v, in the table %v", current.Name, got, want)
		}
	}
	return ""
}

// labelName finds the names of a series' labels.
var labelName = regexp.MustCompile(`([a-z_]+)="(?:[^"\\]|\\.)*"[,}]`)

// labelsOf are the names of a series' labels, ascending, without those of buckets and quantiles.
func labelsOf(series string) []string {
	var out []string
	for _, found := range labelName.FindAllStringSubmatch(series, -1) {
		if name := found[1]; name != "le" && name != "quantile" {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// duplicates finds a series that is there twice.
func duplicates(text string) string {
	seen := sets.New[string]()
	for line := range strings.Lines(text) {
		name, _, ok := strings.Cut(line, "} ")
		if ok && !strings.HasPrefix(line, "#") && seen.Has(name) {
			return name + " is there twice"
		}
		seen.Insert(name)
	}
	return ""
}

func page200(url string) (text, problem string) {
	answer, err := http.Get(url) // a test on loopback
	if err != nil {
		return "", err.Error()
	}
	defer answer.Body.Close() // read to the end below
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", err.Error()
	}
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Sprintf("%s: %s", answer.Status, body)
	}
	return string(body), ""
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // only its port is of interest
	return l.Addr().(*net.TCPAddr).Port
}
