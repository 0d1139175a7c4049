package ec2api

import (
	"cmp"
	"context"
	"fmt"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/fault"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

type runInstancesIn struct {
	DryRun      bool
	ClientToken string
	MinCount    int
	MaxCount    int
	SubnetID    string         `query:"SubnetId"`
	Template    *fleetTemplate `query:"LaunchTemplate"`
	launchspec.Data
}

func (a *api) runInstances(_ context.Context, c *wire.Call, in *runInstancesIn) (*reservation, error) {
	if in.MinCount < 1 || in.MaxCount < in.MinCount {
		return nil, apierror.Invalid(
			"MinCount (%d) must be at least 1 and not above MaxCount (%d).",
			in.MinCount,
			in.MaxCount,
		)
	}
	if err := world.CheckTags(in.TagSpecifications); err != nil {
		return nil, err
	}
	var out *reservation
	err := a.world.Do(func(s *world.State) error {
		data, tags, err := in.launch(s)
		if err != nil {
			return err
		}
		zone := ""
		if data.Placement != nil {
			zone = data.Placement.AvailabilityZone
		}
		if in.DryRun {
			return cmp.Or(s.CheckRun(data, in.SubnetID, zone), error(apierror.DryRun()))
		}
		out, err = world.Once(s, c.Action, in.ClientToken, c.Fingerprint(), func() (*reservation, error) {
			if c.Fault == fault.NoCapacity {
				return nil, world.OutOfCapacity(
					world.Pool{Type: data.InstanceType, Zone: zone, Capacity: world.OnDemand},
				)
			}
			most := in.MaxCount
			if c.Fault == fault.Partial {
				most = max(in.MinCount, most/2)
			}
			launched, err := s.RunInstances(data, in.SubnetID, zone, in.MinCount, most, tags, in.ClientToken)
			if err != nil {
				return nil, err
			}
			r := &reservation{ID: launched[0].Reservation, Owner: s.Account}
			for _, one := range launched {
				r.Instances = append(r.Instances, instanceXML(s, one))
			}
			return r, nil
		})
		return err
	})
	return out, err
}

// launch lays the call's own parameters over its template's.
func (in *runInstancesIn) launch(s *world.State) (*launchspec.Data, []launchspec.TagSpecification, error) {
	data := in.Data
	if in.Template == nil {
		return &data, nil, nil
	}
	t, err := s.Template(in.Template.ID, in.Template.Name)
	if err != nil {
		return nil, nil, fmt.Errorf("launch template: %w", err)
	}
	v, err := t.Version(in.Template.Version)
	if err != nil {
		return nil, nil, err
	}
	tags := data.TagSpecifications
	data = *v.Data
	data.Overlay(in.Data)
	return &data, tags, nil
}
