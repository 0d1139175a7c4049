package world

import (
	"time"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
)

// Stop begins to stop an instance: its disks and address stay, its capacity
// goes back. One that is stopping or stopped already is left as it is.
func (s *State) Stop(in *Instance, force bool) error {
	switch state := in.State(s.Now); {
	case state == Stopping || state == Stopped:
		return nil
	case state != Running && !(force && state == Pending):
		return wrongState(in, state, "stopped")
	case in.Spot:
		return apierror.New(
			"UnsupportedOperation",
			"You can't stop the Spot Instance '%s' because it is associated with a one-time Spot "+
				"Instance request. You can only stop Spot Instances associated with persistent Spot Instance requests.",
			in.ID,
		)
	case in.Data.DisableAPIStop != nil && *in.Data.DisableAPIStop:
		return apierror.New(
			"OperationNotPermitted",
			"The instance '%s' may not be stopped. Modify its 'disableApiStop' instance attribute and try again.",
			in.ID,
		)
	}
	price, _ := s.Price(in.Pool())
	s.bill(in, price)
	in.HaltingAt, in.HaltedAt = s.Now, s.Now.Add(s.StopDelay)
	in.StateReason = ReasonUser
	s.effect(in, EffectState)
	s.after(s.StopDelay, func() {
		if in.State(s.Now) == Stopped {
			s.effect(in, EffectState)
			s.relinquish(in)
			in.released = true
		}
	})
	return nil
}

// Start begins to start a stopped instance, if its pool has room for it.
func (s *State) Start(in *Instance) error {
	switch state := in.State(s.Now); state {
	case Pending, Running:
		return nil
	case Stopped:
	default:
		return wrongState(in, state, "started")
	}
	if err := s.acquire(in.Reserved, in.Pool()); err != nil {
		return err
	}
	in.released, in.HaltingAt, in.HaltedAt = false, time.Time{}, time.Time{}
	in.StateReason, in.ReadyAt = "", s.Now.Add(s.PendingDelay)
	in.Boots++
	s.boot(in)
	return nil
}

// Reboot has an instance's heartbeats stop until it has booted again. EC2 goes
// on calling it running.
func (s *State) Reboot(in *Instance) error {
	if state := in.State(s.Now); state != Running {
		return wrongState(in, state, "rebooted")
	}
	in.Boots++
	s.effect(in, EffectReboot)
	s.after(s.BootDelay, func() { s.effectIf(in, Running, EffectBoot) })
	return nil
}

// boot announces an instance that is pending, and has it run and read its user
// data in its time.
func (s *State) boot(in *Instance) {
	s.effect(in, EffectState)
	s.after(s.PendingDelay, func() { s.effectIf(in, Running, EffectState) })
	s.after(s.BootDelay, func() { s.effectIf(in, Running, EffectBoot) })
}

func wrongState(in *Instance, state InstanceState, what string) error {
	return apierror.New(
		"IncorrectInstanceState",
		"The instance '%s' is not in a state from which it can be %s: it is %s.",
		in.ID,
		what,
		state,
	)
}
