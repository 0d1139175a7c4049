package world

import (
	"net/netip"
	"time"
)

// EffectKind says what must happen outside the world.
type EffectKind int

const (
	// EffectBoot: the machine reads its user data now.
	EffectBoot EffectKind = iota
	// EffectState: the instance changed its state; AWS would publish it.
	EffectState
	// EffectGone: the machine has been gone for a while; the cloud's node
	// controller would notice.
	EffectGone
	// EffectInterruption: the two-minute notice of a spot interruption.
	EffectInterruption
	// EffectRebalance: the instance is likelier than others to be interrupted.
	EffectRebalance
	// EffectScheduled: work on the instance's host is announced.
	EffectScheduled
	// EffectReclaim: the notice of an interruptible capacity reservation.
	EffectReclaim
	// EffectReboot: the machine goes down for a moment.
	EffectReboot
	// EffectBlockDelivered and EffectBlockExpiring are about a capacity block;
	// they have no instance.
	EffectBlockDelivered
	EffectBlockExpiring
)

// Effect is one thing to do, with a copy of what the doer needs to know.
type Effect struct {
	Kind     EffectKind
	At       time.Time
	Instance *Instance // only its fields that never change may be read
	State    InstanceState
	// Address is the instance's at the time of the effect.
	Address netip.Addr
	// Role is the name of the role its instance profile carries, for boots.
	Role string
	Node string
	// Event is what was announced, for EffectScheduled.
	Event ScheduledEvent
	// Block is the capacity block that it is about.
	Block *CapacityReservation
}

func (s *State) effect(in *Instance, kind EffectKind) {
	e := Effect{Kind: kind, At: s.Now, Instance: in, State: in.State(s.Now), Address: in.Address, Node: in.Node}
	if p := s.Profiles[in.Profile]; p != nil && len(p.Roles) > 0 {
		e.Role = p.Roles[0].Name
	}
	s.effects = append(s.effects, e)
}

func (s *State) blockEffect(r *CapacityReservation, kind EffectKind) {
	s.effects = append(s.effects, Effect{Kind: kind, At: s.Now, Block: r})
}

// effectIf raises an effect only while the instance is in a state. Booting
// machines may still be pending in EC2's eyes.
func (s *State) effectIf(in *Instance, state InstanceState, kind EffectKind) {
	now := in.State(s.Now)
	if now == state || (kind == EffectBoot && now == Pending) {
		s.effect(in, kind)
	}
}

// Recommend says that a spot instance is likely to be interrupted.
func (s *State) Recommend(in *Instance) {
	in.warned = true
	s.effect(in, EffectRebalance)
}

// Interrupt gives a spot instance its two minutes' notice, and the rebalance
// recommendation that comes with it when none came before.
func (s *State) Interrupt(in *Instance) {
	if in.interrupted {
		return
	}
	in.interrupted = true
	s.spending.Interruptions++
	if !in.warned && s.Market.Moving {
		s.Recommend(in)
	}
	s.effect(in, EffectInterruption)
	s.after(InterruptionNotice, func() { s.Terminate(in, ReasonSpot) })
}

// InterruptIn recommends rebalancing at once, and gives notice so that a spot
// instance ends after d, which is two minutes at least.
func (s *State) InterruptIn(in *Instance, d time.Duration) {
	if in.interrupted {
		return
	}
	if !in.warned {
		s.Recommend(in)
	}
	if d <= InterruptionNotice {
		s.Interrupt(in)
		return
	}
	s.after(d-InterruptionNotice, func() {
		if in.State(s.Now) == Running || in.State(s.Now) == Pending {
			s.Interrupt(in)
		}
	})
}

// InterruptionNotice is how long a spot instance has from notice to end.
const InterruptionNotice = 2 * time.Minute

// Booted notes how an instance's boot ended.
func (s *State) Booted(in *Instance, node, failure string) {
	in.Node, in.BootFailure = node, failure
}
