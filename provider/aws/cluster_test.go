package aws

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/awserror"
)

const eksThrottled = `{"__type":"ThrottlingException","message":"Rate exceeded"}`

// version132 tells the version as the API server would.
func version132(context.Context) (string, error) { return "1.32", nil }

// eksRefuses answers DescribeCluster with an error in EKS's form.
func eksRefuses(status int, body string) mischief {
	return func(r request) (*http.Response, error) {
		resp, err := answer(status, body)(r)
		resp.Header.Set("X-Amzn-Errortype", strings.Split(body, `"`)[3])
		return resp, err
	}
}

// The range of services never changes. Launches must not depend on EKS's API once it is known.
func TestLaunchesGoOnWhileEKSDoesNotAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tr := b.withTrouble(t)
	if err := b.resolve(t, "default"); err != nil { // reads the range
		t.Fatal(err)
	}
	tr.on("DescribeCluster", eksRefuses(503, `{"__type":"ServiceUnavailableException","message":"down"}`))
	b.clock.Step(time.Hour)
	if _, err := b.Launch(t.Context(), b.orderFor(t, claim("general-1", "default"))); err != nil {
		t.Errorf("EKS is down for an hour: %v", err)
	}
}

func TestAThrottledEKSIsNoFaultOfTheClass(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why    string
		answer mischief
		want   metav1.ConditionStatus
		reason string
	}{
		"Throttled": {"it is asked again", eksRefuses(429, eksThrottled), metav1.ConditionUnknown, reasonNotResolved},
		"Denied": {
			"somebody has to give the permission",
			eksRefuses(403, `{"__type":"AccessDeniedException","message":"no"}`),
			metav1.ConditionFalse,
			awsv1.ReasonClusterCIDRResolutionFailed,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.deps.Settings.ClusterEndpoint, b.deps.Settings.ClusterCABundle = endpoint, "Y2E="
			b.deps.KubernetesVersion = version132
			tr := b.withTrouble(t)
			tr.on("DescribeCluster", tc.answer)
			b.create(t, nodeClass("new"))
			_ = b.resolve(t, "new") // the condition tells
			got := condition.Get(b.classNamed(t, "new"), awsv1.ConditionValidationSucceeded)
			if got.Status != tc.want || got.Reason != tc.reason {
				t.Errorf(
					"%s\nValidationSucceeded is %s, %s: %s; want %s, %s",
					tc.why,
					got.Status,
					got.Reason,
					got.Message,
					tc.want,
					tc.reason,
				)
			}
		})
	}
}

// What a pool adds to a class's user data may be too much. The claim says so.
func TestUserDataThatIsTooLongForAClaim(t *testing.T) {
	t.Parallel()
	b := newBench(t, nodeClass("long", func(c *awsv1.EC2NodeClass) {
		c.Spec.UserData = ptr("#!/bin/bash\n# " + strings.Repeat("x", 14000))
	}))
	c := claim("general-1", "long")
	c.Labels["team"] = strings.Repeat("y", 2000)
	_, err := b.Launch(t.Context(), b.orderFor(t, c))
	var launch *provider.LaunchError
	if !errors.As(err, &launch) || launch.Reason != awserror.ReasonUserDataSize ||
		!strings.Contains(launch.Message, "AWS allows 16384") {
		t.Errorf("got %v, want reason %s and the limit", err, awserror.ReasonUserDataSize)
	}
}

// EC2 judges the context by the breadth that the NodePool's minValues promise.
func TestTheContextGoesWithTheLaunchUnlessMinValuesWereRelaxed(t *testing.T) {
	t.Parallel()
	b := newBench(t, nodeClass("special", func(c *awsv1.EC2NodeClass) { c.Spec.Context = ptr("cr-context") }))
	tr := b.withTrouble(t)
	for want, relaxed := range map[string]string{"cr-context": "", "": "true"} {
		c := claim("general-"+relaxed+"1", "special", onDemandAMD64...)
		c.Annotations = map[string]string{karpenterv1.NodeClaimMinValuesRelaxedAnnotationKey: relaxed}
		if _, err := b.Launch(t.Context(), b.orderFor(t, c)); err != nil {
			t.Fatal(err)
		}
		asked := tr.asked["CreateFleet"]
		if got := asked[len(asked)-1].Get("Context"); got != want {
			t.Errorf("relaxed %q: the context is %q, want %q", relaxed, got, want)
		}
	}
}
