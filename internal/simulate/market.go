package simulate

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	kwokv1alpha1 "github.com/dovetail-sh/dovetail/api/kwok/v1alpha1"
	"github.com/dovetail-sh/dovetail/catalog"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider/aws/offline"
	"github.com/dovetail-sh/dovetail/provider/kwok"
)

// Market is what can be bought.
type Market struct {
	// Region is where prices and types of EC2NodeClasses come from: "us-east-1". Assumed if nobody said so.
	Region  string
	Assumed bool

	// Types, if there are any, are sold to every NodePool, whatever its class.
	Types []*shape.InstanceType

	// Overhead is what the kubelet and the system keep of every machine; nil for what the types say.
	Overhead *shape.Vector
}

// shop answers what each NodePool is offered.
type shop struct {
	market  Market
	set     *manifest.Set
	lenient bool
	byClass map[string]*translate.Offer
	notes   []string
}

func (s *shop) offers() (map[string]*translate.Offer, error) {
	out := map[string]*translate.Offer{}
	var stocks []translate.Stock
	for _, np := range s.set.NodePools {
		offer, err := s.offer(np)
		if err != nil && s.lenient {
			offer, err = translate.NewOffer(nil, err.Error()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("NodePool %s: %w", np.Name, err)
		}
		out[np.Name] = offer
		stocks = append(stocks, translate.Stock{Pool: np, Types: offer.Types})
	}
	return out, s.overlay(out, stocks)
}

// overlay applies NodeOverlays to offers.
func (s *shop) overlay(offers map[string]*translate.Offer, stocks []translate.Stock) error {
	var overlays []translate.Overlay
	for _, object := range s.set.NodeOverlays {
		o, err := translate.ReadOverlay(object, awsv1.LabelRules(), kwokv1alpha1.LabelRules())
		switch {
		case err == nil:
			overlays = append(overlays, o)
		case s.lenient:
			s.notes = append(s.notes, fmt.Sprintf("NodeOverlay %s is left out: %v", object.Name, err))
		default:
			return fmt.Errorf("NodeOverlay %s: %w", object.Name, err)
		}
	}
	hold, conflicts := translate.Settle(overlays, stocks)
	for _, c := range conflicts {
		s.notes = append(s.notes, fmt.Sprintf("NodeOverlay %s is left out: %v", c.Overlay, c))
	}
	if len(hold) == 0 {
		return nil
	}
	if !s.lenient {
		s.notes = append(s.notes, fmt.Sprintf("NodeOverlays count, %d of them; the controller needs feature gate NodeOverlay for that", len(hold)))
	}
	for _, stock := range stocks {
		o := offers[stock.Pool.Name]
		offers[stock.Pool.Name] = translate.OverlayTypes(hold, stock.Pool, stock.Types).Offer(o.NotReady)
	}
	return nil
}

// offer is shared by pools of one class.
func (s *shop) offer(np *karpenterv1.NodePool) (*translate.Offer, error) {
	ref := np.Spec.Template.Spec.NodeClassRef
	key := ""
	if len(s.market.Types) == 0 {
		if ref == nil {
			return nil, fmt.Errorf("spec.template.spec.nodeClassRef is missing; name an EC2NodeClass or a KWOKNodeClass")
		}
		key = ref.Kind + "/" + ref.Name
	}
	if o := s.byClass[key]; o != nil {
		return o, nil
	}
	types, err := s.types(ref)
	if err != nil {
		return nil, err
	}
	o := translate.NewOffer(withOverhead(types, s.market.Overhead), "")
	s.byClass[key] = o
	return o, nil
}

func (s *shop) types(ref *karpenterv1.NodeClassReference) ([]*shape.InstanceType, error) {
	switch {
	case len(s.market.Types) > 0:
		return s.market.Types, nil
	case ref.Group == awsv1.Group && ref.Kind == "EC2NodeClass":
		s.noteRegion()
		return offline.Types(s.market.Region, s.ec2Class(ref.Name), s.poolsOf(ref)...)
	case ref.Group == kwokv1alpha1.Group:
		return kwok.GenericTypes(), nil
	}
	return nil, fmt.Errorf("nothing is known of what %s (%s) sells; give its types with --instance-types", ref.Kind, ref.Group)
}

func (s *shop) noteRegion() {
	note := "zones and prices are those of " + s.market.Region + "; --region chooses another"
	if s.market.Assumed && !slices.Contains(s.notes, note) {
		s.notes = append(s.notes, note)
	}
}

// RegionOf is the region that a cluster's nodes and node classes are in; empty if they do not say.
func RegionOf(set *manifest.Set) string {
	for _, n := range set.Nodes {
		if region := n.Labels[corev1.LabelTopologyRegion]; region != "" {
			return region
		}
	}
	for _, c := range set.EC2NodeClasses {
		for _, subnet := range c.Status.Subnets {
			for _, r := range catalog.Regions() {
				// Zones are called after their region: us-east-1a, us-east-1-bos-1a.
				if rest, ok := strings.CutPrefix(subnet.Zone, r.Name); ok && (len(rest) == 1 || strings.HasPrefix(rest, "-")) {
					return r.Name
				}
			}
		}
	}
	return ""
}

// poolsOf are the NodePools of a class.
func (s *shop) poolsOf(ref *karpenterv1.NodeClassReference) []*karpenterv1.NodePool {
	var out []*karpenterv1.NodePool
	for _, np := range s.set.NodePools {
		if other := np.Spec.Template.Spec.NodeClassRef; other != nil && *other == *ref {
			out = append(out, np)
		}
	}
	return out
}

func (s *shop) ec2Class(name string) *awsv1.EC2NodeClass {
	for _, c := range s.set.EC2NodeClasses {
		if c.Name == name {
			return c
		}
	}
	s.notes = append(s.notes, fmt.Sprintf("EC2NodeClass %s is not given: its nodes are taken to be AL2023 with default settings", name))
	return &awsv1.EC2NodeClass{}
}

// withOverhead are the types with another overhead.
func withOverhead(types []*shape.InstanceType, overhead *shape.Vector) []*shape.InstanceType {
	if overhead == nil {
		return types
	}
	out := make([]*shape.InstanceType, len(types))
	for i, t := range types {
		it := *t
		it.Allocatable = it.Capacity.Sub(*overhead)
		it.Offerings = make([]shape.Offering, len(t.Offerings))
		for j, o := range t.Offerings {
			o.Allocatable = nil
			it.Offerings[j] = o
		}
		out[i] = &it
	}
	return out
}
