package daemon

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	dto "github.com/prometheus/client_model/go"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/dovetail-sh/dovetail/internal/view"
)

// stuckAfter is how many seconds a run of a loop may take before it is no longer taken for well.
const stuckAfter = 300

// loops reads how the controllers fare from the metrics that they keep anyway.
type loops struct {
	mu   sync.Mutex // guards last and sick
	last map[string]view.Loop
	sick map[string]bool // at the last time that anything ran
}

// read is how each loop fares now, by name. One is well if what it did since the last time did not only fail, and it is
// not stuck.
func (l *loops) read() []view.Loop {
	families, err := ctrlmetrics.Registry.Gather()
	if err != nil {
		return []view.Loop{}
	}
	byName := map[string]*view.Loop{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := labelOf(m, "controller")
			if byName[name] == nil {
				byName[name] = &view.Loop{Name: name, Healthy: true}
			}
			tally(byName[name], family.GetName(), m)
		}
	}
	delete(byName, "") // metrics of no controller
	return l.judge(byName)
}

// tally adds one series to what is known of a loop.
func tally(loop *view.Loop, family string, m *dto.Metric) {
	switch family {
	case "controller_runtime_reconcile_total":
		loop.Runs += int64(m.GetCounter().GetValue())
	case "controller_runtime_reconcile_errors_total":
		loop.Errors += int64(m.GetCounter().GetValue())
	case "workqueue_depth":
		loop.Waiting += int64(m.GetGauge().GetValue())
	case "workqueue_longest_running_processor_seconds":
		loop.Longest = max(loop.Longest, m.GetGauge().GetValue())
	}
}

func (l *loops) judge(byName map[string]*view.Loop) []view.Loop {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		l.last, l.sick = map[string]view.Loop{}, map[string]bool{}
	}
	out := make([]view.Loop, 0, len(byName))
	for name, loop := range byName {
		before := l.last[name]
		if ran := loop.Runs - before.Runs; ran > 0 {
			l.sick[name] = loop.Errors-before.Errors >= ran
		}
		l.last[name] = *loop
		switch {
		case loop.Longest > stuckAfter:
			loop.Healthy, loop.Note = false, fmt.Sprintf("one run has taken %.0f s so far", loop.Longest)
		case l.sick[name]:
			loop.Healthy, loop.Note = false, "all that it did last failed; the log says why"
		}
		loop.Longest = float64(int64(loop.Longest))
		out = append(out, *loop)
	}
	slices.SortFunc(out, func(a, b view.Loop) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func labelOf(m *dto.Metric, name string) string {
	for _, pair := range m.GetLabel() {
		if pair.GetName() == name {
			return pair.GetValue()
		}
	}
	return ""
}
