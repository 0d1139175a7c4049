package apicall

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"
	testclock "k8s.io/utils/clock/testing"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// wire answers one request after the other with a status; 0 is no answer at all. Each takes a second.
type wire struct {
	clock  *testclock.FakeClock
	status []int
}

func (w *wire) Do(*http.Request) (*http.Response, error) {
	w.clock.Step(time.Second)
	status := w.status[0]
	w.status = w.status[1:]
	if status == 0 {
		return nil, errors.New("connection refused")
	}
	body := "<DescribeSubnetsResponse><subnetSet/></DescribeSubnetsResponse>"
	if code := map[int]string{400: "InvalidParameterValue", 503: "RequestLimitExceeded"}[status]; code != "" {
		body = "<Response><Errors><Error><Code>" + code + "</Code><Message>no</Message></Error></Errors></Response>"
	}
	return &http.Response{
		StatusCode: status,
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     http.Header{},
		Body:       io.NopCloser(strings.NewReader(body)),
	}, nil
}

func TestACallIsToldOnceWithAllItsAttempts(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why     string
		status  []int
		nobody  bool // without credentials
		want    Call
		code    int
		retries int
	}{
		"Answered": {
			why: "one call is one attempt", status: []int{200},
			want: Call{"EC2", "DescribeSubnets", time.Second, []Attempt{{200, time.Second}}}, code: 200,
		},
		"ThrottledOnce": {
			why:    "the SDK asked again without anybody's noticing",
			status: []int{503, 200},
			want: Call{
				"EC2",
				"DescribeSubnets",
				2 * time.Second,
				[]Attempt{{503, time.Second}, {200, time.Second}},
			},
			code:    200,
			retries: 1,
		},
		"ThrottledAlways": {
			why:    "three attempts are all that there are",
			status: []int{503, 503, 503},
			want: Call{
				"EC2",
				"DescribeSubnets",
				3 * time.Second,
				[]Attempt{{503, time.Second}, {503, time.Second}, {503, time.Second}},
			},
			code:    503,
			retries: 2,
		},
		"Refused": {
			why: "what is wrong stays wrong and is not tried again", status: []int{400},
			want: Call{"EC2", "DescribeSubnets", time.Second, []Attempt{{400, time.Second}}}, code: 400,
		},
		"LostOnce": {
			why:    "no answer has no status",
			status: []int{0, 200},
			want: Call{
				"EC2",
				"DescribeSubnets",
				2 * time.Second,
				[]Attempt{{0, time.Second}, {200, time.Second}},
			},
			code:    200,
			retries: 1,
		},
		"NoCredentials": {
			why: "nothing went over the wire", nobody: true,
			want: Call{Service: "EC2", Operation: "DescribeSubnets"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := testclock.NewFakeClock(noon)
			config := awssdk.Config{
				Region:      "us-east-1",
				HTTPClient:  &wire{clock, tc.status},
				Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""),
				Retryer:     quick,
			}
			if tc.nobody {
				config.Credentials = awssdk.CredentialsProviderFunc(nobody)
			}
			var told []Call
			Measure(&config, clock, func(c Call) { told = append(told, c) })
			_, err := ec2.NewFromConfig(config).DescribeSubnets(t.Context(), nil)
			if failed := tc.code != 200; failed != (err != nil) {
				t.Errorf("the call itself: %v", err)
			}
			if diff := cmp.Diff([]Call{tc.want}, told); diff != "" {
				t.Fatalf("%s: -want +got\n%s", tc.why, diff)
			}
			if told[0].Code() != tc.code || told[0].Retries() != tc.retries {
				t.Errorf(
					"%s: code %d, %d retries; want %d, %d",
					tc.why,
					told[0].Code(),
					told[0].Retries(),
					tc.code,
					tc.retries,
				)
			}
		})
	}
}

// Configurations are copied: who measures one must not measure another.
func TestACopyOfTheConfigurationIsNotMeasured(t *testing.T) {
	t.Parallel()
	clock := testclock.NewFakeClock(noon)
	config := awssdk.Config{
		Region:      "us-east-1",
		HTTPClient:  &wire{clock, []int{400}},
		Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""),
	}
	before := config.Copy()
	Measure(&config, clock, func(c Call) { t.Errorf("told of %v", c) })
	if _, err := sqs.NewFromConfig(before).ListQueues(t.Context(), nil); err == nil {
		t.Error("want an error")
	}
}

func nobody(context.Context) (awssdk.Credentials, error) {
	return awssdk.Credentials{}, errors.New("no credentials")
}

// quick tries thrice and hardly waits.
func quick() awssdk.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff = 3, time.Nanosecond
	})
}
