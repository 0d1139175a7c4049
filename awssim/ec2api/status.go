package ec2api

import (
	"context"

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
	ID       string   `xml:"instanceId"`
	Zone     string   `xml:"availabilityZone"`
	ZoneID   string   `xml:"availabilityZoneId"`
	State    stateXML `xml:"instanceState"`
	System   status   `xml:"systemStatus"`
	Instance status   `xml:"instanceStatus"`
}

type status struct {
	Status  string         `xml:"status"`
	Details []statusDetail `xml:"details>item"`
}

type statusDetail struct {
	Name   string `xml:"name"`
	Status string `xml:"status"`
}

type describeStatusOut struct {
	Statuses  []instanceStatus `xml:"instanceStatusSet>item"`
	NextToken string           `xml:"nextToken,omitempty"`
}

// describeInstanceStatus reports healthy machines: impairments and scheduled
// events are not modelled yet, so no instance has any.
func (a *api) describeInstanceStatus(_ context.Context, _ *wire.Call, in *describeStatusIn) (*describeStatusOut, error) {
	if err := checkFilters(in.Filters, false, "availability-zone", "instance-state-code", "instance-state-name",
		"instance-status.status", "instance-status.reachability", "system-status.status", "system-status.reachability",
		"event.code", "event.description", "event.not-after", "event.not-before"); err != nil {
		return nil, err
	}
	out := &describeStatusOut{}
	err := a.world.Do(func(s *world.State) error {
		known := func(in *world.Instance) fields {
			all := instanceFields(s, in)
			all["instance-status.status"], all["system-status.status"] = one("ok"), one("ok")
			all["instance-status.reachability"], all["system-status.reachability"] = one("passed"), one("passed")
			return all
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

func statusXML(s *world.State, in *world.Instance) instanceStatus {
	state := s.SeenState(in)
	ok := status{"ok", []statusDetail{{"reachability", "passed"}}}
	if state != world.Running {
		ok = status{Status: "not-applicable"}
	}
	return instanceStatus{in.ID, in.Subnet.Zone.Name, in.Subnet.Zone.ID, stateOf(state), ok, ok}
}
