// Package apicall measures the calls that AWS's SDK makes: how often each had to be tried, how long that took and what
// came of it.
//
// It only watches. It changes no request and no answer, and it remembers nothing between calls.
package apicall

import (
	"context"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"k8s.io/utils/clock"
)

// Call is one finished call of an operation.
type Call struct {
	Service   string // as the SDK names it, such as "EC2"
	Operation string // such as "DescribeSubnets"

	// Took is from the caller's request to the answer, with the waiting between attempts.
	Took time.Duration

	// Attempts are in the order in which they were made. There are none if the call failed before AWS was asked, as
	// without credentials.
	Attempts []Attempt
}

// Attempt is one request over the wire.
type Attempt struct {
	// Code is the HTTP status of the answer; 0 if there was none.
	Code int
	Took time.Duration
}

// Code is the HTTP status of the last answer; 0 if there was none.
func (c Call) Code() int {
	if len(c.Attempts) == 0 {
		return 0
	}
	return c.Attempts[len(c.Attempts)-1].Code
}

// Retries are how often the call was made again.
func (c Call) Retries() int { return max(len(c.Attempts)-1, 0) }

// Measure has done told of each call of all clients that are made from the configuration from now on. Done is called
// on the caller's goroutine, before the caller has its answer.
func Measure(config *awssdk.Config, c clock.PassiveClock, done func(Call)) {
	config.APIOptions = append(
		config.APIOptions[:len(config.APIOptions):len(config.APIOptions)],
		func(stack *middleware.Stack) error {
			// After what says which service and operation it is, before everything that takes time.
			if err := stack.Initialize.Add(whole(c, done), middleware.After); err != nil {
				return err
			}
			// Before what reads the answer, so that reading it counts.
			return stack.Deserialize.Add(attempt(c), middleware.Before)
		},
	)
}

// key is where the call that is being made is kept in the context.
type key struct{}

func whole(c clock.PassiveClock, done func(Call)) middleware.InitializeMiddleware {
	return middleware.InitializeMiddlewareFunc(
		"dovetail.MeasureCall",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
			middleware.InitializeOutput, middleware.Metadata, error,
		) {
			call := &Call{Service: awsmiddleware.GetServiceID(ctx), Operation: awsmiddleware.GetOperationName(ctx)}
			start := c.Now()
			out, metadata, err := next.HandleInitialize(context.WithValue(ctx, key{}, call), in)
			call.Took = c.Since(start)
			done(*call)
			return out, metadata, err
		},
	)
}

func attempt(c clock.PassiveClock) middleware.DeserializeMiddleware {
	return middleware.DeserializeMiddlewareFunc(
		"dovetail.MeasureAttempt",
		func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
			middleware.DeserializeOutput, middleware.Metadata, error,
		) {
			start := c.Now()
			out, metadata, err := next.HandleDeserialize(ctx, in)
			if call, ok := ctx.Value(key{}).(*Call); ok {
				a := Attempt{Took: c.Since(start)}
				if response, ok := out.RawResponse.(*smithyhttp.Response); ok && response != nil &&
					response.Response != nil {
					a.Code = response.StatusCode
				}
				call.Attempts = append(call.Attempts, a)
			}
			return out, metadata, err
		},
	)
}
