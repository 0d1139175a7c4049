package roster

import (
	"cmp"
	"slices"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// Reservations are those that the cluster's node classes may launch into, with how many of its nodes are on each.
func Reservations(set *manifest.Set) []view.Reservation {
	on := map[string]int{}
	for _, n := range set.Nodes {
		on[n.Labels[awsv1.LabelCapacityReservationID]]++
	}
	out := []view.Reservation{}
	for _, class := range set.EC2NodeClasses {
		for i := range class.Status.CapacityReservations {
			r := &class.Status.CapacityReservations[i]
			shown := view.Reservation{
				ID:           r.ID,
				Class:        class.Name,
				InstanceType: r.InstanceType,
				Zone:         r.AvailabilityZone,
				Kind:         string(r.ReservationType),
				State:        string(r.State),
				Used:         on[r.ID],
			}
			if r.EndTime != nil {
				shown.Ends = r.EndTime.Time
			}
			out = append(out, shown)
		}
	}
	slices.SortFunc(
		out,
		func(a, b view.Reservation) int { return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Class, b.Class)) },
	)
	return out
}
