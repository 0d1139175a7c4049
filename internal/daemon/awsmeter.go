package daemon

import (
	"strconv"
	"time"

	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider/aws"
	"github.com/dovetail-sh/dovetail/provider/aws/apicall"
)

// awsMeter puts what the AWS provider does into metrics.
type awsMeter struct{ metrics observe.AWSMetrics }

var _ aws.Meter = awsMeter{}

func (m awsMeter) Called(call apicall.Call) {
	code := strconv.Itoa(call.Code())
	m.metrics.Calls.WithLabelValues(call.Service, call.Operation, code).Inc()
	m.metrics.CallTime.WithLabelValues(call.Service, call.Operation, code).Observe(call.Took.Seconds())
	m.metrics.Retries.WithLabelValues(call.Service, call.Operation, code).Observe(float64(call.Retries()))
	for _, attempt := range call.Attempts {
		code := strconv.Itoa(attempt.Code)
		m.metrics.Attempts.WithLabelValues(call.Service, call.Operation, code).Inc()
		m.metrics.AttemptTime.WithLabelValues(call.Service, call.Operation, code).Observe(attempt.Took.Seconds())
	}
}

func (m awsMeter) Batched(batcher string, requests int, waited time.Duration) {
	m.metrics.BatchSize.WithLabelValues(batcher).Observe(float64(requests))
	m.metrics.BatchTime.WithLabelValues(batcher).Observe(waited.Seconds())
}

func (m awsMeter) UserData(class string, bytes int) {
	m.metrics.UserData.WithLabelValues(class).Set(float64(bytes))
}

func (m awsMeter) NoUserData(class string) { m.metrics.UserData.DeleteLabelValues(class) }

func (m awsMeter) NotLaunched(zone, zoneID, capacityType, code string) {
	m.metrics.NotLaunched.WithLabelValues(zone, zoneID, capacityType, code).Inc()
}

func (m awsMeter) NotTerminated(zone, zoneID string) {
	m.metrics.NotTerminated.WithLabelValues(zone, zoneID).Inc()
}
