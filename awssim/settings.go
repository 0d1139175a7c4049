package awssim

import (
	"fmt"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/fault"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

// Set changes settings and returns all of them.
func (s *Server) Set(c Settings) (Settings, error) {
	if c.Lag != nil && *c.Lag < 0 {
		return Settings{}, fmt.Errorf("lag is %s, want it not below zero", time.Duration(*c.Lag))
	}
	if c.Throttling != nil {
		s.limits.Switch(*c.Throttling)
	}
	_ = s.world.Do(func(st *world.State) error {
		if c.Lag != nil {
			st.Lag = time.Duration(*c.Lag)
		}
		return nil
	})
	return s.settings(), nil
}

// settings returns all settings.
func (s *Server) settings() Settings {
	throttling := s.limits.On()
	var lag fault.Duration
	_ = s.world.Do(func(st *world.State) error {
		lag = fault.Duration(st.Lag)
		return nil
	})
	return Settings{Throttling: &throttling, Lag: &lag}
}
