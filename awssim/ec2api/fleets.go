package ec2api

import (
	"cmp"
	"context"
	"math"
	"strconv"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
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
	OnDemand    fleetOptions                  `query:"OnDemandOptions"`
	Spot        fleetOptions                  `query:"SpotOptions"`
	Reserved    struct {
		Types []string `query:"ReservationType"`
	} `query:"ReservedCapacityOptions"`
}

// fleetOptions are the options of one side of a fleet; some are of one side
// only.
type fleetOptions struct {
	AllocationStrategy           string
	CapacityReservationOptions   struct{ UsageStrategy string }
	InstanceInterruptionBehavior string
	InstancePoolsToUseCount      int
	MinTargetCapacity            float64
	SingleInstanceType           bool
	SingleAvailabilityZone       bool
	MaxTotalPrice                string
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
	r := world.FleetRequest{Tags: in.Tags, Token: in.ClientToken}
	switch {
	case len(in.Configs) == 0:
		return r, apierror.Missing("LaunchTemplateConfigs")
	case len(in.Configs) > maxConfigs:
		return r, apierror.New(
			"InvalidParameterValue",
			"LaunchTemplateConfigs may have %d members at most, got %d.",
			maxConfigs,
			len(in.Configs),
		)
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
			return r, apierror.Invalid(
				"'%s' is not a valid taggable resource type for this operation.",
				t.ResourceType,
			)
		}
	}
	if err := world.CheckTags(in.Tags); err != nil {
		return r, err
	}
	var err error
	if r.OnDemand, err = in.OnDemand.side(); err != nil {
		return r, err
	}
	if r.Spot, err = in.Spot.side(); err != nil {
		return r, err
	}
	return r, in.split(&r)
}

// split shares the target out between on demand and spot.
func (in *createFleetIn) split(r *world.FleetRequest) error {
	if in.Target.OnDemand != nil {
		r.OnDemand.Want = float64(*in.Target.OnDemand)
	}
	if in.Target.Spot != nil {
		r.Spot.Want = float64(*in.Target.Spot)
	}
	rest := float64(in.Target.Total) - r.OnDemand.Want - r.Spot.Want
	if rest < 0 {
		return apierror.Invalid("OnDemandTargetCapacity and SpotTargetCapacity together exceed TotalTargetCapacity.")
	}
	switch in.Target.Default {
	case world.Spot:
		r.Spot.Want += rest
		return nil
	case world.OnDemand, "":
	case world.BlockMarket:
		r.Market = world.BlockMarket
	case "reserved-capacity":
		if len(in.Reserved.Types) != 1 || in.Reserved.Types[0] != world.InterruptibleMarket {
			return apierror.Invalid(
				"ReservedCapacityOptions must name the reservation type %s.",
				world.InterruptibleMarket,
			)
		}
		r.Market = world.InterruptibleMarket
	default:
		return apierror.Invalid("Invalid value '%s' for DefaultTargetCapacityType.", in.Target.Default)
	}
	r.OnDemand.Want += rest
	return nil
}

// side checks the options of one side.
func (o fleetOptions) side() (world.FleetSide, error) {
	out := world.FleetSide{
		Strategy:      o.AllocationStrategy,
		Min:           o.MinTargetCapacity,
		SingleType:    o.SingleInstanceType,
		SingleZone:    o.SingleAvailabilityZone,
		Pools:         o.InstancePoolsToUseCount,
		ReservedFirst: o.CapacityReservationOptions.UsageStrategy == "use-capacity-reservations-first",
	}
	if out.Min > 0 && !out.SingleType && !out.SingleZone {
		return out, apierror.New(
			"InvalidFleetConfig",
			"MinTargetCapacity needs SingleInstanceType or SingleAvailabilityZone.",
		)
	}
	var err error
	out.MaxTotal, err = microDollars("MaxTotalPrice", o.MaxTotalPrice)
	return out, err
}

// microDollars reads a price an hour in dollars; empty is 0.
func microDollars(name, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	dollars, err := strconv.ParseFloat(text, 64)
	if err != nil || dollars <= 0 {
		return 0, apierror.Invalid("Value (%s) for parameter %s is invalid. It must be a price.", text, name)
	}
	return int64(math.Round(dollars * 1e6)), nil
}

// maxConfigs is EC2's limit on a fleet's templates. Overrides are limited in fleets of other types than instant only.
const maxConfigs = 50

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
			choice := world.Choice{
				Version:      v,
				InstanceType: o.Type,
				SubnetID:     o.Subnet,
				Zone:         o.Zone,
				ImageID:      o.Image,
				Priority:     o.Priority,
			}
			if choice.MaxPrice, err = microDollars("MaxPrice", o.MaxPrice); err != nil {
				return nil, err
			}
			if o.Weight != nil {
				if choice.Weight = *o.Weight; choice.Weight <= 0 || choice.Weight > 999 {
					return nil, apierror.Invalid(
						"WeightedCapacity must be above 0 and at most 999, got %v.",
						choice.Weight,
					)
				}
			}
			out = append(out, choice)
		}
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
				Zone:     l.Choice.Zone,
				Image:    l.Choice.ImageID,
				Type:     l.Choice.InstanceType,
				Priority: l.Choice.Priority,
				Subnet:   l.Choice.SubnetID,
			},
		}
		if l.Choice.Weight > 0 {
			source.Override.Weight = &l.Choice.Weight
		}
		if len(l.Instances) > 0 {
			first := l.Instances[0]
			item := fleetInstances{
				Source:    source,
				Lifecycle: l.Lifecycle,
				Type:      first.Type.Name,
				Zone:      first.Subnet.Zone.Name,
				Subnet:    first.Subnet.ID,
			}
			for _, in := range l.Instances {
				item.IDs = append(item.IDs, in.ID)
			}
			out.Instances = append(out.Instances, item)
		}
		if l.Err != nil {
			out.Errors = append(out.Errors, fleetError{source, l.Lifecycle, l.Err.Code, l.Err.Message})
		}
	}
	return out
}
