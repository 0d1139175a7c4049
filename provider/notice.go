package provider

import (
	"context"
	"time"
)

// Interrupter is a Cloud that says beforehand when it takes machines away. It is optional. All methods may be called
// at once from many goroutines.
type Interrupter interface {
	// Notices waits for notices, seconds at most, and returns those that came; none is no error. A notice comes
	// again some time later unless Done is called with it, and may come twice all the same, and in any order.
	Notices(ctx context.Context) ([]Notice, error)

	// Done says that a notice has been acted upon, or is not worth it.
	Done(ctx context.Context, notice Notice) error

	// Scarce says that the cloud is taking back the machine of a claim with these labels, so that its offering, or what
	// its reservation has left, is not bought again at once.
	Scarce(labels map[string]string)
}

// Diagnoser is a Cloud that can be asked which of its machines are broken or about to be worked upon, beside what it
// says unasked. It is optional. All methods may be called at once from many goroutines.
type Diagnoser interface {
	// Diagnose lists what is wrong just now: InstanceImpaired, SystemImpaired and EventPlanned, each time anew.
	Diagnose(ctx context.Context) ([]Notice, error)
}

// Notice is what a cloud says about some of its machines.
type Notice struct {
	// ID is the same in all deliveries of one notice; empty if the cloud gave none.
	ID   string
	Kind NoticeKind

	// Machines are the last parts of provider IDs ("i-0123" of "aws:///us-east-1a/i-0123"). Not all of them need be
	// this cluster's.
	Machines []string

	// Sent is when the notice was sent; zero if that is not known.
	Sent time.Time

	// Start is when a ScheduledChange or what is EventPlanned begins; zero if the cloud did not say.
	Start time.Time

	// Ends is when the machines are taken away; zero if the cloud did not say.
	Ends time.Time

	// Over tells of a ScheduledChange or what was EventPlanned that it was called off, or is done.
	Over bool

	// Problem says why a NoOp could not be understood. It is empty for those that are understood and ask for nothing.
	Problem string

	// Handle is the cloud's own, for Done.
	Handle string
}

// NoticeKind is what a notice is about, as metrics name it.
type NoticeKind string

// Kinds of notices.
const (
	SpotInterrupted                NoticeKind = "spot_interrupted"
	RebalanceRecommendation        NoticeKind = "rebalance_recommendation"
	InstanceStopped                NoticeKind = "instance_stopped"
	InstanceTerminated             NoticeKind = "instance_terminated"
	ScheduledChange                NoticeKind = "scheduled_change"
	CapacityReservationInterrupted NoticeKind = "capacity_reservation_interrupted"
	InstanceImpaired               NoticeKind = "instance_status"
	SystemImpaired                 NoticeKind = "system_status"
	EventPlanned                   NoticeKind = "event_status"
	NoOp                           NoticeKind = "no_op"
)
