package world

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/catalog"
)

// Markets that launch templates name beside spot.
const (
	BlockMarket         = "capacity-block"
	InterruptibleMarket = "interruptible-capacity-reservation"
)

// CapacityReservation holds machines of one type in one zone for the account.
type CapacityReservation struct {
	ID      string
	Type    *catalog.Type
	Zone    *Zone
	Windows bool
	// Targeted is false when any launch that fits uses it.
	Targeted bool
	// Block says that it is a capacity block for ML: launches must name it, and
	// its instances end with it.
	Block bool
	// Interruptible says that EC2 may take its instances back. Source is the
	// reservation that it was split from.
	Interruptible bool
	Source        string
	// Dedicated says that its machines run on hardware of the account's own.
	Dedicated  bool
	Total      int
	Created    time.Time
	Start, End time.Time // End is zero without an end
	Cancelled  bool
	Tags       []launchspec.Tag

	used int // instances that run in it
}

// State is what EC2 says of the reservation at a time.
func (r *CapacityReservation) State(now time.Time) string {
	switch {
	case r.Cancelled:
		return "cancelled"
	case !r.End.IsZero() && !now.Before(r.End):
		return "expired"
	case now.Before(r.Start):
		return "scheduled"
	default:
		return "active"
	}
}

// Available is how many more instances fit in.
func (r *CapacityReservation) Available() int { return max(0, r.Total-r.used) }

// Kind is EC2's name of the reservation's kind.
func (r *CapacityReservation) Kind() string {
	if r.Block {
		return BlockMarket
	}
	return "default"
}

// market is what a launch into the reservation must name.
func (r *CapacityReservation) market() string {
	switch {
	case r.Block:
		return BlockMarket
	case r.Interruptible:
		return InterruptibleMarket
	default:
		return ""
	}
}

// Reserve adds a reservation, from its Start on.
func (s *State) Reserve(r *CapacityReservation) error {
	switch {
	case r.Total < 1:
		return apierror.Invalid("InstanceCount must be at least 1, got %d", r.Total)
	case !s.Offered(r.Type, r.Zone):
		return apierror.New("Unsupported", "The instance type %s is not offered in %s.", r.Type.Name, r.Zone.Name)
	case !r.End.IsZero() && !r.End.After(s.Now):
		return apierror.Invalid("EndDate must be in the future.")
	}
	r.ID, r.Created = s.id("cr"), s.Now
	if r.Start.IsZero() {
		r.Start = s.Now
	}
	s.Reservations = append(s.Reservations, r)
	if r.Block {
		s.after(r.Start.Sub(s.Now), func() { s.blockEffect(r, EffectBlockDelivered) })
		s.after(r.End.Sub(s.Now)-blockWarning, func() { s.blockEffect(r, EffectBlockExpiring) })
		s.after(r.End.Sub(s.Now)-blockDrain, func() { s.endBlock(r) })
	} else if !r.End.IsZero() {
		s.after(r.End.Sub(s.Now), func() { s.release(r) })
	}
	return nil
}

// EC2 warns 40 minutes before a capacity block ends and terminates its
// instances from 30 minutes before.
const (
	blockWarning = 40 * time.Minute
	blockDrain   = 30 * time.Minute
)

// ReasonBlock ends instances with their capacity block.
const ReasonBlock = "Server.CapacityBlockTermination: Capacity Block instance termination"

func (s *State) endBlock(r *CapacityReservation) {
	for _, in := range slices.Clone(s.Instances) {
		if in.Reserved == r {
			s.Terminate(in, ReasonBlock)
		}
	}
}

// release lets instances run on outside a reservation that is over.
func (s *State) release(r *CapacityReservation) {
	for _, in := range s.Instances {
		if in.Reserved == r {
			in.Reserved = nil
			r.used--
			s.inUse[in.Pool()]++
		}
	}
}

// CancelReservation ends a reservation. Its instances run on.
func (s *State) CancelReservation(r *CapacityReservation) error {
	if state := r.State(s.Now); state != "active" {
		return apierror.New("InvalidState", "The Capacity Reservation %s is %s.", r.ID, state)
	}
	if r.Block {
		return apierror.New("OperationNotPermitted", "You can't cancel a Capacity Block.")
	}
	r.Cancelled = true
	s.release(r)
	return nil
}

