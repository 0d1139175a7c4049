// Package awserror says what an error of AWS means: whether the thing is not there, not to
// be had, not allowed, or worth another attempt, and in which words a user is told.
//
// It looks at error codes only; texts change without notice. The few exceptions say why.
package awserror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// Reasons for the Launched condition, as Karpenter's users know them.
const (
	ReasonLaunchFailed             = "LaunchFailed"
	ReasonUnauthorized             = "Unauthorized"
	ReasonSpotSLR                  = "SpotSLRCreationFailed"
	ReasonAMIUnauthorized          = "AMIAuthorizationFailure"
	ReasonVPCMismatch              = "SecurityGroupSubnetVPCMismatch"
	ReasonInstanceProfileName      = "InstanceProfileNameInvalid"
	ReasonLaunchTemplateNotFound   = "LaunchTemplateNotFound"
	ReasonUserDataSize             = "UserDataSizeLimitExceeded"
	ReasonInvalidAMI               = "InvalidAMIID"
	ReasonAMINotFound              = "AMINotFound"
	ReasonRateLimited              = "RequestLimitExceeded"
	ReasonInternalError            = "InternalError"
	ReasonFreeTier                 = "FreeTierIneligible"
	ReasonFleetQuota               = "FleetQuotaExceeded"
	ReasonAccountPending           = "AccountPendingVerification"
	ReasonSpotQuota                = "SpotQuotaExceeded"
	ReasonVCPULimit                = "VCPULimitExceeded"
	ReasonFreeAddresses            = "InsufficientFreeAddressesInSubnet"
	ReasonSubnetResolution         = "SubnetResolutionFailed"
	codeServiceLinkedRole          = "AuthFailure.ServiceLinkedRoleCreationNotPermitted"
	codeFreeAddresses              = "InsufficientFreeAddressesInSubnet"
	codeLaunchTemplateNameNotFound = "InvalidLaunchTemplateName.NotFoundException"
	codeLaunchTemplateIDNotFound   = "InvalidLaunchTemplateId.NotFound"
	codeInvalidValue               = "InvalidParameterValue"
)

// noCapacity are the codes with which a fleet says that there is none of this just now.
var noCapacity = []string{
	"InsufficientInstanceCapacity", "MaxSpotInstanceCountExceeded", "VcpuLimitExceeded",
	"UnfulfillableCapacity", "Unsupported", codeFreeAddresses, "MaxFleetCountExceeded",
	"ReservationCapacityExceeded", "InsufficientReservedInstanceCapacity", codeServiceLinkedRole,
	"SpotMaxPriceTooLow", "InvalidCapacityReservationState.Unavailable",
}

var quota = []string{"VcpuLimitExceeded", "MaxSpotInstanceCountExceeded"}

var notFound = []string{
	"InvalidCapacityReservationId.NotFound",
	"InvalidInstanceID.NotFound",
	"InvalidInstanceID.Malformed",
	codeLaunchTemplateNameNotFound,
	codeLaunchTemplateIDNotFound,
	"QueueDoesNotExist",
	"AWS.SimpleQueueService.NonExistentQueue",
	"NoSuchEntity",
	"NoSuchEntityException",
	"ParameterNotFound",
	"InvalidPlacementGroup.Unknown",
	"InvalidPlacementGroupId.Malformed",
	"InvalidAMIID.NotFound",
	"InvalidSubnetID.NotFound",
	"InvalidGroup.NotFound",
	"ResourceNotFoundException",
}

var throttled = []string{
	"RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException", "RequestThrottled",
}

// transient are the codes of failures that are AWS's own, and of what was made a moment ago and is not known everywhere
// yet.
var transient = []string{
	"InternalError", "InternalFailure", "InternalServerError", "ServiceUnavailable", "Unavailable", "RequestTimeout",
	codeLaunchTemplateNameNotFound, codeLaunchTemplateIDNotFound, "PendingVerification",
}

var unauthorized = []string{
	"UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "AuthFailure", "InvalidClientTokenId",
	"SignatureDoesNotMatch", "ExpiredToken", "UnrecognizedClientException",
}

// Code is AWS's error code, or "" for other errors.
func Code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// IsNotFound reports that what was asked for does not exist.
func IsNotFound(err error) bool { return slices.Contains(notFound, Code(err)) }

