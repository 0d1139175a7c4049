package daemon

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/dovetail-sh/dovetail/awssim"
	"github.com/dovetail-sh/dovetail/internal/config"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider/aws/apicall"
)

// Dashboards tell throttling by the code of attempts, and calls by that of their last answer.
func TestAThrottledCallIsOneRequestAndTwoAttempts(t *testing.T) {
	t.Parallel()
	metrics := observe.NewMetrics()
	m := awsMeter{metrics.AWS}
	m.Called(apicall.Call{
		Service: "EC2", Operation: "CreateFleet", Took: 3 * time.Second,
		Attempts: []apicall.Attempt{{Code: 503, Took: time.Second}, {Code: 200, Took: time.Second}},
	})
	m.Called(apicall.Call{Service: "EKS", Operation: "DescribeCluster"})
	m.Batched("describe_instances", 7, 20*time.Millisecond)
	m.UserData("default", 1234)
	m.UserData("gone", 1)
	m.NoUserData("gone")
	m.NotLaunched("us-east-1a", "use1-az1", "spot", "InsufficientInstanceCapacity")
	m.NotTerminated("us-east-1a", "use1-az1")

	want := `
# HELP aws_sdk_go_request_attempt_total Requests to AWS, each try counted.
# TYPE aws_sdk_go_request_attempt_total counter
aws_sdk_go_request_attempt_total{action="CreateFleet",code="200",service="EC2"} 1
aws_sdk_go_request_attempt_total{action="CreateFleet",code="503",service="EC2"} 1
# HELP aws_sdk_go_request_total Calls to AWS, by their last answer.
# TYPE aws_sdk_go_request_total counter
aws_sdk_go_request_total{action="CreateFleet",code="200",service="EC2"} 1
aws_sdk_go_request_total{action="DescribeCluster",code="0",service="EKS"} 1
# HELP karpenter_cloudprovider_instance_launch_failures_total Offers that CreateFleet could not use, by EC2's code.
# TYPE karpenter_cloudprovider_instance_launch_failures_total counter
karpenter_cloudprovider_instance_launch_failures_total{capacity_type="spot",reason="InsufficientInstanceCapacity",zone="us-east-1a",zone_id="use1-az1"} 1
# HELP karpenter_cloudprovider_instance_termination_failures_total Instances that EC2 did not end when asked to.
# TYPE karpenter_cloudprovider_instance_termination_failures_total counter
karpenter_cloudprovider_instance_termination_failures_total{zone="us-east-1a",zone_id="use1-az1"} 1
# HELP karpenter_ec2nodeclasses_userdata_bytes Bytes of user data that nodes of an EC2NodeClass get, before base64.
# TYPE karpenter_ec2nodeclasses_userdata_bytes gauge
karpenter_ec2nodeclasses_userdata_bytes{nodeclass="default"} 1234
`
	if err := testutil.GatherAndCompare(
		metrics.Gatherer(),
		strings.NewReader(want),
		"aws_sdk_go_request_attempt_total",
		"aws_sdk_go_request_total",
		"karpenter_ec2nodeclasses_userdata_bytes",
		"karpenter_cloudprovider_instance_launch_failures_total",
		"karpenter_cloudprovider_instance_termination_failures_total",
	); err != nil {
		t.Error(err)
	}
	sums := map[string]float64{}
	families, err := metrics.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, series := range family.GetMetric() {
			if h := series.GetHistogram(); h != nil {
				sums[family.GetName()] += h.GetSampleSum()
			}
		}
	}
	for name, sum := range map[string]float64{
		"aws_sdk_go_request_duration_seconds": 3, "aws_sdk_go_request_attempt_duration_seconds": 2, "aws_sdk_go_request_retry_count": 1,
		"karpenter_cloudprovider_batcher_batch_size": 7, "karpenter_cloudprovider_batcher_batch_time_seconds": 0.02,
	} {
		if sums[name] != sum {
			t.Errorf("%s adds up to %v, want %v", name, sums[name], sum)
		}
	}
}

// The cloud that the daemon makes counts into the daemon's own metrics, from its first call on.
func TestTheDaemonsCloudIsMetered(t *testing.T) { // not parallel: credentials come from the environment
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1", "AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none,
	} {
		t.Setenv(name, value)
	}
	clock := clocktesting.NewFakeClock(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC))
	sim, err := awssim.New(
		awssim.Options{
			Clock:             clock,
			ClusterName:       "demo",
			ClusterEndpoint:   "https://10.1.2.3",
			ClusterCA:         []byte("ca"),
			KubernetesVersion: "1.36",
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"major": "1", "minor": "36"}`)) // to a test that would fail without it
	}))
	t.Cleanup(api.Close)
	settings := config.Default()
	settings.AWS.ClusterName = "demo"
	kube, metrics := fake.NewClientBuilder().Build(), observe.NewMetrics()
	if _, err := newAWS(t.Context(), CloudDeps{
		Config:      settings,
		Kube:        &rest.Config{Host: api.URL},
		Client:      kube,
		Live:        kube,
		Clock:       clock,
		Metrics:     metrics,
		AWSEndpoint: sim.URL(),
	}); err != nil {
		t.Fatal(err)
	}
	// EC2 says with this status that a dry run would have succeeded.
	if n := testutil.ToFloat64(metrics.AWS.Calls.WithLabelValues("EC2", "DescribeInstanceTypes", "412")); n != 1 {
		t.Errorf("the call by which the daemon finds out whether EC2 answers is counted %v times, want once", n)
	}
}
