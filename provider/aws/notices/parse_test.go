package notices

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/provider"
)

// body writes an event as EventBridge does; more is put after its common fields.
func body(source, detailType, detail, more string) string {
	return fmt.Sprintf(`{"version":"0","id":"e-1","detail-type":%q,"source":%q,"account":"111122223333",
		"time":"2026-11-21T12:00:00Z","region":"us-east-1","detail":%s%s}`, detailType, source, detail, more)
}

const (
	arns = `,"resources":["arn:aws:ec2:us-east-1:111122223333:instance/i-0abc"]`
	arn  = `,"resources":"arn:aws:ec2:us-east-1:111122223333:instance/i-0abc"`

	stateChanged = "EC2 Instance State-change Notification"
)

// plan is a health event about two instances.
func plan(status, first, second string) string {
	return body(
		"aws.health",
		"AWS Health Event",
		fmt.Sprintf(`{"eventArn":"arn:aws:health:us-east-1::event/EC2/x","service":"EC2",
		"eventTypeCode":"AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED","eventTypeCategory":"scheduledChange","communicationId":"c-7","page":"2","totalPages":"3",
		"startTime":"Fri, 04 Dec 2026 09:30:00 GMT","statusCode":%q,
		"affectedEntities":[{"entityValue":"i-0abc","status":%q},{"entityValue":"i-0def","status":%q}]}`, status, first, second),
		arns,
	)
}

func TestParse(t *testing.T) {
	t.Parallel()
	sent := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	start := time.Date(2026, 12, 4, 9, 30, 0, 0, time.UTC)
	of := func(kind provider.NoticeKind) provider.Notice {
		return provider.Notice{ID: "e-1", Kind: kind, Machines: []string{"i-0abc"}, Sent: sent}
	}
	taken := func(kind provider.NoticeKind, in time.Duration) provider.Notice {
		n := of(kind)
		n.Ends = sent.Add(in)
		return n
	}
	nothing := provider.Notice{ID: "e-1", Kind: provider.NoOp, Sent: sent}
	planned := func(over bool, machines ...string) provider.Notice {
		return provider.Notice{
			ID:       "c-7/2",
			Kind:     provider.ScheduledChange,
			Machines: machines,
			Sent:     sent,
			Start:    start,
			Over:     over,
		}
	}
	state := func(s string) string {
		return body("aws.ec2", stateChanged, `{"instance-id":"i-0abc","state":"`+s+`"}`, arns)
	}
	cases := map[string]struct {
		why  string
		body string
		want provider.Notice
	}{
		"Spot": {
			"The two minutes' notice.",
			body(
				"aws.ec2",
				"EC2 Spot Instance Interruption Warning",
				`{"instance-id":"i-0abc","instance-action":"terminate"}`,
				arns,
			),
			taken(provider.SpotInterrupted, 2*time.Minute),
		},
		"SpotHibernates": {
			"Stopping and hibernating take the machine away just as well.",
			body(
				"aws.ec2",
				"EC2 Spot Instance Interruption Warning",
				`{"instance-id":"i-0abc","instance-action":"hibernate"}`,
				arns,
			),
			taken(provider.SpotInterrupted, 2*time.Minute),
		},
		"Rebalance": {
			"A warning that nothing may follow.",
			body("aws.ec2", "EC2 Instance Rebalance Recommendation", `{"instance-id":"i-0abc"}`, arns),
			of(provider.RebalanceRecommendation),
		},
		"Pending":      {"Machines that begin ask for nothing.", state("pending"), nothing},
		"Running":      {"Machines that run ask for nothing.", state("running"), nothing},
		"Stopping":     {"It will not come back.", state("stopping"), of(provider.InstanceStopped)},
		"Stopped":      {"It will not come back.", state("stopped"), of(provider.InstanceStopped)},
		"ShuttingDown": {"It will not come back.", state("shutting-down"), of(provider.InstanceTerminated)},
		"Terminated":   {"It is gone.", state("terminated"), of(provider.InstanceTerminated)},
		"Planned": {
			"Maintenance has a start and all instances of its page.",
			plan("upcoming", "PENDING", "UNKNOWN"),
			planned(false, "i-0abc", "i-0def"),
		},
		"PartlyDone": {
			"Instances that are done with are left out.",
			plan("open", "RESOLVED", "PENDING"),
			planned(false, "i-0def"),
		},
		"PlanResolved": {
			"All done: it is over.",
			plan("open", "RESOLVED", "RESOLVED"),
			planned(true, "i-0abc", "i-0def"),
		},
		"PlanClosed": {
			"A closed event is over whatever the instances' states.",
			plan("closed", "PENDING", "RESOLVED"),
			planned(true, "i-0abc", "i-0def"),
		},
		"OtherService": {
			"Health events of others do not concern us.",
			body("aws.health", "AWS Health Event", `{"service":"RDS","eventTypeCategory":"scheduledChange"}`, arns),
			nothing,
		},
		"OtherCategory": {
			"An issue is no plan.",
			body("aws.health", "AWS Health Event", `{"service":"EC2","eventTypeCategory":"issue"}`, arns),
			nothing,
		},
		"ReservationARN": {
			"AWS documents resources as one string here.",
			body(
				"aws.ec2",
				"EC2 Capacity Reservation Instance Interruption Warning",
				`{"instance-action":"terminate"}`,
				arn,
			),
			taken(provider.CapacityReservationInterrupted, 2*time.Minute),
		},
		"ReservationEnds": {
			"The message says when.",
			body(
				"aws.ec2",
				"EC2 Capacity Reservation Instance Interruption Warning",
				`{"instance-id":"i-0abc","instance-termination-time":"2026-11-21T12:01:30Z"}`,
				arns,
			),
			taken(provider.CapacityReservationInterrupted, 90*time.Second),
		},
		"ReservationOlder": {
			"Older pages spell the type so.",
			body(
				"aws.ec2",
				"EC2 Interruptible Capacity Reservation Instance Interruption Warning",
				`{"instance-id":"i-0abc","azId":"use1-az1"}`,
				arn,
			),
			taken(provider.CapacityReservationInterrupted, 2*time.Minute),
		},
		"CapacityBlock": {
			"detail_type with an underscore; the block's end is not an instance's.",
			`{"version":"0","id":"e-1","detail_type":"Capacity Block Reservation Expiration Warning","source":"aws.ec2","time":"2026-11-21T12:00:00Z","detail":{}}`,
			nothing,
		},
		"Underscore": {
			"Any type may come with an underscore.",
			`{"id":"e-1","detail_type":"EC2 Spot Instance Interruption Warning","source":"aws.ec2","time":"2026-11-21T12:00:00Z","detail":{"instance-id":"i-0abc"}}`,
			taken(provider.SpotInterrupted, 2*time.Minute),
		},
		"NoVersion": {
			"AWS's sample of a state change has no version.",
			`{"id":"e-1","detail-type":"` + stateChanged + `","source":"aws.ec2","time":"2026-11-21T12:00:00Z","detail":{"instance-id":"i-0abc","state":"stopped"}}`,
			of(provider.InstanceStopped),
		},
		"OtherType": {
			"What we do not know asks for nothing.",
			body("aws.ec2", "EC2 Fleet Instance Change", `{"instance-id":"i-0abc"}`, arns),
			nothing,
		},
		"OtherSource": {
			"The source counts too.",
			body("my.app", "EC2 Spot Instance Interruption Warning", `{"instance-id":"i-0abc"}`, arns),
			nothing,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, Parse(tc.body)); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.why, diff)
			}
		})
	}
}

