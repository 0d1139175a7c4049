package fault

import (
	"cmp"
	"net/http"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
)

// wording is how a service refuses: the code, its HTTP status, its sentence.
type wording struct {
	code    string
	status  int
	message string
}

const (
	tooFast   = "Rate exceeded"
	ourFault  = "An internal error has occurred"
	forbidden = "User is not authorized to perform this operation"
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
		"ec2":     {"UnauthorizedOperation", http.StatusForbidden, "You are not authorized to perform this operation."},
		"iam":     {"AccessDenied", http.StatusForbidden, forbidden},
		"sts":     {"AccessDenied", http.StatusForbidden, forbidden},
		"sqs":     {"AccessDenied", http.StatusForbidden, forbidden},
		"ssm":     {"AccessDeniedException", http.StatusBadRequest, forbidden},
		"pricing": {"AccessDeniedException", http.StatusBadRequest, forbidden},
		"eks":     {"AccessDeniedException", http.StatusForbidden, forbidden},

		"arc-zonal-shift": {"AccessDeniedException", http.StatusForbidden, forbidden},
	}
)

// unavailable are codes that come with 503 instead of 500.
var unavailable = []string{"ServiceUnavailable", "Unavailable", "ServerUnavailable"}

// Refusal is what the service answers when the rule refuses a call; nil when
// the rule's kind does not refuse.
func (r Rule) Refusal(service string) *apierror.Error {
	table := map[Kind]map[string]wording{Throttle: throttles, ServerError: failures, AccessDenied: denials}[r.Kind]
	if table == nil {
		return nil
	}
	w := table[service]
	for _, code := range unavailable {
		if r.Code == code {
			w.status, w.message = http.StatusServiceUnavailable, "The request has failed due to a temporary failure of the server."
		}
	}
	return &apierror.Error{Code: cmp.Or(r.Code, w.code), Message: cmp.Or(r.Message, w.message), Status: w.status}
}
