package gauge

import (
	"context"
	"fmt"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/kubernetes"
)

// Counted is what an API server has counted since it started.
type Counted struct {
	Evictions int // that were granted
	Requests  int // of one flow schema that were let through

	// Writes are all that were let through and changed something, whoever sent them, by verb and resource, such as
	// "PATCH pods/status".
	Writes map[string]int
}

// Count asks an API server. The requests are those of a flow schema.
func Count(ctx context.Context, kube kubernetes.Interface, schema string) (Counted, error) {
	page, err := kube.Discovery().RESTClient().Get().AbsPath("/metrics").Stream(ctx)
	if err != nil {
		return Counted{}, fmt.Errorf("asking the API server what it was asked: %w", err)
	}
	defer page.Close() // it is only read
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(page)
	if err != nil {
		return Counted{}, fmt.Errorf("reading the API server's metrics: %w", err)
	}
	return Counted{
		Evictions: sum(
			families["apiserver_request_total"],
			map[string]string{"subresource": "eviction", "code": "201"},
		),
		Requests: sum(
			families["apiserver_flowcontrol_dispatched_requests_total"],
			map[string]string{"flow_schema": schema},
		),
		Writes: writes(families["apiserver_request_total"]),
	}, nil
}

// writes sorts the requests that changed something.
func writes(family *dto.MetricFamily) map[string]int {
	out := map[string]int{}
	for _, m := range family.GetMetric() {
		of := map[string]string{}
		for _, l := range m.GetLabel() {
			of[l.GetName()] = l.GetValue()
		}
		if slices.Contains([]string{"POST", "PUT", "PATCH", "APPLY", "DELETE"}, of["verb"]) &&
			strings.HasPrefix(of["code"], "2") {
			key := strings.TrimSuffix(of["verb"]+" "+of["resource"]+"/"+of["subresource"], "/")
			out[key] += int(m.GetCounter().GetValue())
		}
	}
	return out
}

// sum adds up the series of a counter that have these labels.
func sum(family *dto.MetricFamily, labels map[string]string) int {
	total := 0.0
	for _, m := range family.GetMetric() {
		if has(m, labels) {
			total += m.GetCounter().GetValue()
		}
	}
	return int(total)
}

func has(m *dto.Metric, labels map[string]string) bool {
	found := 0
	for _, l := range m.GetLabel() {
		if want, asked := labels[l.GetName()]; asked && want == l.GetValue() {
			found++
		}
	}
	return found == len(labels)
}
