package notices

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/dovetail-sh/dovetail/provider"
)

// envelope is what all events of EventBridge have in common.
type envelope struct {
	Version       any    `json:"version"` // "0"; some samples of AWS leave it out
	ID            string `json:"id"`
	DetailType    string `json:"detail-type"`
	DetailTypeOld string `json:"detail_type"` // as events of capacity blocks spell it
	Source        string `json:"source"`
	Time          string `json:"time"`
	Resources     any    `json:"resources"` // a list, or one string

	Detail json.RawMessage `json:"detail"`
}

// detail holds what differs, of all events that concern us.
type detail struct {
	InstanceID string `json:"instance-id"`
	State      string `json:"state"`
	// EndsAt is when an instance of an interruptible capacity reservation is terminated.
	EndsAt string `json:"instance-termination-time"`

	// The rest is of AWS Health.
	Service         string `json:"service"`
	Category        string `json:"eventTypeCategory"`
	CommunicationID string `json:"communicationId"`
	Page            any    `json:"page"` // "1" or 1
	StartTime       string `json:"startTime"`
	StatusCode      string `json:"statusCode"`
	Entities        []struct {
		Value  string `json:"entityValue"`
		Status string `json:"status"`
	} `json:"affectedEntities"`
}

// event is one message, decoded.
type event struct {
	envelope
	detail detail
}

// readers turn events into notices, by source and detail type. Others ask for nothing.
var readers = map[[2]string]func(event) provider.Notice{
	{"aws.ec2", "EC2 Spot Instance Interruption Warning"}: takenBack(
		provider.SpotInterrupted,
	),
	{"aws.ec2", "EC2 Instance Rebalance Recommendation"}: about(
		provider.RebalanceRecommendation,
	),
	{"aws.ec2", "EC2 Instance State-change Notification"}: stateChange,
	{"aws.ec2", "EC2 Capacity Reservation Instance Interruption Warning"}: takenBack(
		provider.CapacityReservationInterrupted,
	),
	{"aws.ec2", "EC2 Interruptible Capacity Reservation Instance Interruption Warning"}: takenBack(
		provider.CapacityReservationInterrupted,
	),
	{"aws.health", "AWS Health Event"}: health,
}

// states that a machine does not come back from.
var states = map[string]provider.NoticeKind{
	"stopping": provider.InstanceStopped, "stopped": provider.InstanceStopped,
	"shutting-down": provider.InstanceTerminated, "terminated": provider.InstanceTerminated,
}

// instancePattern finds an instance's ID, alone or at the end of its ARN.
var instancePattern = regexp.MustCompile(`^(?:arn:.*:instance/)?(i-[0-9a-f]+)$`)

// Parse reads the body of a message. Whatever it cannot read is a NoOp with a Problem.
func Parse(body string) provider.Notice {
	var e event
	if err := json.Unmarshal([]byte(body), &e.envelope); err != nil {
		return provider.Notice{Kind: provider.NoOp, Problem: fmt.Sprintf("no event of EventBridge: %v", err)}
	}
	if e.DetailType == "" {
		e.DetailType = e.DetailTypeOld
	}
	n := e.read()
	n.Sent, _ = time.Parse(time.RFC3339, e.Time) // zero says that it is not known
	if n.ID == "" {
		n.ID = e.ID
	}
	if n.Kind != provider.NoOp && len(n.Machines) == 0 {
		n.Kind, n.Problem = provider.NoOp, fmt.Sprintf("%q names no instance", e.DetailType)
	}
	return n
}

func (e event) read() provider.Notice {
	read, ok := readers[[2]string{e.Source, e.DetailType}]
	switch {
	case !ok && e.Source == "" && e.DetailType == "":
		return provider.Notice{
			Kind:    provider.NoOp,
			Problem: "no event of EventBridge: it has neither source nor detail-type",
		}
	case !ok:
		return provider.Notice{Kind: provider.NoOp}
	case e.Version != nil && fmt.Sprint(e.Version) != "0":
		return provider.Notice{
			Kind:    provider.NoOp,
			Problem: fmt.Sprintf("%q has version %v, known is 0", e.DetailType, e.Version),
		}
	}
	if len(e.Detail) > 0 {
		if err := json.Unmarshal(e.Detail, &e.detail); err != nil {
			return provider.Notice{
				Kind:    provider.NoOp,
				Problem: fmt.Sprintf("the detail of %q: %v", e.DetailType, err),
			}
		}
	}
	return read(e)
}

// about makes a notice of one kind about the event's instance.
func about(kind provider.NoticeKind) func(event) provider.Notice {
	return func(e event) provider.Notice { return provider.Notice{Kind: kind, Machines: e.instances()} }
}

// warned is how long before an instance is taken back EC2 says so.
const warned = 2 * time.Minute

// takenBack makes a notice of one kind about the event's instance, which ends when the event says, or two minutes after
// it.
func takenBack(kind provider.NoticeKind) func(event) provider.Notice {
	return func(e event) provider.Notice {
		n := about(kind)(e)
		if n.Ends = moment(e.detail.EndsAt); n.Ends.IsZero() {
			if at := moment(e.Time); !at.IsZero() {
				n.Ends = at.Add(warned)
			}
		}
		return n
	}
}

func stateChange(e event) provider.Notice {
	kind, ok := states[strings.ToLower(e.detail.State)]
	if !ok {
		return provider.Notice{Kind: provider.NoOp}
	}
	return about(kind)(e)
}

// instances are those of the detail, or else of the resources.
func (e event) instances() []string {
	if out := instancesIn(e.detail.InstanceID); len(out) > 0 {
		return out
	}
	switch r := e.Resources.(type) {
	case string:
		return instancesIn(r)
	case []any:
		var texts []string
		for _, one := range r {
			text, _ := one.(string) // others than strings name no instance
			texts = append(texts, text)
		}
		return instancesIn(texts...)
	}
	return nil
}

func instancesIn(texts ...string) []string {
	var out []string
	for _, text := range texts {
		if m := instancePattern.FindStringSubmatch(text); m != nil {
			out = append(out, m[1])
		}
	}
	return out
}

// health reads what AWS Health plans for instances. One communication may come in pages, each with other instances.
func health(e event) provider.Notice {
	d := e.detail
	if d.Service != "EC2" || d.Category != "scheduledChange" {
		return provider.Notice{Kind: provider.NoOp}
	}
	var open, over []string
	for _, entity := range d.Entities {
		switch strings.ToUpper(entity.Status) {
		case "RESOLVED", "UNIMPAIRED":
			over = append(over, entity.Value)
		default:
			open = append(open, entity.Value)
		}
	}
	n := provider.Notice{Kind: provider.ScheduledChange, Machines: instancesIn(open...), Start: moment(d.StartTime)}
	if len(d.Entities) == 0 {
		n.Machines = e.instances()
	}
	if strings.EqualFold(d.StatusCode, "closed") || len(n.Machines) == 0 && len(over) > 0 {
		n.Over, n.Machines = true, append(n.Machines, instancesIn(over...)...)
	}
	if d.CommunicationID != "" {
		n.ID = fmt.Sprintf("%s/%v", d.CommunicationID, d.Page)
	}
	return n
}

// moment reads a time as AWS Health writes it, or zero.
func moment(text string) time.Time {
	for _, layout := range []string{time.RFC1123, time.RFC1123Z, "Mon, 2 Jan 2006 15:04:05 MST", time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}
