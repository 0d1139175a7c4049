package world

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
)

// candidate is a choice that can be ranked.
type candidate struct {
	choice    Choice
	order     order
	pool      Pool
	lifecycle string
	price     int64
	depth     int
	reserved  bool // an open reservation has room for it
	index     int  // in the request, the last tie-break
	err       error
}

func (c candidate) unitPrice() float64 { return float64(c.price) / c.choice.weight() }

// rank resolves a fleet's choices and puts them into the order in which they
// are tried; those that can not work come last.
func (s *State) rank(r FleetRequest, side FleetSide, spot bool, reservation string) ([]candidate, error) {
	ranked := make([]candidate, 0, len(r.Choices))
	for i, choice := range r.Choices {
		c := s.candidate(choice, r.Market, spot)
		c.index = i
		c.order.Reservation, c.order.Token = reservation, r.Token
		ranked = append(ranked, c)
	}
	compare, err := ranking(cmp.Or(side.Strategy, "lowest-price"), spot)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(ranked, func(a, b candidate) int {
		reserved := 0
		if side.ReservedFirst {
			reserved = cmp.Compare(b2i(b.reserved), b2i(a.reserved))
		}
		return cmp.Or(
			cmp.Compare(b2i(a.err != nil), b2i(b.err != nil)),
			reserved,
			compare(a, b),
			cmp.Compare(a.index, b.index),
		)
	})
	return ranked, nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// candidate resolves a choice. What can not be resolved is an error of that
// choice alone, as in an instant fleet's error set.
func (s *State) candidate(choice Choice, market string, spot bool) candidate {
	c := candidate{choice: choice, lifecycle: cmp.Or(market, OnDemand)}
	if spot {
		c.lifecycle = Spot
	}
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
	c.price, sold = s.Price(c.pool)
	named := choice.Version.Data.Market()
	switch {
	case !sold:
		c.err = apierror.New(
			"Unsupported",
			"Instance type %s is not sold %s in %s.",
			c.pool.Type,
			c.pool.Capacity,
			c.pool.Zone,
		)
	case choice.MaxPrice > 0 && spot && choice.MaxPrice < c.price:
		c.err = apierror.New(
			"SpotMaxPriceTooLow",
			"Your Spot request price is lower than the minimum required Spot request fulfillment price.",
		)
	case market != "" && named != market, market == "" && (named == BlockMarket || named == InterruptibleMarket):
		c.err = apierror.New(
			"InvalidFleetConfig",
			"The launch template's market type %q does not go with the fleet's %s.",
			named,
			c.lifecycle,
		)
	}
	if c.err == nil && !spot {
		reserved, err := s.reservationFor(c.order)
		c.reserved = err == nil && reserved != nil
	}
	return c
}

// ranking gives the order in which a strategy tries pools.
func ranking(strategy string, spot bool) (func(a, b candidate) int, error) {
	price := func(a, b candidate) int { return cmp.Compare(a.unitPrice(), b.unitPrice()) }
	switch {
	case strategy == "lowest-price", strategy == "diversified" && spot:
		return price, nil
	case strategy == "prioritized" && !spot:
		return func(a, b candidate) int { return cmp.Or(cmp.Compare(priority(a), priority(b)), price(a, b)) }, nil
	case strategy == "price-capacity-optimized" && spot:
		// A pool with nothing to spare must be twice as cheap as one with
		// plenty to be preferred.
		return func(a, b candidate) int {
			return cmp.Compare(a.unitPrice()*float64(20-a.depth), b.unitPrice()*float64(20-b.depth))
		}, nil
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
