package fault

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Kind is how a call goes wrong.
type Kind string

const (
	// Throttle refuses the call in the way the service refuses callers that
	// call too often.
	Throttle Kind = "throttle"
	// ServerError refuses it with the service's own internal error, or with the
	// rule's Code.
	ServerError Kind = "server-error"
	// Timeout does nothing and answers nothing until the client gives up.
	Timeout Kind = "time-out"
	// Reset does nothing and resets the connection.
	Reset Kind = "reset"
	// Malformed carries the call out and cuts the answer off in its middle.
	Malformed Kind = "malformed"
	// AccessDenied refuses it as IAM would.
	AccessDenied Kind = "access-denied"
	// NoCapacity finds every pool of a launch empty.
	NoCapacity Kind = "no-capacity"
	// Partial does half: a fleet launches half its instances and reports an
	// error beside, a page holds half its items and says that there are more, a
	// change of many reaches the first half and fails.
	Partial Kind = "partial"
	// Lost carries the call out, and resets the connection instead of
	// answering; with Hold it is silent for that long first.
	Lost Kind = "lost"
)

// Troubles of machines, which strike the "call" machine:boot. Its parameters
// are InstanceId, InstanceType, Zone, CapacityType, Node, and Reboot: true on a
// machine that has booted before.
const (
	// BootFailure: the machine runs and never joins the cluster.
	BootFailure Kind = "boot-failure"
	// SlowBoot: it joins, but Hold later.
	SlowBoot Kind = "slow-boot"
	// LostHeartbeat: it joins, and falls silent after Hold.
	LostHeartbeat Kind = "lost-heartbeat"
	// OtherRoom: it joins, and its node's allocatable, and with Capacity its
	// capacity too, is what Room says.
	OtherRoom Kind = "other-room"
)

// Kinds lists all kinds.
func Kinds() []Kind {
	return append(
		[]Kind{Throttle, ServerError, Timeout, Reset, Malformed, AccessDenied, NoCapacity, Partial, Lost},
		ofMachines...)
}

var ofMachines = []Kind{BootFailure, SlowBoot, LostHeartbeat, OtherRoom}

// Machine is the service, and Boot the action, that machines' troubles strike.
const (
	Machine = "machine"
	Boot    = "boot"
)

// Rule makes calls go wrong. The first rule that fires decides about a call.
type Rule struct {
	// ID is given by the Set.
	ID   string `json:"id"`
	Kind Kind   `json:"kind"`

	// Service is "ec2", "iam", "sts", "ssm", "sqs", "pricing", "eks", and
	// Action AWS's name of the call. Both may hold wildcards (* and ?); empty
	// is any.
	Service string `json:"service,omitempty"`
	Action  string `json:"action,omitempty"`
	// Params keeps only calls that have, for each entry, a parameter whose name
	// and value match; both may hold wildcards. Names are those on the wire,
	// lists numbered from 1: "InstanceId.*" or "Entries.1.Id".
	Params map[string]string `json:"params,omitempty"`

	// Skip lets so many matching calls pass first.
	Skip int `json:"skip,omitempty"`
	// Count is how many calls go wrong before the rule has done its work; 0 is
	// all, until the rule is cleared.
	Count int `json:"count,omitempty"`
	// Rate is the chance that a matching call goes wrong, above 0 and at most
	// 1; 0 means 1.
	Rate float64 `json:"rate,omitempty"`

	// Code and Message replace what the service would say. Only for kinds that
	// refuse.
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	// Hold bounds, in real time, how long Timeout and Lost are silent before
	// the connection is reset; 0 is until the client gives up for Timeout, and
	// not at all for Lost. For SlowBoot and LostHeartbeat it is a stretch of
	// the account's time.
	Hold Duration `json:"hold,omitempty"`
	// Room is what OtherRoom makes of a node's allocatable, and with Capacity of
	// its capacity too.
	Room     Room `json:"room,omitempty"`
	Capacity bool `json:"capacity,omitempty"`

	// Seen is how many calls matched so far, Hits how many went wrong. Both are
	// the Set's to write.
	Seen int `json:"seen"`
	Hits int `json:"hits"`
}

