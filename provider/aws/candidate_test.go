package aws

import (
	"testing"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/fleet"
)

// The machine is described by the candidate that EC2 chose, also where others are of the same type and zone.
func TestTheCandidateIsTheOneThatWasBought(t *testing.T) {
	t.Parallel()
	sold := &shape.InstanceType{Name: "m5.large"}
	in := func(zone, reservation string) provider.Candidate {
		return provider.Candidate{Type: sold, Offering: &shape.Offering{Zone: zone, Reservation: reservation}}
	}
	round := []provider.Candidate{in("a", "cr-1"), in("a", "cr-2"), in("b", "cr-3")}
	for _, want := range round {
		got, ok := candidateOf(round, offerOf(want))
		if !ok || got.Offering != want.Offering {
			t.Errorf(
				"bought from %s in %s, described as %+v",
				want.Offering.Reservation,
				want.Offering.Zone,
				got.Offering,
			)
		}
	}
	for name, bought := range map[string]fleet.Offer{
		"another type":        {InstanceType: "m5.xlarge", Zone: "a", Reservation: "cr-1"},
		"another zone":        {InstanceType: "m5.large", Zone: "c", Reservation: "cr-1"},
		"another reservation": {InstanceType: "m5.large", Zone: "a", Reservation: "cr-9"},
	} {
		if c, ok := candidateOf(round, bought); ok {
			t.Errorf("%s: found %+v", name, c)
		}
	}
}