// Reservation finds a capacity reservation by id.
func (s *State) Reservation(id string) (*CapacityReservation, error) {
	for _, r := range s.Reservations {
		if r.ID == id {
			return r, nil
		}
	}
	if rest, ok := strings.CutPrefix(id, "cr-"); !ok || strings.Trim(rest, "0123456789abcdef") != "" {
		return nil, apierror.New(
			"InvalidCapacityReservationId.Malformed",
			"Invalid id: \"%s\" (expecting \"cr-...\")",
			id,
		)
	}
	return nil, apierror.New(
		"InvalidCapacityReservationId.NotFound",
		"The capacity reservation ID '%s' does not exist",
		id,
	)
}

// reservationFor finds the reservation that a launch uses; nil for none.
func (s *State) reservationFor(o order) (*CapacityReservation, error) {
	choice, market := o.Data.CapacityReservationSpecification, o.Data.Market()
	if choice == nil {
		choice = &launchspec.ReservationChoice{}
	}
	reserved := market == BlockMarket || market == InterruptibleMarket
	switch {
	case o.Spot:
		return nil, nil
	case choice.Target != nil && choice.Target.ID != "":
		return s.targeted(o, choice.Target.ID, market)
	case choice.Target != nil:
		return nil, apierror.New("Unsupported", "Groups of capacity reservations are not simulated.")
	case reserved:
		return nil, apierror.New(
			"InvalidParameterCombination",
			"The market type %s needs the capacity reservation to launch into.",
			market,
		)
	case choice.Preference == "none":
		return nil, nil
	}
	for _, r := range s.Reservations {
		if !r.Targeted && r.market() == "" && r.fits(o) && r.State(s.Now) == "active" && r.Available() > 0 {
			return r, nil
		}
	}
	if choice.Preference == "capacity-reservations-only" {
		return nil, noRoom()
	}
	return nil, nil
}

func (s *State) targeted(o order, id, market string) (*CapacityReservation, error) {
	r, err := s.Reservation(id)
	switch {
	case err != nil:
		return nil, err
	case r.market() != market && (market != OnDemand || r.market() != ""):
		return nil, apierror.New(
			"InvalidParameterCombination",
			"The capacity reservation %s needs the market type %q.",
			id,
			cmp.Or(r.market(), OnDemand),
		)
	case !r.fits(o):
		return nil, apierror.New(
			"InvalidParameterCombination",
			"The capacity reservation %s is for %s in %s with %s tenancy.",
			id,
			r.Type.Name,
			r.Zone.Name,
			r.Tenancy(),
		)
	case r.State(s.Now) != "active":
		return nil, apierror.New("InvalidState", "The capacity reservation %s is %s.", id, r.State(s.Now))
	case r.Available() == 0:
		return nil, noRoom()
	}
	return r, nil
}

func (r *CapacityReservation) fits(o order) bool {
	return r.Type == o.Type && r.Zone == o.Subnet.Zone && r.Windows == o.Image.Windows &&
		r.Dedicated == (tenancyOf(o.Data) == DedicatedTenancy)
}

// Tenancy is EC2's word for on whose hardware the machines run.
func (r *CapacityReservation) Tenancy() string {
	if r.Dedicated {
		return DedicatedTenancy
	}
	return SharedTenancy
}

func noRoom() error {
	return apierror.New(
		"ReservationCapacityExceeded",
		"The requested reservation does not have sufficient compatible and available capacity for this request.",
	)
}

// acquire takes a machine out of a reservation or, without one, of the pool.
func (s *State) acquire(r *CapacityReservation, p Pool) error {
	if r == nil {
		return s.draw(p)
	}
	r.used++
	return nil
}

// relinquish gives back what acquire took.
func (s *State) relinquish(in *Instance) {
	if in.Reserved == nil {
		s.giveBack(in.Pool())
		return
	}
	in.Reserved.used--
}
