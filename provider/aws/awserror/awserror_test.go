package awserror

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// answered is an error as the SDK gives it for an answer of AWS.
func answered(status int, code, message string) error {
	return fmt.Errorf("calling: %w", &awshttp.ResponseError{
		RequestID: "differs-each-time",
		ResponseError: &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}},
			Err:      &smithy.GenericAPIError{Code: code, Message: message},
		},
	})
}

func TestIsDefinite(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why  string
		err  error
		want bool
	}{
		"Refused": {"AWS has said no", answered(400, "InvalidParameterValue", "x"), true},
		"Throttled": {
			"nothing was begun, though the status is 503",
			answered(503, "RequestLimitExceeded", "x"),
			true,
		},
		"Broken":   {"it may have been done before it broke", answered(500, "InternalError", "x"), false},
		"TimedOut": {"it may have been done", fmt.Errorf("calling: %w", context.DeadlineExceeded), false},
		"Reset":    {"it may have been done", errors.New("connection reset by peer"), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := IsDefinite(tc.err); got != tc.want {
				t.Errorf("%s: got %v", tc.why, got)
			}
		})
	}
}

// denial is how EC2 refuses a role that may not pass another on. The end differs each time.
const denial = "You are not authorized to perform this operation. User: arn:aws:sts::111122223333:assumed-role/x/y is " +
	"not authorized to perform: " +
	"iam:PassRole on resource: arn:aws:iam::111122223333:role/node because no identity-based policy allows the " +
	"iam:PassRole action. " +
	"Encoded authorization failure message: 4dXv7Zr-_Gk"

// The permission that is missing need not be that of the call.
func TestActionIsWhatAWSNames(t *testing.T) {
	t.Parallel()
	of := func(code, message string) error {
		return &smithy.OperationError{
			ServiceID:     "EC2",
			OperationName: "RunInstances",
			Err:           answered(403, code, message),
		}
	}
	for want, err := range map[string]error{
		"iam:PassRole":     of("UnauthorizedOperation", denial),
		"ec2:RunInstances": of("UnauthorizedOperation", "You are not authorized to perform this operation."),
		"":                 errors.New("is not authorized to perform: iam:PassRole"),
	} {
		if got := Action(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}

func TestIsNoProfile(t *testing.T) {
	t.Parallel()
	const text = "Value (x) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"
	if !IsNoProfile(answered(400, "InvalidParameterValue", text)) ||
		IsNoProfile(answered(400, "InvalidParameterValue", "something else")) ||
		IsNoProfile(answered(400, "Another", text)) {
		t.Error("code and text together tell")
	}
}

func TestTextHoldsStill(t *testing.T) {
	t.Parallel()
	if got := Text(
		answered(403, "UnauthorizedOperation", denial),
	); !strings.HasSuffix(
		got,
		"the iam:PassRole action.",
	) {
		t.Errorf("%q ends with what differs each time", got)
	}
	if got, want := Text(
		answered(400, "InvalidAMIID.NotFound", "The image id '[ami-1]' does not exist "),
	), "InvalidAMIID.NotFound: The image id '[ami-1]' does not exist"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestReason(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ code, text, want string }{
		{"UnauthorizedOperation", "", ReasonUnauthorized},
		{"InvalidParameter", "Security group sg-1 and subnet subnet-1 belong to different networks.",
			ReasonVPCMismatch},
		{"InvalidParameterValue", "Value (x) for parameter iamInstanceProfile.name is invalid.",
			ReasonInstanceProfileName},
		{"InvalidParameterValue", "something else", ReasonLaunchFailed},
		{"VcpuLimitExceeded", "", ReasonVCPULimit},
		{"RequestLimitExceeded", "", ReasonRateLimited},
		{"InvalidParameterCombination", "The specified instance type is not eligible for Free Tier.", ReasonFreeTier},
		{"NeverHeardOf", "", ReasonLaunchFailed},
	} {
		if got := Reason(tc.code, tc.text); got != tc.want {
			t.Errorf("%s %q: %s, want %s", tc.code, tc.text, got, tc.want)
		}
	}
}

// A template that is gone is made again, whichever of its two names EC2 calls it by.
func TestIsLaunchTemplateNotFound(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]bool{
		"InvalidLaunchTemplateName.NotFoundException": true, "InvalidLaunchTemplateId.NotFound": true,
		"InvalidSubnetID.NotFound": false,
	} {
		if got := IsLaunchTemplateNotFound(answered(400, code, "x")); got != want {
			t.Errorf("%s: %v, want %v", code, got, want)
		}
	}
}
