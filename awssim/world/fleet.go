package world

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/fault"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/catalog"
)

// Choice is one way that a fleet may launch: a template version with an
// override. Zero fields of the override leave the template's value.
type Choice struct {
	Version      *TemplateVersion
	InstanceType string
	SubnetID     string
	Zone         string
	ImageID      string
	Priority     *float64 // lower is tried first; unset is last
}

// FleetRequest is an instant fleet.
type FleetRequest struct {
	Choices          []Choice
	OnDemand, Spot   int // how many instances of each
	OnDemandStrategy string
	SpotStrategy     string
	Tags             []launchspec.TagSpecification
	Token            string
	// Trouble is fault.NoCapacity when every pool is to be empty, and
	// fault.Partial when the best one is, and half of what was asked for is to
	// be launched.
	Trouble fault.Kind
}

// FleetLaunch says what a choice gave: instances, or an error.
type FleetLaunch struct {
	Choice    Choice
	Subnet    *Subnet // nil when it could not be resolved
	Spot      bool
	Instances []*Instance
	Err       *apierror.Error
}

// Fleet is an instant fleet's answer. Launches has one entry for each choice
// that was tried, in the order they were tried.
type Fleet struct {
	ID       string
	Launches []FleetLaunch
}

// CreateFleet launches what it can, choice by choice in the order that the
// strategy gives, and reports each choice that failed.
func (s *State) CreateFleet(r FleetRequest) (*Fleet, error) {
	fleet := &Fleet{ID: "fleet-" + s.UUID()}
	reservation := s.id("r")
	if err := s.fill(fleet, r, false, r.OnDemand, cmp.Or(r.OnDemandStrategy, "lowest-price"), reservation); err != nil {
		return nil, err
	}
	if err := s.fill(fleet, r, true, r.Spot, cmp.Or(r.SpotStrategy, "lowest-price"), reservation); err != nil {
		return nil, err
	}
	return fleet, nil
}

// candidate is a choice that can be ranked.
type candidate struct {
	choice Choice
	order  order
	pool   Pool
	price  int64
	depth  int
	index  int // in the request, the last tie-break
	err    error
}

func (s *State) fill(fleet *Fleet, r FleetRequest, spot bool, want int, strategy, reservation string) error {
	if want == 0 {
		return nil
	}
	ranked := make([]candidate, 0, len(r.Choices))
	for i, choice := range r.Choices {
		c := s.candidate(choice, spot)
		c.index = i
		c.order.Reservation, c.order.Token = reservation, r.Token
		ranked = append(ranked, c)
	}
	compare, err := ranking(strategy, spot)
	if err != nil {
		return err
	}
	slices.SortStableFunc(ranked, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b2i(a.err != nil), b2i(b.err != nil)), compare(a, b), cmp.Compare(a.index, b.index))
	})
	allowed := trouble(r.Trouble, ranked, want)
	fleetTag := launchspec.Tag{Key: "aws:ec2:fleet-id", Value: fleet.ID}
	for _, c := range ranked {
		if want == 0 {
			break
		}
		launch := FleetLaunch{Choice: c.choice, Subnet: c.order.Subnet, Spot: spot}
		tags := launchspec.TagsFor(c.order.dataTags(), "instance")
		c.order.Tags = launchspec.SetTags(launchspec.SetTags(tags, launchspec.TagsFor(r.Tags, "instance")), []launchspec.Tag{fleetTag})
		for want > 0 && c.err == nil {
			if allowed == 0 {
				c.err = OutOfCapacity(c.pool)
				break
			}
			in, err := s.launch(c.order)
			if err != nil {
				c.err = err
				break
			}
			launch.Instances = append(launch.Instances, in)
			want--
			allowed--
		}
		if c.err != nil {
			launch.Err = apierror.From(c.err)
		}
		fleet.Launches = append(fleet.Launches, launch)
	}
	return nil
}

