package provider

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Sells reports whether any offering satisfies all requirements, sold out or not.
func Sells(types []*shape.InstanceType, reqs []shape.Requirement) bool {
	wanted := require.New(reqs)
	for _, t := range types {
		unmet := unmetBy(t, wanted)
		for i := range t.Offerings {
			if offeringSuits(&t.Offerings[i], wanted, unmet) {
				return true
			}
		}
	}
	return false
}

// Exhausted reports whether all that satisfies the requirements is in reservations that have no machine left: whoever
// wants one has to give one back first. A reservation that has machines left and cannot be used just now is not
// exhausted, and one offering of another kind, sold out or not, is something to wait for.
func Exhausted(types []*shape.InstanceType, reqs []shape.Requirement) bool {
	wanted := require.New(reqs)
	found := false
	for _, t := range types {
		unmet := unmetBy(t, wanted)
		for i := range t.Offerings {
			o := &t.Offerings[i]
			if !offeringSuits(o, wanted, unmet) {
				continue
			}
			if o.Reservation == "" || o.Remaining > 0 {
				return false
			}
			found = true
		}
	}
	return found
}

// ReservationOf names the reservation of a machine with these labels, as far as its type still offers it; empty for
// none.
func ReservationOf(types []*shape.InstanceType, labels map[string]string) string {
	if labels[shape.LabelCapacityType] != shape.Reserved {
		return ""
	}
	for _, t := range types {
		if t.Name != labels[shape.LabelInstanceType] {
			continue
		}
		for i := range t.Offerings {
			if o := &t.Offerings[i]; o.Reservation != "" && o.Zone == labels[shape.LabelZone] &&
				carries(labels, o.Extra) {
				return o.Reservation
			}
		}
	}
	return ""
}

func carries(labels map[string]string, all []shape.Label) bool {
	return !slices.ContainsFunc(all, func(l shape.Label) bool { return labels[l.Key] != l.Value })
}
