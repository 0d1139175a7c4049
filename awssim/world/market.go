package world

import (
	"math"
	"time"

	"github.com/dovetail-sh/dovetail/catalog"
)

// Market is how the spot market behaves. The zero value stands still: prices
// keep to where the seed puts them, pools have no end, nobody is interrupted.
type Market struct {
	// Moving has prices move, pools run out and refill, and spot instances be
	// interrupted, all by one pressure on each pool.
	Moving bool
	// Unrest multiplies how often spot instances are interrupted; 1 is as often
	// as AWS publishes for the type.
	Unrest float64
	// Squeezes are pools under full pressure.
	Squeezes []Squeeze
}

// Squeeze puts the spot pools of a type and zone under full pressure for a
// time: they have no capacity, cost the most, and take back what they gave.
// Empty is any.
type Squeeze struct {
	Type, Zone string
	Until      time.Time
}

// squeezed says whether a spot pool is under full pressure.
func (s *State) squeezed(p Pool, at time.Time) bool {
	for _, q := range s.Market.Squeezes {
		if p.Capacity == Spot && at.Before(q.Until) && (q.Type == "" || q.Type == p.Type) &&
			(q.Zone == "" || q.Zone == p.Zone) {
			return true
		}
	}
	return false
}

// wave is one part of a pool's pressure: a smooth random walk that takes a new
// direction every period, shared by the pools of one name.
type wave struct {
	weight float64
	period time.Duration
	name   func(p Pool) string
}

// waves add up to the pressure. Half is the pool's own; the rest it shares with
// the types of its family and with its zone, since spare machines of one kind
// run out together. The weights sum to 1.
var waves = []wave{
	{0.40, 36 * time.Hour, func(p Pool) string { return p.Type + p.Zone }},
	{0.10, 5 * time.Hour, func(p Pool) string { return p.Zone + p.Type }},
	{0.30, 120 * time.Hour, func(p Pool) string { return family(p.Type) + p.Zone }},
	{0.20, 24 * time.Hour, func(p Pool) string { return p.Zone }},
}

func family(instanceType string) string {
	t, ok := catalog.Lookup(instanceType)
	if !ok {
		return instanceType
	}
	return t.Family()
}

// stretch widens the sum of waves, which crowds around 0.5, to most of 0 to 1.
const stretch = 2.2

// Pressure is how hard a pool is asked for at a time, from 0 to 1: others want
// all of it at 1. It depends on the seed, the pool and the time alone.
func (s *State) Pressure(p Pool, at time.Time) float64 {
	if s.squeezed(p, at) {
		return 1
	}
	sum := 0.0
	for _, w := range waves {
		turn := at.UnixNano() / int64(w.period)
		share := float64(at.UnixNano()%int64(w.period)) / float64(w.period)
		share = share * share * (3 - 2*share) // eases in and out
		name := p.Capacity + w.name(p)
		sum += w.weight * (s.chance(name, turn)*(1-share) + s.chance(name, turn+1)*share)
	}
	if p.Capacity == OnDemand {
		return sum // AWS keeps more to spare for those who pay in full
	}
	return min(1, max(0, (sum-0.5)*stretch+0.5))
}

// chance is a number from 0 to 1 that depends on the seed, a name and a count.
func (s *State) chance(name string, n int64) float64 {
	return float64(s.fate("wave", name, string(binaryOf(n)))>>11) / (1 << 53)
}

// Prices change on the hour, each pool's at its own minute.
const pricePeriod = time.Hour

// PriceSince returns when the price that a pool has at a time began to hold.
func (s *State) PriceSince(p Pool, at time.Time) time.Time {
	minute := time.Duration(s.fate("minute", p.Type, p.Zone) % uint64(pricePeriod))
	return at.Add(-minute).Truncate(pricePeriod).Add(minute)
}

// Price is what a pool costs now, in micro-dollars an hour; false when it is
// not sold.
func (s *State) Price(p Pool) (int64, bool) { return s.PriceAt(p, s.Now) }

// PriceAt is what a pool costs at a time. A zone's spot price lies in the range
// that the catalogue knows, at a place that the seed decides or, while the
// market moves, that the pressure decides by half. Where the region's spot
// prices were not published, the range is 30 to 60 % of on demand. Local Zones
// have no spot market.
func (s *State) PriceAt(p Pool, at time.Time) (int64, bool) {
	onDemand, sold := catalog.OnDemand(s.MarketOf(p.Zone), p.Type)
	if p.Capacity == OnDemand {
		return onDemand, sold
	}
	if s.MarketOf(p.Zone) != s.Region.Name {
		return 0, false
	}
	spot, traded := catalog.Spot(s.Region.Name, p.Type)
	if !traded {
		if t, ok := catalog.Lookup(p.Type); !ok || !t.Spot || !sold {
			return 0, false
		}
		spot = catalog.Price{Min: onDemand * 30 / 100, Max: onDemand * 60 / 100}
	}
	steps := int64(s.fate("price", p.Type, p.Zone) % 1001)
	if s.Market.Moving {
		steps = (steps + int64(1000*s.Pressure(p, s.PriceSince(p, at)))) / 2
		if s.squeezed(p, at) {
			steps = 1000
		}
	}
	// Spot prices are published in steps of 100 micro-dollars.
	return max(100, (spot.Min+(spot.Max-spot.Min)*steps/1000+50)/100*100), true
}

