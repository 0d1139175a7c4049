package ec2api

import (
	"cmp"
	"context"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

type stopIn struct {
	DryRun         bool
	Force          bool
	Hibernate      bool
	SkipOsShutdown bool
	IDs            []string `query:"InstanceId"`
}

func (a machines) stopInstances(_ context.Context, c *wire.Call, in *stopIn) (*terminateOut, error) {
	if in.Hibernate {
		return nil, apierror.New("UnsupportedOperation", "Hibernation is not simulated.")
	}
	return a.change(
		c,
		in.IDs,
		in.DryRun,
		func(s *world.State, one *world.Instance) error { return s.Stop(one, in.Force) },
	)
}

type startIn struct {
	DryRun bool
	IDs    []string `query:"InstanceId"`
}

func (a machines) startInstances(_ context.Context, c *wire.Call, in *startIn) (*terminateOut, error) {
	return a.change(c, in.IDs, in.DryRun, func(s *world.State, one *world.Instance) error { return s.Start(one) })
}

// rebootInstances answers done alone: EC2 tells no state.
func (a machines) rebootInstances(_ context.Context, c *wire.Call, in *startIn) (*done, error) {
	_, err := a.change(c, in.IDs, in.DryRun, func(s *world.State, one *world.Instance) error { return s.Reboot(one) })
	return &done{err == nil}, err
}

// change does one thing to each instance, and tells the states before and after.
func (a machines) change(
	c *wire.Call,
	ids []string,
	dryRun bool,
	act func(*world.State, *world.Instance) error,
) (*terminateOut, error) {
	if len(ids) == 0 {
		return nil, apierror.Missing("InstanceId")
	}
	out := &terminateOut{}
	err := a.world.Do(func(s *world.State) error {
		all, err := namedInstances(s, ids, func(*world.Instance) bool { return true })
		if err != nil || dryRun {
			return cmp.Or(err, error(apierror.DryRun()))
		}
		all, failure := reach(c, all)
		for _, one := range all {
			before := one.State(s.Now)
			if err := act(s, one); err != nil {
				return err
			}
			out.Changes = append(out.Changes, stateChange{one.ID, stateOf(one.State(s.Now)), stateOf(before)})
		}
		return failure
	})
	return out, err
}
