package world

import (
	"cmp"
	"math"
	"slices"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/fault"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
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
	Weight       float64  // units that one instance counts for; 0 is 1
	MaxPrice     int64    // most that a spot instance may cost, micro-dollars an hour; 0 is no limit
}

func (c Choice) weight() float64 { return cmp.Or(c.Weight, 1) }

// FleetSide is what a fleet asks for on demand, or of spot.
type FleetSide struct {
	Want     float64 // units
	Strategy string  // "lowest-price" when empty
	// Min is how many units must launch, or none do.
	Min                    float64
	SingleType, SingleZone bool
	// MaxTotal is the most that all may cost, micro-dollars an hour; 0 is no
	// limit.
	MaxTotal int64
	// Pools is over how many pools lowest-price spreads; 0 is 1.
	Pools int
	// ReservedFirst prefers pools in which an open reservation has room.
	ReservedFirst bool
}

// FleetRequest is an instant fleet.
type FleetRequest struct {
	Choices        []Choice
	OnDemand, Spot FleetSide
	// Market is what all launches must be when it is BlockMarket or
	// InterruptibleMarket. They are asked for in OnDemand.
	Market string
	Tags   []launchspec.TagSpecification
	Token  string
	// Trouble is fault.NoCapacity when every pool is to be empty, and
	// fault.Partial when the best one is, and half of what was asked for is to
	// be launched.
	Trouble fault.Kind
}

// FleetLaunch says what a choice gave: instances, or an error.
type FleetLaunch struct {
	Choice    Choice
	Subnet    *Subnet // nil when it could not be resolved
	Lifecycle string
	Instances []*Instance
	Err       *apierror.Error
}

// Fleet is an instant fleet's answer. Launches has one entry for each choice
// that was tried, in the order they were tried.
type Fleet struct {
	ID       string
	Launches []*FleetLaunch
}

// CreateFleet launches what it can, choice by choice in the order that the
// strategy gives, and reports each choice that failed.
func (s *State) CreateFleet(r FleetRequest) (*Fleet, error) {
	fleet := &Fleet{ID: "fleet-" + s.UUID()}
	reservation := s.id("r")
	for _, side := range []struct {
		FleetSide
		spot bool
	}{{r.OnDemand, false}, {r.Spot, true}} {
		if side.Want == 0 {
			continue
		}
		ranked, err := s.rank(r, side.FleetSide, side.spot, reservation)
		if err != nil {
			return nil, err
		}
		for _, part := range side.parts(ranked) {
			f := filling{
				fleet:   fleet,
				side:    side.FleetSide,
				request: r,
				left:    side.Want,
				allowed: trouble(r.Trouble, part, side.Want),
			}
			f.fill(s, part)
			if f.launched > 0 && f.launched >= side.Min {
				break
			}
			f.takeBack(s)
		}
	}
	return fleet, nil
}

// parts splits choices into those that may be launched together: all, or those
// of one type or zone, the best first.
func (side FleetSide) parts(ranked []candidate) [][]candidate {
	if !side.SingleType && !side.SingleZone {
		return [][]candidate{ranked}
	}
	var keys []Pool
	var out [][]candidate
	for _, c := range ranked {
		key := Pool{}
		if side.SingleType {
			key.Type = c.pool.Type
		}
		if side.SingleZone {
			key.Zone = c.pool.Zone
		}
		i := slices.Index(keys, key)
		if i < 0 {
			i = len(keys)
			keys, out = append(keys, key), append(out, nil)
		}
		out[i] = append(out[i], c)
	}
	return out
}

// filling is the work of launching one side of a fleet.
type filling struct {
	fleet    *Fleet
	side     FleetSide
	request  FleetRequest
	left     float64 // units still wanted
	allowed  float64 // units that a fault lets through
	launched float64
	price    int64          // of what was launched, micro-dollars an hour
	launches []*FleetLaunch // of this part
}

// fill launches from the best choices in turn, as many at a time as the
// strategy spreads over; one that gives no more is replaced by the next best.
func (f *filling) fill(s *State, ranked []candidate) {
	type active struct {
		candidate
		launch *FleetLaunch
	}
	var current []active
	width := f.width(len(ranked))
	for {
		for len(current) < width && len(ranked) > 0 {
			launch := &FleetLaunch{
				Choice:    ranked[0].choice,
				Subnet:    ranked[0].order.Subnet,
				Lifecycle: ranked[0].lifecycle,
			}
			current = append(current, active{ranked[0], launch})
			f.launches = append(f.launches, launch)
			ranked = ranked[1:]
		}
		if len(current) == 0 {
			break
		}
		current = slices.DeleteFunc(current, func(c active) bool {
			if f.left <= 0 {
				return false
			}
			err := f.launchOne(s, c.candidate, c.launch)
			if err != nil {
				c.launch.Err = apierror.From(err)
			}
			return err != nil
		})
		if f.left <= 0 {
			break
		}
	}
	f.fleet.Launches = append(f.fleet.Launches, f.launches...)
}

// width is how many pools are launched from in turn.
func (f *filling) width(all int) int {
	switch {
	case f.side.Strategy == "diversified":
		return max(1, all)
	case f.side.Strategy == "" || f.side.Strategy == "lowest-price":
		return max(1, f.side.Pools)
	default:
		return 1
	}
}

func (f *filling) launchOne(s *State, c candidate, launch *FleetLaunch) error {
	switch {
	case c.err != nil:
		return c.err
	case f.allowed <= 0:
		return OutOfCapacity(c.pool)
	case f.side.MaxTotal > 0 && f.price+c.price > f.side.MaxTotal:
		return apierror.New("UnfulfillableCapacity", "The maximum total price of the fleet is reached.")
	}
	tags := launchspec.TagsFor(c.order.dataTags(), "instance")
	fleetTag := launchspec.Tag{Key: "aws:ec2:fleet-id", Value: f.fleet.ID}
	c.order.Tags = launchspec.SetTags(
		launchspec.SetTags(tags, launchspec.TagsFor(f.request.Tags, "instance")),
		[]launchspec.Tag{fleetTag},
	)
	in, err := s.launch(c.order)
	if err != nil {
		return err
	}
	launch.Instances = append(launch.Instances, in)
	f.left -= c.choice.weight()
	f.allowed -= c.choice.weight()
	f.launched += c.choice.weight()
	f.price += c.price
	return nil
}

// takeBack undoes a part that did not launch as much as it must. Its errors
// stay, and choices that launched get one.
func (f *filling) takeBack(s *State) {
	for _, launch := range f.launches {
		s.undo(launch.Instances)
		if len(launch.Instances) > 0 && launch.Err == nil {
			launch.Err = apierror.New(
				"UnfulfillableCapacity",
				"Unable to fulfill capacity due to your request configuration. Please adjust your request and try again.",
			)
		}
		launch.Instances = nil
	}
}

// trouble empties the pools that a fault is to find empty, and says how many of
// the wanted units may be launched.
func trouble(kind fault.Kind, ranked []candidate, want float64) float64 {
	if kind != fault.Partial {
		if kind == fault.NoCapacity {
			want = 0
		}
		return want
	}
	if len(ranked) > 1 && ranked[0].err == nil && ranked[1].err == nil {
		ranked[0].err = OutOfCapacity(ranked[0].pool)
	}
	return math.Ceil(want / 2)
}

func (o order) dataTags() []launchspec.TagSpecification {
	if o.Data == nil {
		return nil
	}
	return o.Data.TagSpecifications
}
