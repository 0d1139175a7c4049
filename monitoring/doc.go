// Package monitoring holds alerts for Prometheus and dashboards for Grafana, and the tests that hold them against
// Prometheus' own engine, the metrics of docs/reference/metrics.md and the pages of docs/runbooks.
package monitoring