// IsAlreadyExists reports that what was to be made is there already.
func IsAlreadyExists(err error) bool {
	return slices.Contains([]string{"EntityAlreadyExists", "EntityAlreadyExistsException",
		"InvalidLaunchTemplateName.AlreadyExistsException"}, Code(err))
}

// IsLaunchTemplateNotFound reports that a launch template has gone since it was made.
func IsLaunchTemplateNotFound(err error) bool {
	return slices.Contains([]string{codeLaunchTemplateNameNotFound, codeLaunchTemplateIDNotFound}, Code(err))
}

// IsTokenReused reports that the client token was used before, with other parameters.
func IsTokenReused(err error) bool {
	return slices.Contains([]string{"IdempotentParameterMismatch", "IdempotentParameterMismatchException"}, Code(err))
}

// IsThrottled reports that AWS refused because of the rate of requests. Nothing was done.
func IsThrottled(err error) bool { return IsThrottling(Code(err)) }

// IsThrottling reports the same of an error code, which a fleet may have for some of its offers.
func IsThrottling(code string) bool { return slices.Contains(throttled, code) }

// IsUnauthorized reports that the credentials do not allow the call. Nothing was done.
func IsUnauthorized(err error) bool { return slices.Contains(unauthorized, Code(err)) }

// IsNoProfile reports that EC2 does not know the instance profile: there is none, or IAM has just made it. The code
// covers so much that the text has to tell.
func IsNoProfile(err error) bool {
	return Code(err) == codeInvalidValue && Reason(codeInvalidValue, Text(err)) == ReasonInstanceProfileName
}

// IsDryRunPassed reports that the call would have come through.
func IsDryRunPassed(err error) bool { return Code(err) == "DryRunOperation" }

// IsDefinite reports that AWS has refused for certain, so nothing was done. Time-outs, broken
// connections and server errors are not: the work may have been done and the answer lost.
func IsDefinite(err error) bool {
	if IsThrottled(err) {
		return true
	}
	var network net.Error
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) {
		return false
	}
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		return response.HTTPStatusCode() < http.StatusInternalServerError && Code(err) != ""
	}
	return false
}

// IsNoCapacity reports that a fleet's error code means: none of this just now.
func IsNoCapacity(code string) bool { return slices.Contains(noCapacity, code) }

// IsOfRequest reports that AWS refuses what a call asks for: it would refuse the same call again, and may let another
// through.
func IsOfRequest(err error) bool {
	code := Code(err)
	return IsDefinite(err) && !IsTransient(code) && !IsUnauthorized(err) && !IsTokenReused(err) &&
		!IsNoCapacity(code) &&
		!IsNoProfile(err)
}

// IsTransient reports that a fleet's error code says nothing of the offer: that it came too soon, or that AWS itself
// failed. Every other code is a refusal that the next try would meet again.
func IsTransient(code string) bool {
	return code == "" || IsThrottling(code) || slices.Contains(transient, code)
}

// IsServiceLinkedRole reports that the account may not use spot instances at all.
func IsServiceLinkedRole(code string) bool { return code == codeServiceLinkedRole }

// reservationFull are the codes with which EC2 says that a capacity reservation takes no more instances. Any other code
// is about the reservation itself.
var reservationFull = []string{"ReservationCapacityExceeded", "InsufficientReservedInstanceCapacity"}

// IsReservationFull reports that a capacity reservation has no room left.
func IsReservationFull(code string) bool { return slices.Contains(reservationFull, code) }

// IsQuota reports that the account may not run more vCPUs of these families.
func IsQuota(code string) bool { return slices.Contains(quota, code) }

// IsSpreadFull reports that a spread placement group holds no more instances in the zone. There is no code for it.
func IsSpreadFull(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(text, "spread") && strings.Contains(text, "placement group")
}

// IsFreeAddresses reports that the subnet, not the instance type, has run out.
func IsFreeAddresses(code string) bool { return code == codeFreeAddresses }

