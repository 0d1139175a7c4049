package fault

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
)

// wording is how a service refuses: the code, its HTTP status, its sentence.
type wording struct {
	code    string
	status  int
	message string
}

const (
	tooFast  = "Rate exceeded"
	ourFault = "An internal error has occurred"
)

// throttles, failures and denials say what each service answers, as its API
// reference lists under common errors.
var (
	throttles = map[string]wording{
		"ec2":     {"RequestLimitExceeded", http.StatusServiceUnavailable, "Request limit exceeded."},
		"iam":     {"Throttling", http.StatusBadRequest, tooFast},
		"sts":     {"Throttling", http.StatusBadRequest, tooFast},
		"sqs":     {"RequestThrottled", http.StatusForbidden, "Request is throttled."},
		"ssm":     {"ThrottlingException", http.StatusBadRequest, tooFast},
		"pricing": {"ThrottlingException", http.StatusBadRequest, tooFast},
		"eks":     {"ThrottlingException", http.StatusTooManyRequests, tooFast},

		"arc-zonal-shift": {"ThrottlingException", http.StatusTooManyRequests, tooFast},
	}
	failures = map[string]wording{
		"ec2":     {"InternalError", http.StatusInternalServerError, ourFault},
		"iam":     {"ServiceFailure", http.StatusInternalServerError, ourFault},
		"sts":     {"InternalFailure", http.StatusInternalServerError, ourFault},
		"sqs":     {"InternalError", http.StatusInternalServerError, ourFault},
		"ssm":     {"InternalServerError", http.StatusInternalServerError, ourFault},
		"pricing": {"InternalErrorException", http.StatusInternalServerError, ourFault},
		"eks":     {"ServerException", http.StatusInternalServerError, ourFault},

		"arc-zonal-shift": {"InternalServerException", http.StatusInternalServerError, ourFault},
	}
	denials = map[string]wording{
		"ec2":     {"UnauthorizedOperation", http.StatusForbidden, ""},
		"iam":     {"AccessDenied", http.StatusForbidden, ""},
		"sts":     {"AccessDenied", http.StatusForbidden, ""},
		"sqs":     {"AccessDenied", http.StatusForbidden, ""},
		"ssm":     {"AccessDeniedException", http.StatusBadRequest, ""},
		"pricing": {"AccessDeniedException", http.StatusBadRequest, ""},
		"eks":     {"AccessDeniedException", http.StatusForbidden, ""},

		"arc-zonal-shift": {"AccessDeniedException", http.StatusForbidden, ""},
	}
)

// unavailable are codes that come with 503 instead of 500.
var unavailable = []string{"ServiceUnavailable", "Unavailable", "ServerUnavailable"}

// denied is the sentence in which AWS names the permission that is missing. EC2
// adds an account for machines, which differs each time.
func denied(service, action string) string {
	permission := service + ":" + strings.TrimSuffix(action, "Batch")
	text := fmt.Sprintf(
		"User: arn:aws:sts::111122223333:assumed-role/KarpenterControllerRole/simulated is not authorized to perform: "+
			"%s "+
			"on resource: * because no identity-based policy allows the %s action",
		permission,
		permission,
	)
	if service != "ec2" {
		return text
	}
	return "You are not authorized to perform this operation. " + text +
		". Encoded authorization failure message: " + rand.Text()
}

// Refusal is what the service answers when the rule refuses a call of an
// action; nil when the rule's kind does not refuse.
func (r Rule) Refusal(service, action string) *apierror.Error {
	table := map[Kind]map[string]wording{Throttle: throttles, ServerError: failures, AccessDenied: denials}[r.Kind]
	if table == nil {
		return nil
	}
	w, known := table[service]
	if !known {
		w = table["ssm"] // as most services that speak JSON say it
	}
	for _, code := range unavailable {
		if r.Code == code {
			w.status, w.message = http.StatusServiceUnavailable,
				"The request has failed due to a temporary failure of the server."
		}
	}
	if r.Kind == AccessDenied {
		w.message = denied(service, action)
	}
	return &apierror.Error{Code: cmp.Or(r.Code, w.code), Message: cmp.Or(r.Message, w.message), Status: w.status}
}
