package observe

import "github.com/prometheus/client_golang/prometheus"

// Buckets of AWS's metrics are Karpenter's, so that quantiles of old and new data can be compared.
var (
	callBuckets  = prometheus.ExponentialBuckets(0.01, 1.5, 20) // seconds, to 22
	retryBuckets = []float64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	batchBuckets = []float64{
		1, 2, 4, 5, 10, 15, 20, 25, 30, 40, 50, 60, 70, 80, 90, 100, 125, 150, 175, 200,
		225, 250, 275, 300, 350, 400, 450, 500, 550, 600, 700, 800, 900, 1000,
	}
)

// AWSMetrics describe what the AWS provider does inside. service and action are the SDK's names of a service and its
// operation, such as EC2 and CreateFleet; code is the HTTP status of the answer, 0 if there was none.
type AWSMetrics struct {
	Calls       *prometheus.CounterVec
	CallTime    *prometheus.HistogramVec
	Retries     *prometheus.HistogramVec
	Attempts    *prometheus.CounterVec
	AttemptTime *prometheus.HistogramVec

	BatchSize *prometheus.HistogramVec
	BatchTime *prometheus.HistogramVec

	IdlePrice     *prometheus.GaugeVec
	UserData      *prometheus.GaugeVec
	NotLaunched   *prometheus.CounterVec
	NotTerminated *prometheus.CounterVec
}

func awsMetrics(t *table) AWSMetrics {
	const sdk, batcher = "aws_sdk_go_request_", prefix + "cloudprovider_batcher_"
	call := []string{"service", "action", "code"}
	return AWSMetrics{
		Calls: t.bareCounter(sdk+"total", "Calls to AWS, by their last answer.", call...),
		CallTime: t.bareHistogram(
			sdk+"duration_seconds",
			callBuckets,
			"Seconds that calls to AWS took, with their retries.",
			call...),
		Retries: t.bareHistogram(
			sdk+"retry_count",
			retryBuckets,
			"How often a call to AWS was tried again.",
			call...),
		Attempts: t.bareCounter(sdk+"attempt_total", "Requests to AWS, each try counted.", call...),
		AttemptTime: t.bareHistogram(
			sdk+"attempt_duration_seconds",
			callBuckets,
			"Seconds that one request to AWS took.",
			call...),

		BatchSize: t.bareHistogram(
			batcher+"batch_size",
			batchBuckets,
			"Requests that one call to AWS served.",
			"batcher",
		),
		BatchTime: t.bareHistogram(batcher+"batch_time_seconds", durationBuckets,
			"Seconds that the oldest of the requests waited for the call that served it.", "batcher"),

		UserData: t.gauge(
			"ec2nodeclasses_userdata_bytes",
			"Bytes of user data that nodes of an EC2NodeClass get, before base64.",
			"nodeclass",
		),
		IdlePrice: t.gauge("cloudprovider_capacity_reservation_idle_price",
			"Dollars an hour that room in a capacity reservation costs which nobody uses, at the price on demand.",
			"reservation_id", "instance_type", "zone", "instance_match_criteria", "selected"),
		NotLaunched: t.counter("cloudprovider_instance_launch_failures_total",
			"Offers that CreateFleet could not use, by EC2's code.", "zone", "zone_id", "capacity_type", "reason"),
		NotTerminated: t.counter("cloudprovider_instance_termination_failures_total",
			"Instances that EC2 did not end when asked to.", "zone", "zone_id"),
	}
}
