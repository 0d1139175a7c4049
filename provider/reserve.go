package provider

import (
	"context"
	"time"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// Reserver is a Cloud that sells what was reserved beforehand. It is optional. All methods may be called at once from
// many goroutines.
type Reserver interface {
	// Reservation tells how a claim of the reserved capacity type stands with its reservation, and of one that is
	// ending when the machine is taken away; zero if that is not known. ErrNotFound if the claim has no machine (any
	// more).
	Reservation(ctx context.Context, claim *karpenterv1.NodeClaim) (state ReservationState, ends time.Time, err error)

	// ReservationLabels are the labels that only nodes on reserved capacity have, besides that of the capacity type.
	ReservationLabels() []string
}

// ReservationState is how a machine stands with the reservation that it was launched into.
type ReservationState string

// States of reservations.
const (
	// ReservationHeld is the usual state.
	ReservationHeld ReservationState = "held"
	// ReservationLost machines run on, and are paid for as on demand: the reservation ended or was changed.
	ReservationLost ReservationState = "lost"
	// ReservationEnding machines are taken away soon.
	ReservationEnding ReservationState = "ending"
)
