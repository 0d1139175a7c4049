package observe

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// StatusMetrics describe conditions and deletions of objects, for all kinds together and,
// under a name of its own, for each kind.
type StatusMetrics struct {
	All    StatusSeries
	ByKind map[string]StatusSeries // by Kind
}

// StatusSeries are the metrics of one kind, or of all.
type StatusSeries struct {
	Transitions    *prometheus.CounterVec
	TransitionTime *prometheus.HistogramVec
	Count          *prometheus.GaugeVec
	CurrentTime    *prometheus.GaugeVec
	TerminationNow *prometheus.GaugeVec
	Termination    *prometheus.HistogramVec
}

// StatusKinds are the kinds whose conditions are counted.
var StatusKinds = []string{"NodeClaim", "NodePool", "Node", "EC2NodeClass", "KWOKNodeClass", "CapacityBuffer"}

func statusMetrics(t *table) StatusMetrics {
	m := StatusMetrics{All: statusSeries(t, "operator_", "group", "kind"), ByKind: map[string]StatusSeries{}}
	for _, kind := range StatusKinds {
		m.ByKind[kind] = statusSeries(t, "operator_"+strings.ToLower(kind)+"_")
	}
	return m
}

func statusSeries(t *table, name string, first ...string) StatusSeries {
	labels := func(rest ...string) []string { return append(append([]string{}, first...), rest...) }
	return StatusSeries{
		Transitions: t.bareCounter(name+"status_condition_transitions_total",
			"Changes of a condition's status.", labels("type", "status", "reason")...),
		TransitionTime: t.bareHistogram(
			name+"status_condition_transition_seconds",
			durationBuckets,
			"Seconds that a condition was in its status before it changed to another.",
			labels("type", "status", "to_status")...),
		Count: t.bareGauge(name+"status_condition_count",
			"1 for each condition of each object.", labels("namespace", "name", "type", "status", "reason")...),
		CurrentTime: t.bareGauge(
			name+"status_condition_current_status_seconds",
			"Seconds for which a condition has had its status.",
			labels("namespace", "name", "type", "status", "reason")...),
		TerminationNow: t.bareGauge(name+"termination_current_time_seconds",
			"Seconds since the deletion of an object that is still there.", labels("namespace", "name")...),
		Termination: t.bareHistogram(name+"termination_duration_seconds", durationBuckets,
			"Seconds from the deletion of an object until it was gone.", labels()...),
	}
}
