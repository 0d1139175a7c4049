package agreement

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// metrics is what Dovetail says of itself.
type metrics struct {
	asPlanned, elsewhere float64 // pods
	price                float64 // of all nodes, in dollars an hour
	disrupted            float64 // claims
	evictions            float64 // that the API server granted
	cpu                  float64 // seconds
	memory               float64 // bytes
}

// scrape reads a /metrics page.
func scrape(ctx context.Context, url string) (metrics, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return metrics{}, fmt.Errorf("asking for metrics: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return metrics{}, fmt.Errorf("asking for metrics: %w", err)
	}
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return metrics{}, fmt.Errorf("reading metrics: %w", err)
	}
	bound := "karpenter_pods_bound_as_planned_total"
	return metrics{
		asPlanned: sum(families[bound], "true"),
		elsewhere: sum(families[bound], "false"),
		disrupted: sum(
			families["karpenter_nodeclaims_disrupted_total"],
		),
		evictions: sum(families["karpenter_pods_eviction_requests_total"], "200", "201"),
		price:     sum(families["karpenter_nodepools_cost_total"]),
		cpu:       sum(families["process_cpu_seconds_total"]),
		memory:    sum(families["process_resident_memory_bytes"]),
	}, nil
}

// sum adds up a family's series: those with a label of one of these values, or all if there are none.
func sum(family *dto.MetricFamily, values ...string) float64 {
	total := 0.0
	for _, m := range family.GetMetric() {
		has := len(values) == 0
		for _, label := range m.GetLabel() {
			has = has || slices.Contains(values, label.GetValue())
		}
		if has {
			total += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return total
}
