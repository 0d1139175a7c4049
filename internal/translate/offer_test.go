package translate

import (
	"testing"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

func TestPriceOfANode(t *testing.T) {
	t.Parallel()
	tenancy := func(value string) []shape.Label { return []shape.Label{{Key: "tenancy", Value: value}} }
	offer := NewOffer([]*shape.InstanceType{{Name: "small", Offerings: []shape.Offering{
		{Zone: "a", CapacityType: shape.OnDemand, Price: 100, Extra: tenancy("default")},
		{Zone: "a", CapacityType: shape.OnDemand, Price: 110, Extra: tenancy("dedicated")},
		{Zone: "b", CapacityType: shape.OnDemand, Price: 120, Extra: tenancy("default")},
	}}}, "")
	cases := map[string]struct {
		why, zone, tenancy string
		want               shape.Money
	}{
		"Shared":    {"its labels tell", "a", "default", 100},
		"Dedicated": {"its labels tell", "a", "dedicated", 110},
		"Older":     {"a node without the label is an ordinary one", "a", "", 100},
		"Gone":      {"it is not offered any more", "c", "default", 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			labels := map[string]string{
				shape.LabelInstanceType: "small",
				shape.LabelZone:         tc.zone,
				shape.LabelCapacityType: shape.OnDemand,
			}
			if tc.tenancy != "" {
				labels["tenancy"] = tc.tenancy
			}
			if got := offer.Price(labels); got != tc.want {
				t.Errorf("%s: %s, want %s", tc.why, got, tc.want)
			}
		})
	}
}