// reasons for codes, in the order of the table in EC2's documentation of errors.
var reasons = map[string]string{
	codeServiceLinkedRole:          ReasonSpotSLR,
	"UnauthorizedOperation":        ReasonUnauthorized,
	"AccessDenied":                 ReasonUnauthorized,
	"AccessDeniedException":        ReasonUnauthorized,
	"AuthFailure":                  ReasonUnauthorized,
	"InvalidAMIID.Malformed":       ReasonInvalidAMI,
	"InvalidAMIID.Unavailable":     ReasonInvalidAMI,
	"InvalidAMIID.NotFound":        ReasonAMINotFound,
	codeLaunchTemplateNameNotFound: ReasonLaunchTemplateNotFound,
	codeLaunchTemplateIDNotFound:   ReasonLaunchTemplateNotFound,
	"RequestLimitExceeded":         ReasonRateLimited,
	"Throttling":                   ReasonRateLimited,
	"InternalError":                ReasonInternalError,
	"InternalFailure":              ReasonInternalError,
	"ServiceUnavailable":           ReasonInternalError,
	"Unavailable":                  ReasonInternalError,
	"MaxFleetCountExceeded":        ReasonFleetQuota,
	"PendingVerification":          ReasonAccountPending,
	"MaxSpotInstanceCountExceeded": ReasonSpotQuota,
	"VcpuLimitExceeded":            ReasonVCPULimit,
	codeFreeAddresses:              ReasonFreeAddresses,
	"InvalidUserData.Malformed":    ReasonUserDataSize,
}

// Reason is the reason for the Launched condition that a code and its text stand for.
// InvalidParameter and InvalidParameterValue cover so much that the text has to tell.
func Reason(code, text string) string {
	text = strings.ToLower(text)
	switch {
	case strings.Contains(text, "free tier"):
		return ReasonFreeTier
	case code == "AuthFailure" && strings.Contains(text, "image"):
		return ReasonAMIUnauthorized
	case code == "InvalidParameter" && strings.Contains(text, "belong to different networks"):
		return ReasonVPCMismatch
	case strings.Contains(text, "iaminstanceprofile.name") || strings.Contains(text, "invalid iam instance profile"):
		return ReasonInstanceProfileName
	}
	if reason, ok := reasons[code]; ok {
		return reason
	}
	return ReasonLaunchFailed
}

// deniedAction is how AWS names the permission that is missing. It need not be that of the call: RunInstances takes
// iam:PassRole.
var deniedAction = regexp.MustCompile(`not authorized to perform: ([a-z0-9-]+:[A-Za-z]+)`)

// Action is the permission that the failed call needs, such as "ec2:DescribeSubnets", or "" for other errors. What AWS
// names itself comes first.
func Action(err error) string {
	var call *smithy.OperationError
	if !errors.As(err, &call) {
		return ""
	}
	var api smithy.APIError
	if errors.As(err, &api) && IsUnauthorized(err) {
		if m := deniedAction.FindStringSubmatch(api.ErrorMessage()); m != nil {
			return m[1]
		}
	}
	service, ok := services[call.Service()]
	if !ok {
		service = strings.ToLower(strings.ReplaceAll(call.Service(), " ", "-"))
	}
	return service + ":" + call.Operation()
}

// services are the names of services in permissions, where they are not the SDK's in lower case.
var services = map[string]string{"ARC Zonal Shift": "arc-zonal-shift"}

// encodedDenial is EC2's account of a denial for machines. It differs each time.
var encodedDenial = regexp.MustCompile(`\s*Encoded authorization failure message: \S+`)

// Text is what AWS says about an error, without what differs each time: the SDK's account of the request with its ID,
// and EC2's encoded account of a denial. Of errors that are not AWS's the action and the cause are told.
func Text(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		if message := strings.TrimSpace(encodedDenial.ReplaceAllString(api.ErrorMessage(), "")); message != "" {
			return api.ErrorCode() + ": " + message
		}
		return api.ErrorCode()
	}
	action := Action(err)
	if action == "" {
		return err.Error()
	}
	return action + ": " + cause(err)
}

// cause is why a call failed that AWS did not answer, without what differs each time.
func cause(err error) string {
	var network net.Error
	var undecodable *smithy.DeserializationError
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "no answer in time"
	case errors.As(err, &undecodable):
		return "the answer cannot be read"
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was lost"
	}
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		return fmt.Sprintf("status %d", response.HTTPStatusCode())
	}
	return "the call failed"
}
