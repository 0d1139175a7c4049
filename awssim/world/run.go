package world

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/catalog"
)

// resolve turns names into what they name.
func (s *State) resolve(data *launchspec.Data, instanceType, imageID, subnetID, zone string) (order, error) {
	name := cmp.Or(instanceType, data.InstanceType, defaultType)
	t, ok := catalog.Lookup(name)
	if !ok {
		return order{}, apierror.Invalid("Invalid value '%s' for InstanceType.", name)
	}
	image, err := s.Image(cmp.Or(imageID, data.ImageID))
	if err != nil {
		return order{}, err
	}
	id := cmp.Or(subnetID, data.Subnet())
	if id == "" {
		return order{}, apierror.New("MissingInput", "No subnets found for the default VPC. Please specify a subnet.")
	}
	subnet, err := s.Subnet(id)
	if err != nil {
		return order{}, err
	}
	if zone != "" && zone != subnet.Zone.Name {
		return order{}, apierror.Invalid("The subnet %s is in zone %s, not in %s.", subnet.ID, subnet.Zone.Name, zone)
	}
	return order{Type: t, Image: image, Data: data, Subnet: subnet}, nil
}

// defaultType is what EC2 launches when no type is named.
const defaultType = "m1.small"

// RunInstances launches between least and most instances of one kind, or none.
func (s *State) RunInstances(
	data *launchspec.Data,
	subnetID, zone string,
	least, most int,
	tags []launchspec.TagSpecification,
	token string,
) ([]*Instance, error) {
	o, err := s.resolve(data, "", "", subnetID, zone)
	if err != nil {
		return nil, err
	}
	o.Spot = data.InstanceMarketOptions != nil && data.InstanceMarketOptions.MarketType == Spot
	o.Reservation, o.Token = s.id("r"), token
	o.Tags = launchspec.SetTags(
		launchspec.TagsFor(data.TagSpecifications, "instance"),
		launchspec.TagsFor(tags, "instance"),
	)
	var out []*Instance
	for len(out) < most {
		in, err := s.launch(o)
		if err != nil && len(out) < least {
			s.undo(out)
			return nil, err
		}
		if err != nil {
			break
		}
		out = append(out, in)
	}
	return out, nil
}

// CheckRun says whether RunInstances would work for one instance, without
// launching it.
func (s *State) CheckRun(data *launchspec.Data, subnetID, zone string) error {
	o, err := s.resolve(data, "", "", subnetID, zone)
	if err != nil {
		return err
	}
	if _, err := s.launchProfile(data.IamInstanceProfile); err != nil {
		return err
	}
	return s.checkLaunch(o)
}

// undo takes back launches of a call that failed as a whole. They were never
// seen: the call holds the state.
func (s *State) undo(launched []*Instance) {
	for _, in := range launched {
		in.StoppedAt, in.GoneAt = s.Now, s.Now
		in.Subnet.giveBack(in.Address, in.Data.Addresses()-1)
		s.relinquish(in)
		s.effects = slices.DeleteFunc(s.effects, func(e Effect) bool { return e.Instance == in })
		s.forget(in)
	}
}
