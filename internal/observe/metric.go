package observe

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// Kind is a metric's type as Prometheus names it.
type Kind string

// Kinds of metrics.
const (
	Counter   Kind = "counter"
	Gauge     Kind = "gauge"
	Histogram Kind = "histogram"
	Summary   Kind = "summary"
)

// Metric is one row of the documentation: a name, what it counts and by what.
type Metric struct {
	Name   string // complete, with its prefix
	Kind   Kind
	Labels []string
	Doc    string
}

// prefix of all metrics but those that other tools expect without one.
const prefix = "karpenter_"

// durationBuckets are the bounds of all duration histograms, in seconds. They are
// Karpenter's, so that quantiles of old and new data can be compared.
var durationBuckets = []float64{
	0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9,
	1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60,
	120, 150, 300, 450, 600,
}

// scoreBuckets are the bounds of consolidation_score.
var scoreBuckets = []float64{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.5, 2, 3, 5, 10}

// quantiles of summaries, with their allowed errors.
var quantiles = map[float64]float64{0: 0, 0.5: 0.05, 0.9: 0.01, 0.99: 0.001, 1: 0}

// table registers metrics and remembers what it registered.
type table struct {
	registry *prometheus.Registry
	rows     []Metric
}

func (t *table) row(name string, kind Kind, doc string, labels []string) {
	t.rows = append(t.rows, Metric{Name: name, Kind: kind, Labels: slices.Clone(labels), Doc: doc})
}

func (t *table) counter(name, doc string, labels ...string) *prometheus.CounterVec {
	t.row(prefix+name, Counter, doc, labels)
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: doc}, labels)
	t.registry.MustRegister(v)
	return v
}

func (t *table) gauge(name, doc string, labels ...string) *prometheus.GaugeVec {
	return t.bareGauge(prefix+name, doc, labels...)
}

func (t *table) bareGauge(name, doc string, labels ...string) *prometheus.GaugeVec {
	t.row(name, Gauge, doc, labels)
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: doc}, labels)
	t.registry.MustRegister(v)
	return v
}

func (t *table) bareCounter(name, doc string, labels ...string) *prometheus.CounterVec {
	t.row(name, Counter, doc, labels)
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: doc}, labels)
	t.registry.MustRegister(v)
	return v
}

func (t *table) histogram(name, doc string, labels ...string) *prometheus.HistogramVec {
	return t.bareHistogram(prefix+name, durationBuckets, doc, labels...)
}

func (t *table) bareHistogram(name string, buckets []float64, doc string, labels ...string) *prometheus.HistogramVec {
	t.row(name, Histogram, doc, labels)
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: doc, Buckets: buckets}, labels)
	t.registry.MustRegister(v)
	return v
}

func (t *table) summary(name, doc string, labels ...string) *prometheus.SummaryVec {
	t.row(prefix+name, Summary, doc, labels)
	v := prometheus.NewSummaryVec(prometheus.SummaryOpts{Name: prefix + name, Help: doc, Objectives: quantiles}, labels)
	t.registry.MustRegister(v)
	return v
}