func TestRubbishAsksForNothingAndSaysWhy(t *testing.T) {
	t.Parallel()
	spot := "EC2 Spot Instance Interruption Warning"
	cases := map[string]string{
		"Empty":          "",
		"Text":           "hello",
		"List":           "[]",
		"Object":         "{}",
		"Cut":            body("aws.ec2", spot, `{"instance-id":"i-0abc"}`, arns)[:80],
		"UnknownVersion": `{"version":"1","id":"e","detail-type":"` + spot + `","source":"aws.ec2","detail":{"instance-id":"i-0abc"}}`,
		"DetailIsText":   body("aws.ec2", spot, `"i-0abc"`, arns),
		"IDIsNumber":     body("aws.ec2", spot, `{"instance-id":7}`, arns),
		"NoInstance":     body("aws.ec2", spot, `{}`, ""),
		"BadInstance": body(
			"aws.ec2",
			spot,
			`{"instance-id":"../../x"}`,
			`,"resources":[7,null,"arn:aws:s3:::b"]`,
		),
	}
	for name, text := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if n := Parse(text); n.Kind != provider.NoOp || n.Problem == "" || len(n.Machines) != 0 {
				t.Errorf("%s\ngave %+v, want a no-op that says why", text, n)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(body("aws.ec2", stateChanged, `{"instance-id":"i-0abc","state":"stopped"}`, arn))
	f.Add(plan("upcoming", "PENDING", "RESOLVED"))
	f.Add(`{"version":0,"detail_type":"AWS Health Event","source":"aws.health","resources":[1],"detail":{"page":{}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		n := Parse(text)
		if n.Kind == "" || (n.Kind != provider.NoOp) != (len(n.Machines) > 0) {
			t.Errorf("%q gave %+v: only a no-op has no machines", text, n)
		}
		for _, m := range n.Machines {
			if !instancePattern.MatchString(m) {
				t.Errorf("%q names machine %q", text, m)
			}
		}
	})
}
