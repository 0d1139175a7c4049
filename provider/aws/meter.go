package aws

import (
	"errors"
	"time"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/provider/aws/apicall"
	"github.com/dovetail-sh/dovetail/provider/aws/fleet"
	"github.com/dovetail-sh/dovetail/provider/aws/userdata"
)

// Names of what is gathered into one call, as Karpenter names its batchers.
const (
	batchDescribe  = "describe_instances"
	batchTerminate = "terminate_instances"
)

// Meter is told what the cloud does, for metrics. Its methods are called by many goroutines at once and must not wait.
type Meter interface {
	// Called is told of each finished call to AWS.
	Called(call apicall.Call)

	// Batched is told of each call that serves several requests: how many, and how long the oldest waited for it.
	Batched(batcher string, requests int, waited time.Duration)

	// UserData is told how many bytes of user data a class's nodes get, before they are encoded. NoUserData ends that.
	UserData(class string, bytes int)
	NoUserData(class string)

	// NotLaunched is told of each offer that a fleet could not use, with EC2's code. Zone and its ID are empty where
	// EC2 does not tell.
	NotLaunched(zone, zoneID, capacityType, code string)

	// NotTerminated is told of each instance that EC2 did not end when asked to.
	NotTerminated(zone, zoneID string)
}

// unmetered is a Meter that nobody reads.
type unmetered struct{}

func (unmetered) Called(apicall.Call)                        {}
func (unmetered) Batched(string, int, time.Duration)         {}
func (unmetered) UserData(string, int)                       {}
func (unmetered) NoUserData(string)                          {}
func (unmetered) NotLaunched(string, string, string, string) {}
func (unmetered) NotTerminated(string, string)               {}

// meterUserData tells how long a class's user data is, also if that is too long. What does not read has no length; when
// AWS does not answer, the last length stays.
func (c *validator) meterUserData(class, text string, err error) {
	var long userdata.TooLong
	var malformed *userdata.Malformed
	switch {
	case err == nil:
		c.meter.UserData(class, len(text))
	case errors.As(err, &long):
		c.meter.UserData(class, long.Bytes)
	case errors.As(err, &malformed):
		c.meter.NoUserData(class)
	}
}

// meterFailures tells what a fleet could not use.
func (c *launcher) meterFailures(class *awsv1.EC2NodeClass, capacityType string, failures []fleet.Failure) {
	zones := zoneIDs(class)
	for _, f := range failures {
		c.meter.NotLaunched(f.Zone, zones[f.Zone], capacityType, f.Code)
	}
}
