package roster

import (
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/catalog"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// priceLabel is what viewers of EKS's nodes take for a node's price before all else, in dollars an hour.
const priceLabel = "eks-node-viewer/instance-price"

// price is what a machine costs and who says so. No region is guessed: a node that does not say where it is has no
// price.
func (s *Seen) price(m *view.Machine, claim *karpenterv1.NodeClaim, on map[string]string) (view.PerHour, string) {
	if text, ok := on[priceLabel]; ok {
		if dollars, err := strconv.ParseFloat(text, 64); err == nil && dollars >= 0 {
			return view.PerHour(shape.Dollars(dollars)), "label"
		}
	}
	if m.Price > 0 {
		return m.Price, "pool"
	}
	if claim == nil && m.Pool != "" {
		if price := s.ready.Offer(m.Pool).Price(on); price > 0 {
			return view.PerHour(price), "pool"
		}
	}
	if price, ok := Catalogue(on[corev1.LabelTopologyRegion], m.Zone, m.InstanceType, m.CapacityType); ok {
		return view.PerHour(price), "catalogue"
	}
	if claim != nil {
		if dollars, ok := translate.PlannedPrice(claim); ok {
			return view.PerHour(shape.Dollars(dollars)), "plan"
		}
	}
	return 0, ""
}

// Catalogue is what the built-in catalogue says that a machine costs; false if it does not know it. Machines of node
// groups do not always say how they are paid for: those are on demand.
func Catalogue(region, zone, instanceType, capacityType string) (shape.Money, bool) {
	if region == "" {
		for _, r := range catalog.Regions() {
			if rest, ok := strings.CutPrefix(zone, r.Name); ok && (len(rest) == 1 || strings.HasPrefix(rest, "-")) {
				region = r.Name
			}
		}
	}
	if region == "" {
		return 0, false
	}
	place := catalog.PricedAs(region, zone)
	switch capacityType {
	case karpenterv1.CapacityTypeSpot:
		p, ok := catalog.Spot(place, instanceType)
		return shape.Money(p.Avg), ok
	case karpenterv1.CapacityTypeOnDemand, "":
		p, ok := catalog.OnDemand(place, instanceType)
		return shape.Money(p), ok
	}
	return 0, false
}
