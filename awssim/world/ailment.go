package world

import (
	"fmt"
	"slices"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
)

// Ailment is what status checks and maintenance say of an instance that is not
// well.
type Ailment struct {
	// InstanceSince and SystemSince say since when a status check fails; zero
	// is not at all.
	InstanceSince, SystemSince time.Time
	Events                     []*ScheduledEvent // in the order they were announced
}

// ScheduledEvent is work that AWS will do on an instance's host.
type ScheduledEvent struct {
	ID, Code            string
	Description         string
	Announced           time.Time
	NotBefore, NotAfter time.Time
}

// EventCodes are the kinds of scheduled events, with EC2's descriptions.
var EventCodes = map[string]string{
	"instance-reboot":     "The instance is scheduled for a reboot",
	"system-reboot":       "The instance is scheduled for a reboot of its host",
	"system-maintenance":  "The instance is scheduled for maintenance of its host",
	"instance-retirement": "The instance is running on degraded hardware",
	"instance-stop":       "The instance is scheduled to be stopped",
}

// maintenanceWindow is how long a scheduled event may take to begin.
const maintenanceWindow = 2 * time.Hour

// ReasonMaintenance ends instances whose host is retired.
const ReasonMaintenance = "Server.ScheduledStop: Stopped due to a scheduled retirement"

func (in *Instance) ailment() *Ailment {
	if in.Ailment == nil {
		in.Ailment = &Ailment{}
	}
	return in.Ailment
}

// Schedule announces work on an instance's host. When it begins, a retirement
// or stop ends the instance; other work is over when its window is.
func (s *State) Schedule(in *Instance, code string, ahead time.Duration) error {
	description, known := EventCodes[code]
	if !known {
		return apierror.Invalid("Event code %q is unknown", code)
	}
	at := s.Now.Add(ahead)
	e := &ScheduledEvent{
		ID: s.id(
			"instance-event",
		),
		Code:        code,
		Description: description,
		Announced:   s.Now,
		NotBefore:   at,
		NotAfter:    at.Add(maintenanceWindow),
	}
	ailment := in.ailment()
	ailment.Events = append(ailment.Events, e)
	s.effect(in, EffectScheduled)
	s.effects[len(s.effects)-1].Event = *e
	s.after(ahead, func() {
		if (code == "instance-retirement" || code == "instance-stop") && in.State(s.Now) == Running {
			s.Terminate(in, ReasonMaintenance)
		}
	})
	s.after(ahead+maintenanceWindow, func() {
		in.Ailment.Events = slices.DeleteFunc(
			in.Ailment.Events,
			func(other *ScheduledEvent) bool { return other == e },
		)
	})
	return nil
}

// Impair has a status check of an instance fail from now on, or pass again.
// check is "instance" or "system".
func (s *State) Impair(in *Instance, check string, fails bool) error {
	since := time.Time{}
	if fails {
		since = s.Now
	}
	switch check {
	case "instance":
		in.ailment().InstanceSince = since
	case "system":
		in.ailment().SystemSince = since
	default:
		return fmt.Errorf("status check %q is unknown; want instance or system", check)
	}
	return nil
}

// Reclaim takes back an instance that runs in an interruptible capacity
// reservation, after its notice.
func (s *State) Reclaim(in *Instance) {
	s.effect(in, EffectReclaim)
	s.after(InterruptionNotice, func() { s.Terminate(in, ReasonReclaim) })
}

// ReasonReclaim ends instances whose reservation was taken back.
const ReasonReclaim = "Server.CapacityReservationInstanceTermination: Capacity Reservation instance termination"
