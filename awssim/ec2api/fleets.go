package ec2api

import (
	"cmp"
	"context"
	"fmt"
	"strconv"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/fault"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

type createFleetIn struct {
	DryRun      bool
	ClientToken string
	Context     string
	Type        string
	Configs     []fleetConfig                 `query:"LaunchTemplateConfigs"`
	Target      *fleetTarget                  `query:"TargetCapacitySpecification"`
	Tags        []launchspec.TagSpecification `query:"TagSpecification"`
	OnDemand    struct {
		AllocationStrategy         string
		CapacityReservationOptions struct{ UsageStrategy string }
	} `query:"OnDemandOptions"`
	Spot struct {
		AllocationStrategy           string
		InstanceInterruptionBehavior string
	} `query:"SpotOptions"`
}

type fleetTarget struct {
	Total    int    `query:"TotalTargetCapacity"`
	OnDemand *int   `query:"OnDemandTargetCapacity"`
	Spot     *int   `query:"SpotTargetCapacity"`
	Default  string `query:"DefaultTargetCapacityType"`
	Unit     string `query:"TargetCapacityUnitType"`
}

type fleetConfig struct {
	Template  fleetTemplate   `query:"LaunchTemplateSpecification"`
	Overrides []fleetOverride `query:"Overrides"`
}

type fleetTemplate struct {
	ID      string `query:"LaunchTemplateId" xml:"launchTemplateId,omitempty"`
	Name    string `query:"LaunchTemplateName" xml:"launchTemplateName,omitempty"`
	Version string `query:"Version" xml:"version,omitempty"`
}

type fleetOverride struct {
	Zone     string   `query:"AvailabilityZone" xml:"availabilityZone,omitempty"`
	Image    string   `query:"ImageId" xml:"imageId,omitempty"`
	Type     string   `query:"InstanceType" xml:"instanceType,omitempty"`
	MaxPrice string   `query:"MaxPrice" xml:"maxPrice,omitempty"`
	Priority *float64 `query:"Priority" xml:"priority,omitempty"`
	Subnet   string   `query:"SubnetId" xml:"subnetId,omitempty"`
	Weight   *float64 `query:"WeightedCapacity" xml:"weightedCapacity,omitempty"`
}

type fleetSource struct {
	Template fleetTemplate `xml:"launchTemplateSpecification"`
	Override fleetOverride `xml:"overrides"`
}

type fleetError struct {
	Source    fleetSource `xml:"launchTemplateAndOverrides"`
	Lifecycle string      `xml:"lifecycle"`
	Code      string      `xml:"errorCode"`
	Message   string      `xml:"errorMessage"`
}

type fleetInstances struct {
	Source    fleetSource `xml:"launchTemplateAndOverrides"`
	Lifecycle string      `xml:"lifecycle"`
	IDs       []string    `xml:"instanceIds>item"`
	Type      string      `xml:"instanceType"`
	Zone      string      `xml:"availabilityZone"`
	Subnet    string      `xml:"subnetId"`
}

type createFleetOut struct {
	ID        string           `xml:"fleetId"`
	Errors    []fleetError     `xml:"errorSet>item,omitempty"`
	Instances []fleetInstances `xml:"fleetInstanceSet>item,omitempty"`
}

func (a *api) createFleet(_ context.Context, c *wire.Call, in *createFleetIn) (*createFleetOut, error) {
	request, err := in.request()
	if err != nil {
		return nil, err
	}
	request.Trouble = c.Fault
	var out *createFleetOut
	err = a.world.Do(func(s *world.State) error {
		if request.Choices, err = in.choices(s); err != nil {
			return err
		}
		if in.DryRun {
			return apierror.DryRun()
		}
		out, err = world.Once(s, c.Action, in.ClientToken, c.Fingerprint(), func() (*createFleetOut, error) {
			fleet, err := s.CreateFleet(request)
			if err != nil {
				return nil, err
			}
			return fleetXML(fleet), nil
		})
		return err
	})
	return out, err
}

// request checks everything that needs no state.
func (in *createFleetIn) request() (world.FleetRequest, error) {
	r := world.FleetRequest{
		OnDemandStrategy: in.OnDemand.AllocationStrategy, SpotStrategy: in.Spot.AllocationStrategy,
		Tags: in.Tags, Token: in.ClientToken,
	}
	switch {
	case len(in.Configs) == 0:
		return r, apierror.Missing("LaunchTemplateConfigs")
	case in.Target == nil:
		return r, apierror.Missing("TargetCapacitySpecification")
	case in.Type != "instant":
		return r, apierror.Invalid("Fleets of type %q are not simulated: use instant.", cmp.Or(in.Type, "maintain"))
	case in.Target.Total < 1:
		return r, apierror.Invalid("TotalTargetCapacity must be greater than 0.")
	case in.Target.Unit != "" && in.Target.Unit != "units":
		return r, apierror.Invalid("TargetCapacityUnitType %s is not simulated: use units.", in.Target.Unit)
	}
	for _, t := range in.Tags {
		if t.ResourceType != "fleet" && t.ResourceType != "instance" && t.ResourceType != "volume" {
			return r, apierror.Invalid("'%s' is not a valid taggable resource type for this operation.", t.ResourceType)
		}
	}
	if in.Target.OnDemand != nil {
		r.OnDemand = *in.Target.OnDemand
	}
	if in.Target.Spot != nil {
		r.Spot = *in.Target.Spot
	}
	rest := in.Target.Total - r.OnDemand - r.Spot
	if rest < 0 {
		return r, apierror.Invalid("OnDemandTargetCapacity and SpotTargetCapacity together exceed TotalTargetCapacity.")
	}
	switch in.Target.Default {
	case world.Spot:
		r.Spot += rest
	case world.OnDemand, "":
		r.OnDemand += rest
	default:
		return r, apierror.Invalid("DefaultTargetCapacityType %s is not simulated: use spot or on-demand.", in.Target.Default)
	}
	return r, nil
}

// maxOverrides is EC2's limit on overrides over all of a fleet's templates.
const maxOverrides = 300

func (in *createFleetIn) choices(s *world.State) ([]world.Choice, error) {
	var out []world.Choice
	for _, config := range in.Configs {
		t, err := s.Template(config.Template.ID, config.Template.Name)
		if err != nil {
			return nil, err
		}
		if config.Template.Version == "" {
			return nil, apierror.Missing("LaunchTemplateConfigs.LaunchTemplateSpecification.Version")
		}
		v, err := t.Version(config.Template.Version)
		if err != nil {
			return nil, err
		}
		if len(config.Overrides) == 0 {
			config.Overrides = []fleetOverride{{}}
		}
		for _, o := range config.Overrides {
			out = append(out, world.Choice{
				Version: v, InstanceType: o.Type, SubnetID: o.Subnet, Zone: o.Zone, ImageID: o.Image, Priority: o.Priority,
			})
		}
	}
	if len(out) > maxOverrides {
		return nil, apierror.New("InvalidFleetConfig", "The number of launch template overrides (%d) exceeds the limit of %d.", len(out), maxOverrides)
	}
	return out, nil
}

func fleetXML(f *world.Fleet) *createFleetOut {
	out := &createFleetOut{ID: f.ID}
	for _, l := range f.Launches {
		t := l.Choice.Version.Template
		source := fleetSource{
			Template: fleetTemplate{ID: t.ID, Version: strconv.Itoa(l.Choice.Version.Number)},
			Override: fleetOverride{
				Zone: l.Choice.Zone, Image: l.Choice.ImageID, Type: l.Choice.InstanceType, Priority: l.Choice.Priority, Subnet: l.Choice.SubnetID,
			},
		}
		lifecycle := world.OnDemand
		if l.Spot {
			lifecycle = world.Spot
		}
		if len(l.Instances) > 0 {
			first := l.Instances[0]
			item := fleetInstances{Source: source, Lifecycle: lifecycle, Type: first.Type.Name, Zone: first.Subnet.Zone.Name, Subnet: first.Subnet.ID}
			for _, in := range l.Instances {
				item.IDs = append(item.IDs, in.ID)
			}
			out.Instances = append(out.Instances, item)
		}
		if l.Err != nil {
			out.Errors = append(out.Errors, fleetError{source, lifecycle, l.Err.Code, l.Err.Message})
		}
	}
	return out
}

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
		return nil, apierror.Invalid("MinCount (%d) must be at least 1 and not above MaxCount (%d).", in.MinCount, in.MaxCount)
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
				return nil, world.OutOfCapacity(world.Pool{Type: data.InstanceType, Zone: zone, Capacity: world.OnDemand})
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
