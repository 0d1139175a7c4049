package world

import (
	"encoding/binary"
	"time"
)

// marketTick is how often the market looks at the instances that it gave out.
const marketTick = 5 * time.Minute

// warnAt is the pressure from which instances are recommended for rebalancing.
const warnAt = 0.8

// SetMarket changes how the market behaves.
func (s *State) SetMarket(m Market) {
	begins := m.Moving && !s.Market.Moving
	s.settle()
	s.Market = m
	if begins {
		s.after(marketTick, s.tick)
	}
}

// tick interrupts and warns the spot instances of pools under pressure.
func (s *State) tick() {
	if !s.Market.Moving {
		return
	}
	s.after(marketTick, s.tick)
	if s.Now.Sub(s.settled) >= pricePeriod {
		s.settle()
	}
	pressures := map[Pool]float64{}
	for _, in := range s.Instances {
		if !in.Spot || in.interrupted || in.State(s.Now) != Running {
			continue
		}
		pool := in.Pool()
		pressure, known := pressures[pool]
		if !known {
			pressure = s.Pressure(pool, s.Now)
			pressures[pool] = pressure
		}
		s.disturb(in, pool, pressure)
	}
}

// disturb lets an instance feel its pool's pressure for one tick.
func (s *State) disturb(in *Instance, pool Pool, pressure float64) {
	n := s.Now.UnixNano() / int64(marketTick)
	if s.chance("interrupt"+in.ID, n) < s.hazard(pool, pressure, marketTick) {
		within := time.Duration(s.chance("moment"+in.ID, n) * float64(marketTick))
		s.after(within, func() {
			if in.State(s.Now) == Running {
				s.Interrupt(in)
			}
		})
		return
	}
	if pressure >= warnAt && !in.warned {
		s.Recommend(in)
	}
}

func binaryOf(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
