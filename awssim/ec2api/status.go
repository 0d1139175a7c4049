package ec2api

import (
	"context"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

type describeStatusIn struct {
	asked
	IDs                     []string `query:"InstanceId"`
	All                     bool     `query:"IncludeAllInstances"`
	IncludeManagedResources bool
}

// Halve spares calls that name instances: they have no pages.
func (in *describeStatusIn) Halve() { in.half = len(in.IDs) == 0 }

type instanceStatus struct {
	ID       string        `xml:"instanceId"`
	Zone     string        `xml:"availabilityZone"`
	ZoneID   string        `xml:"availabilityZoneId"`
	State    stateXML      `xml:"instanceState"`
	System   status        `xml:"systemStatus"`
	Instance status        `xml:"instanceStatus"`
	Events   []statusEvent `xml:"eventsSet>item,omitempty"`
}

type statusEvent struct {
	ID          string `xml:"instanceEventId"`
	Code        string `xml:"code"`
	Description string `xml:"description"`
	NotBefore   string `xml:"notBefore"`
	NotAfter    string `xml:"notAfter"`
}

type status struct {
	Status  string         `xml:"status"`
	Details []statusDetail `xml:"details>item"`
}

type statusDetail struct {
	Name   string `xml:"name"`
	Status string `xml:"status"`
	Since  string `xml:"impairedSince,omitempty"`
}

type describeStatusOut struct {
	Statuses  []instanceStatus `xml:"instanceStatusSet>item"`
	NextToken string           `xml:"nextToken,omitempty"`
}

// describeInstanceStatus reports machines as well unless they were made ill.
func (a *api) describeInstanceStatus(
	_ context.Context,
	_ *wire.Call,
	in *describeStatusIn,
) (*describeStatusOut, error) {
	if err := checkFilters(
		in.Filters,
		false,
		"availability-zone",
		"instance-state-code",
		"instance-state-name",
		"instance-status.status",
		"instance-status.reachability",
		"system-status.status",
		"system-status.reachability",
		"event.code",
		"event.description",
		"event.instance-event-id",
		"event.not-after",
		"event.not-before",
	); err != nil {
		return nil, err
	}
	out := &describeStatusOut{}
	err := a.world.Do(func(s *world.State) error {
		known := func(in *world.Instance) fields {
			return statusFields(instanceFields(s, in), statusXML(s, in))
		}
		found, err := selectInstances(s, in.asked, in.IDs, known)
		if err != nil {
			return err
		}
		var kept []*world.Instance
		for _, one := range found {
			if in.All || s.SeenState(one) == world.Running {
				kept = append(kept, one)
			}
		}
		kept, out.NextToken, err = page(in.asked, bounds{5, 1000}, kept, instanceKey)
		for _, one := range kept {
			out.Statuses = append(out.Statuses, statusXML(s, one))
		}
		return err
	})
	return out, err
}

// statusFields adds to an instance's fields those of its status.
func statusFields(all fields, x instanceStatus) fields {
	for name, check := range map[string]status{"instance-status": x.Instance, "system-status": x.System} {
		all[name+".status"] = one(check.Status)
		if len(check.Details) > 0 {
			all[name+".reachability"] = one(check.Details[0].Status)
		}
	}
	for name, get := range map[string]func(statusEvent) string{
		"event.code":              func(e statusEvent) string { return e.Code },
		"event.description":       func(e statusEvent) string { return e.Description },
		"event.instance-event-id": func(e statusEvent) string { return e.ID },
		"event.not-before":        func(e statusEvent) string { return e.NotBefore },
		"event.not-after":         func(e statusEvent) string { return e.NotAfter },
	} {
		var values []string
		for _, e := range x.Events {
			values = append(values, get(e))
		}
		all[name] = many(values)
	}
	return all
}

func statusXML(s *world.State, in *world.Instance) instanceStatus {
	state := s.SeenState(in)
	out := instanceStatus{ID: in.ID, Zone: in.Subnet.Zone.Name, ZoneID: in.Subnet.Zone.ID, State: stateOf(state)}
	if state != world.Running {
		out.System, out.Instance = status{Status: "not-applicable"}, status{Status: "not-applicable"}
		return out
	}
	ill := in.Ailment
	if ill == nil {
		ill = &world.Ailment{}
	}
	young := s.Now.Before(in.ReadyAt.Add(firstChecks))
	out.System, out.Instance = checkXML(ill.SystemSince, young), checkXML(ill.InstanceSince, young)
	for _, e := range ill.Events {
		out.Events = append(
			out.Events,
			statusEvent{e.ID, e.Code, e.Description, stamp(e.NotBefore), stamp(e.NotAfter)},
		)
	}
	return out
}

// firstChecks is how long after its start an instance's checks are not over yet: EC2 takes minutes.
const firstChecks = 2 * time.Minute

// checkXML is a status check that fails since a time; zero is that it passes,
// or has not been made while the instance is young.
func checkXML(since time.Time, young bool) status {
	if since.IsZero() && young {
		return status{"initializing", []statusDetail{{"reachability", "initializing", ""}}}
	}
	if since.IsZero() {
		return status{"ok", []statusDetail{{"reachability", "passed", ""}}}
	}
	return status{"impaired", []statusDetail{{"reachability", "failed", stamp(since)}}}
}
