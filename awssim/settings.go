package awssim

import (
	"errors"
	"fmt"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/control"
	"github.com/dovetail-sh/dovetail/awssim/fault"
	"github.com/dovetail-sh/dovetail/awssim/pace"
	"github.com/dovetail-sh/dovetail/awssim/world"
	"github.com/dovetail-sh/dovetail/catalog"
)

// Set changes settings and returns all of them. It changes none when one is
// refused.
func (s *Server) Set(c Settings) (Settings, error) {
	if err := s.checkSettings(c); err != nil {
		return Settings{}, err
	}
	if c.Speed != nil {
		if err := s.options.Clock.(*pace.Clock).SetSpeed(*c.Speed); err != nil {
			return Settings{}, err
		}
	}
	s.deliver(c)
	if c.Throttling != nil {
		s.limits.Switch(*c.Throttling)
	}
	if c.Floor != nil {
		s.mux.SetFloor(time.Duration(*c.Floor))
	}
	_ = s.world.Do(func(st *world.State) error {
		if c.Lag != nil {
			st.Lag = time.Duration(*c.Lag)
		}
		market := st.Market
		if c.Moving != nil {
			market.Moving = *c.Moving
		}
		if c.Unrest != nil {
			market.Unrest = *c.Unrest
		}
		st.SetMarket(market)
		return nil
	})
	s.world.Wake()
	return s.settings(), nil
}

// deliver changes how messages reach the queue.
func (s *Server) deliver(c Settings) {
	d := *s.delivery.Load()
	if c.Duplicates != nil {
		d.duplicates = *c.Duplicates
	}
	if c.Disorder != nil {
		d.disorder = time.Duration(*c.Disorder)
	}
	if c.OldShapes != nil {
		d.old = *c.OldShapes
	}
	s.delivery.Store(&d)
}

func (s *Server) checkSettings(c Settings) error {
	var errs []error
	if c.Lag != nil && *c.Lag < 0 {
		errs = append(errs, fmt.Errorf("lag is %s, want it not below zero", time.Duration(*c.Lag)))
	}
	if c.Floor != nil && (*c.Floor < 0 || time.Duration(*c.Floor) > maxFloor) {
		errs = append(errs, fmt.Errorf("floor is %s, want it from 0 to %s", time.Duration(*c.Floor), maxFloor))
	}
	if c.Duplicates != nil && !(*c.Duplicates >= 0 && *c.Duplicates <= 1) {
		errs = append(errs, fmt.Errorf("duplicates is %v, want it from 0 to 1", *c.Duplicates))
	}
	if c.Disorder != nil && (*c.Disorder < 0 || time.Duration(*c.Disorder) > maxDisorder) {
		errs = append(
			errs,
			fmt.Errorf("disorder is %s, want it from 0 to %s", time.Duration(*c.Disorder), maxDisorder),
		)
	}
	if c.Unrest != nil && !(*c.Unrest >= 0) {
		errs = append(errs, fmt.Errorf("unrest is %v, want it not below zero", *c.Unrest))
	}
	if _, own := s.options.Clock.(*pace.Clock); c.Speed != nil && !own {
		errs = append(errs, errors.New("speed can not be set: the account runs on a clock that it was given"))
	}
	return errors.Join(errs...)
}

// maxDisorder is the longest delay of a message that SQS allows.
const maxDisorder = 15 * time.Minute

// maxFloor is below what AWS's clients wait for an answer.
const maxFloor = 10 * time.Second

// settings returns all settings.
func (s *Server) settings() Settings {
	throttling, speed := s.limits.On(), 1.0
	if clock, own := s.options.Clock.(*pace.Clock); own {
		speed = clock.Speed()
	}
	d := *s.delivery.Load()
	disorder, floor := fault.Duration(d.disorder), fault.Duration(s.mux.Floor())
	out := Settings{
		Throttling: &throttling,
		Speed:      &speed,
		Duplicates: &d.duplicates,
		Disorder:   &disorder,
		OldShapes:  &d.old,
		Floor:      &floor,
	}
	_ = s.world.Do(func(st *world.State) error {
		lag, market := fault.Duration(st.Lag), st.Market
		out.Lag, out.Moving, out.Unrest = &lag, &market.Moving, &market.Unrest
		return nil
	})
	return out
}

// Squeeze puts spot pools under full pressure for a time.
func (s *Server) Squeeze(c control.Squeeze) error {
	return s.world.Do(func(st *world.State) error {
		market := st.Market
		switch {
		case c.For < 0:
			return fmt.Errorf("for is %s, want it not below zero", time.Duration(c.For))
		case !market.Moving:
			return errors.New("the market stands still: a squeeze needs it moving")
		case c.For == 0:
			market.Squeezes = nil
		default:
			if _, known := catalog.Lookup(c.Type); c.Type != "" && !known {
				return fmt.Errorf("no type %q is known", c.Type)
			}
			if _, known := st.Zone(c.Zone); c.Zone != "" && !known {
				return fmt.Errorf("no zone %q is in %s", c.Zone, st.Region.Name)
			}
			market.Squeezes = append(
				market.Squeezes,
				world.Squeeze{Type: c.Type, Zone: c.Zone, Until: st.Now.Add(time.Duration(c.For))},
			)
		}
		st.SetMarket(market)
		return nil
	})
}

// Market lists the spot pools of a type or, when that is empty, those in use.
func (s *Server) Market(instanceType string) []control.Pool {
	out := []control.Pool{}
	_ = s.world.Do(func(st *world.State) error {
		for _, t := range catalog.Offered(st.Region.Name) {
			for _, zone := range st.Zones {
				pool := world.Pool{Type: t.Name, Zone: zone.Name, Capacity: world.Spot}
				used := st.InUse(pool)
				price, sold := st.Price(pool)
				if !sold || !st.Offered(t, zone) || (instanceType != t.Name && (instanceType != "" || used == 0)) {
					continue
				}
				full, _ := catalog.OnDemand(st.MarketOf(zone.Name), t.Name)
				entry := control.Pool{
					Type:     t.Name,
					Zone:     zone.Name,
					Capacity: world.Spot,
					Price:    price,
					OnDemand: full,
					Pressure: st.Pressure(pool, st.Now),
					InUse:    used,
				}
				if left, limited := st.Left(pool); limited {
					entry.Available = &left
				}
				out = append(out, entry)
			}
		}
		return nil
	})
	return out
}