// trouble empties the pools that a fault is to find empty, and says how many of
// the wanted instances may be launched.
func trouble(kind fault.Kind, ranked []candidate, want int) int {
	if kind != fault.Partial {
		if kind == fault.NoCapacity {
			want = 0
		}
		return want
	}
	if len(ranked) > 1 && ranked[0].err == nil && ranked[1].err == nil {
		ranked[0].err = OutOfCapacity(ranked[0].pool)
	}
	return (want + 1) / 2
}

func (o order) dataTags() []launchspec.TagSpecification {
	if o.Data == nil {
		return nil
	}
	return o.Data.TagSpecifications
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// candidate resolves a choice. What can not be resolved is an error of that
// choice alone, as in an instant fleet's error set.
func (s *State) candidate(choice Choice, spot bool) candidate {
	c := candidate{choice: choice}
	c.order, c.err = s.resolve(choice.Version.Data, choice.InstanceType, choice.ImageID, choice.SubnetID, choice.Zone)
	if c.err != nil {
		return c
	}
	c.order.Spot = spot
	c.pool = Pool{c.order.Type.Name, c.order.Subnet.Zone.Name, OnDemand}
	if spot {
		c.pool.Capacity = Spot
		c.depth = s.depth(c.pool)
	}
	var sold bool
	if c.price, sold = s.Price(c.pool); !sold {
		c.err = apierror.New("Unsupported", "Instance type %s is not sold %s in %s.", c.pool.Type, c.pool.Capacity, s.Region.Name)
	}
	return c
}

// resolve turns names into what they name.
func (s *State) resolve(data *launchspec.Data, instanceType, imageID, subnetID, zone string) (order, error) {
	name := cmp.Or(instanceType, data.InstanceType)
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

// ranking gives the order in which a strategy tries pools.
func ranking(strategy string, spot bool) (func(a, b candidate) int, error) {
	price := func(a, b candidate) int { return cmp.Compare(a.price, b.price) }
	switch {
	case strategy == "lowest-price":
		return price, nil
	case strategy == "prioritized" && !spot:
		return func(a, b candidate) int { return cmp.Or(cmp.Compare(priority(a), priority(b)), price(a, b)) }, nil
	case strategy == "price-capacity-optimized" && spot:
		// A pool with nothing to spare must be twice as cheap as one with
		// plenty to be preferred.
		return func(a, b candidate) int { return cmp.Compare(a.price*int64(20-a.depth), b.price*int64(20-b.depth)) }, nil
	case strategy == "capacity-optimized" && spot:
		return func(a, b candidate) int { return cmp.Or(cmp.Compare(b.depth, a.depth), price(a, b)) }, nil
	case strategy == "capacity-optimized-prioritized" && spot:
		// Capacity first, in coarse steps; priority as far as that allows.
		return func(a, b candidate) int {
			return cmp.Or(cmp.Compare(b.depth/4, a.depth/4), cmp.Compare(priority(a), priority(b)), price(a, b))
		}, nil
	}
	return nil, apierror.New("InvalidParameterValue", "The allocation strategy %s is not valid.", strategy)
}

func priority(c candidate) float64 {
	if c.choice.Priority == nil {
		return 1 << 30
	}
	return *c.choice.Priority
}

// RunInstances launches between least and most instances of one kind, or none.
func (s *State) RunInstances(data *launchspec.Data, subnetID, zone string, least, most int, tags []launchspec.TagSpecification, token string) ([]*Instance, error) {
	o, err := s.resolve(data, "", "", subnetID, zone)
	if err != nil {
		return nil, err
	}
	o.Spot = data.InstanceMarketOptions != nil && data.InstanceMarketOptions.MarketType == Spot
	o.Reservation, o.Token = s.id("r"), token
	o.Tags = launchspec.SetTags(launchspec.TagsFor(data.TagSpecifications, "instance"), launchspec.TagsFor(tags, "instance"))
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
		s.giveBack(in.Pool())
		s.effects = slices.DeleteFunc(s.effects, func(e Effect) bool { return e.Instance == in })
		s.forget(in)
	}
}