// Duration is a time.Duration that JSON writes as "1.5s".
type Duration time.Duration

// MarshalText writes it as Go does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what Go writes.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// done says that the rule has no calls left to spoil.
func (r *Rule) done() bool { return r.Count > 0 && r.Hits >= r.Count }

// launches are the calls that draw on capacity.
var launches = []string{"ec2:CreateFleet", "ec2:RunInstances"}

// divisible are the calls that can be done by half: launches, changes of many
// resources at once, and lists.
var divisible = append([]string{
	"ec2:TerminateInstances",
	"ec2:CreateTags",
	"ec2:DeleteTags",
	"ec2:DescribeInstances",
	"ec2:DescribeInstanceStatus",
	"ec2:DescribeInstanceTypes",
	"ec2:DescribeInstanceTypeOfferings",
	"ec2:DescribeSpotPriceHistory",
	"ec2:DescribeSubnets",
	"ec2:DescribeSecurityGroups",
	"ec2:DescribeImages",
	"ec2:DescribeLaunchTemplates",
	"ec2:DescribeLaunchTemplateVersions",
	"ec2:DescribeCapacityReservations",
	"ec2:DescribeTags",
	"iam:ListInstanceProfiles",
	"pricing:GetProducts",
	"sqs:DeleteMessageBatch",
}, launches...)

// Applies says whether a kind of trouble can befall an action. Most can befall
// any.
func Applies(kind Kind, service, action string) bool {
	if slices.Contains(ofMachines, kind) != (service == Machine) {
		return false
	}
	switch kind {
	case NoCapacity:
		return slices.Contains(launches, service+":"+action)
	case Partial:
		return slices.Contains(divisible, service+":"+action)
	default:
		return true
	}
}

// home is the service that a rule without one is checked for.
func (r *Rule) home() string {
	if slices.Contains(ofMachines, r.Kind) {
		return Machine
	}
	return "ec2"
}

// Validate names everything that is wrong with the rule.
func (r *Rule) Validate() error {
	var errs []error
	if !slices.Contains(Kinds(), r.Kind) {
		errs = append(errs, fmt.Errorf("kind is %q, want one of %v", r.Kind, Kinds()))
	}
	if r.Skip < 0 || r.Count < 0 {
		errs = append(errs, fmt.Errorf("skip is %d and count %d, want neither below 0", r.Skip, r.Count))
	}
	if r.Rate < 0 || r.Rate > 1 {
		errs = append(errs, fmt.Errorf("rate is %v, want more than 0 and at most 1", r.Rate))
	}
	if silent := []Kind{
		Timeout,
		Lost,
		SlowBoot,
		LostHeartbeat,
	}; r.Hold < 0 ||
		r.Hold > 0 && !slices.Contains(silent, r.Kind) {
		errs = append(
			errs,
			fmt.Errorf("hold is %s, want it positive, and only with one of %v", time.Duration(r.Hold), silent),
		)
	}
	if has := len(r.Room) > 0; has != (r.Kind == OtherRoom) || r.Capacity && !has {
		errs = append(errs, fmt.Errorf("%s needs room, and room and capacity are for nothing else", OtherRoom))
	}
	errs = append(errs, r.Room.validate())
	if r.Code+r.Message != "" && !slices.Contains([]Kind{Throttle, ServerError, AccessDenied}, r.Kind) {
		errs = append(errs, fmt.Errorf("code and message are for %s, %s and %s", Throttle, ServerError, AccessDenied))
	}
	if r.Action != "" && !strings.ContainsAny(r.Action+r.Service, "*?") &&
		!Applies(r.Kind, cmp.Or(r.Service, r.home()), r.Action) {
		errs = append(errs, fmt.Errorf("%s can not befall %s", r.Kind, r.Action))
	}
	return errors.Join(errs...)
}
