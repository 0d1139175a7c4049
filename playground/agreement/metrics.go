package agreement

import (
	"context"
	"fmt"
	"net/http"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// metrics is what Dovetail says of itself.
type metrics struct {
	asPlanned, elsewhere float64 // pods
	price                float64 // of all nodes, in dollars an hour
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
		asPlanned: sum(families[bound], "true"), elsewhere: sum(families[bound], "false"),
		price:  sum(families["karpenter_nodepools_cost_total"], ""),
		cpu:    sum(families["process_cpu_seconds_total"], ""),
		memory: sum(families["process_resident_memory_bytes"], ""),
	}, nil
}

// sum adds up a family's series, those with a label of that value unless it is empty.
func sum(family *dto.MetricFamily, value string) float64 {
	total := 0.0
	for _, m := range family.GetMetric() {
		has := value == ""
		for _, label := range m.GetLabel() {
			has = has || label.GetValue() == value
		}
		if has {
			total += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return total
}
