package awssim

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/world"
)

// notice is an EventBridge event, as a rule puts it into a queue. Resources is
// a list, or one string in some of AWS's shapes.
type notice struct {
	Version    string `json:"version,omitempty"`
	ID         string `json:"id"`
	DetailType string `json:"detail-type,omitempty"`
	// BlockType is how events of capacity blocks spell the kind.
	BlockType string         `json:"detail_type,omitempty"`
	Source    string         `json:"source"`
	Account   string         `json:"account"`
	Time      string         `json:"time"`
	Region    string         `json:"region"`
	Resources any            `json:"resources"`
	Detail    map[string]any `json:"detail"`
}

// notice makes the event of an effect, in the shape that AWS sends now or in
// the one that older pages of its documentation show; false when an effect is
// no event.
func (s *Server) notice(e world.Effect, old bool) (notice, bool) {
	if e.Block != nil {
		return s.blockNotice(e), true
	}
	arn := fmt.Sprintf("arn:aws:ec2:%s:%s:instance/%s", s.options.Region, s.options.AccountID, e.Instance.ID)
	n := notice{
		Version: "0", ID: s.newID(), Source: "aws.ec2", Account: s.options.AccountID,
		Time: e.At.UTC().Format(time.RFC3339), Region: s.options.Region, Resources: []string{arn},
		Detail: map[string]any{"instance-id": e.Instance.ID},
	}
	switch e.Kind {
	case world.EffectState:
		n.DetailType, n.Detail["state"] = "EC2 Instance State-change Notification", e.State.String()
		if old {
			n.Version = ""
		}
	case world.EffectInterruption:
		n.DetailType, n.Detail["instance-action"] = "EC2 Spot Instance Interruption Warning", "terminate"
		if old { // a zone for the region, and no account
			n.Resources = []string{
				fmt.Sprintf("arn:aws:ec2:%s:instance/%s", e.Instance.Subnet.Zone.Name, e.Instance.ID),
			}
		}
	case world.EffectRebalance:
		n.DetailType = "EC2 Instance Rebalance Recommendation"
	case world.EffectReclaim:
		n.DetailType = "EC2 Capacity Reservation Instance Interruption Warning"
		n.Detail["instance-action"] = "terminate"
		n.Detail["instance-termination-time"] = e.At.Add(world.InterruptionNotice).UTC().Format(time.RFC3339)
		n.Detail["azId"] = e.Instance.Subnet.Zone.ID
		if old {
			n.DetailType, n.Resources = "EC2 Interruptible Capacity Reservation Instance Interruption Warning", arn
		}
	case world.EffectScheduled:
		n.DetailType, n.Source = "AWS Health Event", "aws.health"
		n.Resources = []string{e.Instance.ID}
		n.Detail = s.health(e, old)
	default:
		return notice{}, false
	}
	return n, true
}

// blockNotice makes the event of a capacity block.
func (s *Server) blockNotice(e world.Effect) notice {
	kind := "Capacity Block Reservation Delivered"
	if e.Kind == world.EffectBlockExpiring {
		kind = "Capacity Block Reservation Expiration Warning"
	}
	return notice{
		Version:   "0",
		ID:        s.newID(),
		BlockType: kind,
		Source:    "aws.ec2",
		Account:   s.options.AccountID,
		Time:      e.At.UTC().Format(time.RFC3339),
		Region:    s.options.Region,
		Resources: []string{
			fmt.Sprintf(
				"arn:aws:ec2:%s:%s:capacity-reservation/%s",
				s.options.Region,
				s.options.AccountID,
				e.Block.ID,
			),
		},
		Detail: map[string]any{
			"capacity-reservation-id": e.Block.ID,
			"end-date":                e.Block.End.UTC().Format(time.RFC3339),
		},
	}
}

// healthCodes are AWS Health's names of scheduled events.
var healthCodes = map[string]string{
	"instance-reboot":     "AWS_EC2_INSTANCE_REBOOT_MAINTENANCE_SCHEDULED",
	"system-reboot":       "AWS_EC2_SYSTEM_REBOOT_MAINTENANCE_SCHEDULED",
	"system-maintenance":  "AWS_EC2_SYSTEM_MAINTENANCE_EVENT",
	"instance-retirement": "AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED",
	"instance-stop":       "AWS_EC2_INSTANCE_STOP_SCHEDULED",
}

// healthTime is how AWS Health writes times.
const healthTime = "Mon, 2 Jan 2006 15:04:05 GMT"

// health is the detail of an AWS Health event about scheduled work. The old
// shape knows neither pages nor the state of what is affected.
func (s *Server) health(e world.Effect, old bool) map[string]any {
	code, id := healthCodes[e.Event.Code], strings.TrimPrefix(e.Event.ID, "instance-event-")
	detail := map[string]any{
		"eventArn": fmt.Sprintf("arn:aws:health:%s::event/EC2/%s/%s_%s", s.options.Region, code, code, id),
		"service":  "EC2", "eventTypeCode": code, "eventTypeCategory": "scheduledChange",
		"startTime": e.Event.NotBefore.UTC().Format(healthTime), "endTime": e.Event.NotAfter.UTC().Format(healthTime),
		"eventDescription": []map[string]string{{"language": "en_US", "latestDescription": e.Event.Description}},
		"affectedEntities": []map[string]any{{"entityValue": e.Instance.ID, "tags": map[string]string{}}},
	}
	if old {
		return detail
	}
	for key, value := range map[string]any{
		"eventScopeCode": "ACCOUNT_SPECIFIC", "communicationId": id, "statusCode": "upcoming", "eventRegion": s.options.Region,
		"lastUpdatedTime": e.At.UTC().Format(healthTime), "page": "1", "totalPages": "1", "affectedAccount": s.options.AccountID,
		"affectedEntities": []map[string]any{{
			"entityValue": e.Instance.ID, "status": "PENDING", "lastUpdatedTime": e.At.UTC().Format(healthTime), "tags": map[string]string{},
		}},
	} {
		detail[key] = value
	}
	return detail
}

// publish sends the event of an effect, when it is one, as the delivery
// settings say: late and so out of order, twice, in an old shape.
func (s *Server) publish(e world.Effect) {
	delivery := s.delivery.Load()
	n, isEvent := s.notice(e, delivery.old)
	if !isEvent {
		return
	}
	body, err := json.Marshal(n)
	if err != nil {
		panic(fmt.Sprintf("awssim: encoding an event made of strings: %v", err))
	}
	copies := 1
	if s.world.Chance("again "+n.ID, 0) < delivery.duplicates {
		copies = 2
	}
	for i := range copies {
		late := s.world.Chance("late "+n.ID, int64(i)) * float64(delivery.disorder)
		s.send(string(body), time.Duration(late))
	}
}

// delivery says how messages reach the queue.
type delivery struct {
	duplicates float64       // chance that a message comes twice
	disorder   time.Duration // how late a message may be
	old        bool          // shapes of older documentation
}
