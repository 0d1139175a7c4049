package world

import (
	"slices"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/catalog"
)

// Capacity types, as EC2's fleets call them.
const (
	OnDemand = "on-demand"
	Spot     = "spot"
)

// Pool is where capacity comes from: machines of one type in one zone, sold
// one way.
type Pool struct {
	Type, Zone, Capacity string
}

// Offered says whether a zone has a type.
func (s *State) Offered(t *catalog.Type, zone *Zone) bool {
	return slices.Contains(catalog.ZoneIDs(s.MarketOf(zone.Name), t.Name), zone.ID)
}

// draw takes one machine out of a pool. What was set for the pool counts; for
// others the market, while it moves.
func (s *State) draw(p Pool) error {
	left, limited := s.Pools[p]
	if !limited && s.Market.Moving {
		left, limited = s.size(p)-s.inUse[p], true
	}
	if limited && left <= 0 {
		return OutOfCapacity(p)
	}
	if _, set := s.Pools[p]; set {
		s.Pools[p]--
	}
	s.inUse[p]++
	return nil
}

// giveBack returns a machine to its pool.
func (s *State) giveBack(p Pool) {
	if _, set := s.Pools[p]; set {
		s.Pools[p]++
	}
	if s.inUse[p]--; s.inUse[p] == 0 {
		delete(s.inUse, p)
	}
}

// InUse is how many machines of a pool the account has.
func (s *State) InUse(p Pool) int { return s.inUse[p] }

// Left is how many more machines a pool can launch; false when it has no end.
func (s *State) Left(p Pool) (int, bool) {
	if left, set := s.Pools[p]; set {
		return left, true
	}
	if !s.Market.Moving {
		return 0, false
	}
	return max(0, s.size(p)-s.inUse[p]), true
}

// OutOfCapacity is what EC2 answers when a pool is empty.
func OutOfCapacity(p Pool) error {
	if p.Capacity == Spot {
		return apierror.New(
			"InsufficientInstanceCapacity",
			"There is no Spot capacity available that matches your request.",
		)
	}
	return apierror.New(
		"InsufficientInstanceCapacity",
		"We currently do not have sufficient %s capacity in the Availability Zone "+
			"you requested (%s). Our system will be working on provisioning additional capacity.",
		p.Type,
		p.Zone,
	)
}
