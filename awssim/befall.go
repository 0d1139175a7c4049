package awssim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/control"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

// Interrupt gives a spot instance its two minutes' notice, in the queue, and
// terminates it when they are over.
func (s *Server) Interrupt(t Target) error {
	return s.world.Do(func(st *world.State) error {
		in, err := running(st, t)
		if err != nil {
			return err
		}
		if !in.Spot {
			return fmt.Errorf("instance %s is on demand: only spot instances are interrupted", in.ID)
		}
		st.Interrupt(in)
		return nil
	})
}

// Befall has something befall an instance.
func (s *Server) Befall(e control.Event) error {
	if !slices.Contains(control.EventKinds(), e.Kind) {
		return fmt.Errorf("kind is %q, want one of %v", e.Kind, control.EventKinds())
	}
	if e.Kind == control.Message {
		if e.Body == "" {
			return fmt.Errorf("a message needs a body")
		}
		s.send(e.Body, 0)
		return nil
	}
	var silent string
	err := s.world.Do(func(st *world.State) error {
		in, err := running(st, e.Target)
		if err != nil {
			return err
		}
		if e.Kind == control.Silence {
			if silent = in.Node; silent == "" {
				return fmt.Errorf("instance %s has no node", in.ID)
			}
			return nil
		}
		return befall(st, in, e)
	})
	if err == nil && silent != "" {
		s.silence(context.Background(), silent)
	}
	return err
}

func befall(st *world.State, in *world.Instance, e control.Event) error {
	switch e.Kind {
	case control.Rebalance:
		if !in.Spot {
			return fmt.Errorf("instance %s is on demand: only spot instances are recommended for rebalancing", in.ID)
		}
		st.Recommend(in)
		return nil
	case control.ScheduledChange:
		if e.After < 0 {
			return fmt.Errorf("after is %s, want it not below zero", time.Duration(e.After))
		}
		return st.Schedule(in, e.Code, time.Duration(e.After))
	case control.Reclaim:
		st.Reclaim(in)
		return nil
	default: // Impaired or Healed
		return st.Impair(in, e.Code, e.Kind == control.Impaired)
	}
}

// running finds an instance that is pending or running.
func running(st *world.State, t Target) (*world.Instance, error) {
	for _, in := range st.Instances {
		if (t.Instance == "" || in.ID != t.Instance) && (t.Node == "" || in.Node != t.Node) {
			continue
		}
		if state := in.State(st.Now); state != world.Running && state != world.Pending {
			return nil, fmt.Errorf("instance %s is %s: it must be pending or running", in.ID, state)
		}
		return in, nil
	}
	switch {
	case t.Instance != "":
		return nil, fmt.Errorf("there is no instance %q; status lists those that there are", t.Instance)
	case t.Node != "":
		return nil, fmt.Errorf("there is no node %q; status lists those that there are", t.Node)
	}
	return nil, errors.New("no instance is named: want a node's name or an instance's id")
}