// PriceChange is a spot price and when it began to hold.
type PriceChange struct {
	Since time.Time
	Price int64 // micro-dollars an hour
}

// PriceHistory returns the price that held at start and those that came after
// it until end, oldest first; none for a pool that is not sold.
func (s *State) PriceHistory(p Pool, start, end time.Time) []PriceChange {
	price, sold := s.PriceAt(p, start)
	if !sold {
		return nil
	}
	out := []PriceChange{{s.PriceSince(p, start), price}}
	if !s.Market.Moving {
		return out
	}
	for at := out[0].Since.Add(pricePeriod); !at.After(end); at = at.Add(pricePeriod) {
		if price, _ := s.PriceAt(p, at); price != out[len(out)-1].Price {
			out = append(out, PriceChange{at, price})
		}
	}
	return out
}

// depth says how much a spot pool has to spare, from 1 (hardly any) to 10: less
// in types that are interrupted often, and under pressure.
func (s *State) depth(p Pool) int {
	spread := int(s.fate("depth", p.Type, p.Zone) % 3)
	calm := min(max(11-2*s.band(p)+spread-1, 1), 10)
	if !s.Market.Moving {
		return calm
	}
	return min(max(int(float64(calm)*2*(1-s.Pressure(p, s.Now))), 1), 10)
}

// band is how often AWS says that a type is interrupted in a month, from 1
// (under 5 %) to 5 (over 20 %).
func (s *State) band(p Pool) int {
	if band := catalog.InterruptionBand(s.Region.Name, p.Type); band > 0 {
		return band
	}
	return 3
}

// Sizes of pools.
const (
	// spotVCPUs is what a spot pool with everything to spare has at middling
	// pressure. AWS publishes no figure; this is large enough for a cluster of
	// hundreds of nodes that spreads out, and too small for one that does not.
	spotVCPUs = 4000
	// onDemandVCPUs is the same for pools on demand.
	onDemandVCPUs = 40_000
	// dry is the pressure from which a pool gives nothing.
	dry = 0.93
	// dryOnDemand is that of pools on demand, whose pressure is seldom so high:
	// a pool is dry for about an hour a week.
	dryOnDemand = 0.88
)

// size is how many machines a pool has for this account while the market moves.
func (s *State) size(p Pool) int {
	t, ok := catalog.Lookup(p.Type)
	pressure := s.Pressure(p, s.Now)
	if !ok || p.Capacity == Spot && pressure >= dry || p.Capacity == OnDemand && pressure >= dryOnDemand {
		return 0
	}
	if p.Capacity == OnDemand {
		return max(2, onDemandVCPUs/t.VCPU)
	}
	return max(1, int(float64(spotVCPUs/t.VCPU*s.depth(p))/10*2*(dry-pressure)))
}

// monthly is the chance that a spot instance of a band is interrupted within a
// month: the middle of what AWS publishes, with 30 % for "over 20 %".
var monthly = [...]float64{1: 0.025, 2: 0.075, 3: 0.125, 4: 0.175, 5: 0.30}

// tension is the pressure from which spot instances are interrupted more often,
// and background the share of the interruptions that come whatever the pressure.
const (
	tension    = 0.5
	background = 0.2
)

// hazard is the chance that a spot instance is interrupted within a stretch of
// time.
func (s *State) hazard(p Pool, pressure float64, d time.Duration) float64 {
	if s.squeezed(p, s.Now) {
		return 0.5
	}
	perHour := -math.Log(1-monthly[s.band(p)]) / (30 * 24)
	over := max(0, pressure-tension)
	// The square has a mean of 1/tightness over a pool's life, so that a month
	// has the interruptions that are published.
	return perHour * d.Hours() * s.Market.Unrest * (background + (1-background)*tightness*over*over)
}

const tightness = 30

// PlacementScore is how likely a zone is to have so much spot capacity in any
// of the types, from 1 to 10, as EC2 scores it; 0 where it has none of them.
func (s *State) PlacementScore(types []string, zone *Zone, target int) int {
	best := 0
	for _, name := range types {
		p := Pool{Type: name, Zone: zone.Name, Capacity: Spot}
		t, known := catalog.Lookup(name)
		if _, sold := s.Price(p); !known || !sold || !s.Offered(t, zone) {
			continue
		}
		score := s.depth(p)
		if left, limited := s.Left(p); limited && left < target {
			score = 1
		}
		best = max(best, score)
	}
	return best
}
