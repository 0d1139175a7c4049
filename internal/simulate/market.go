package simulate

import (
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	kwokv1alpha1 "github.com/dovetail-sh/dovetail/api/kwok/v1alpha1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider/aws/offline"
	"github.com/dovetail-sh/dovetail/provider/kwok"
)

// Market is what can be bought.
type Market struct {
	// Region is where the types and prices of EC2NodeClasses come from: "us-east-1". Empty for where each NodePool's
	// zones are, or else whatever of the cluster says where it is.
	Region string

	// Account is what is known of the AWS account.
	Account offline.Account

	// Types, if there are any, are sold to every NodePool, whatever its class.
	Types []*shape.InstanceType

	// Sold is what a NodePool is offered, for whoever is told by a cloud; nil, and a nil offer, for what the fields
	// above say.
	Sold func(pool string) *translate.Offer

	// Overhead is what the kubelet and the system keep of every machine; nil for what the types say.
	Overhead *shape.Vector
}

// shop answers what each NodePool is offered.
type shop struct {
	market  Market
	set     *manifest.Set
	lenient bool
	byKey   map[string]*translate.Offer
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
		o, err := translate.ReadOverlay(object, labelRules())
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
		s.notes = append(
			s.notes,
			fmt.Sprintf(
				"NodeOverlays count, %d of them; the controller needs feature gate NodeOverlay for that",
				len(hold),
			),
		)
	}
	for _, stock := range stocks {
		o := offers[stock.Pool.Name]
		offers[stock.Pool.Name] = translate.OverlayTypes(hold, stock.Pool, stock.Types).Offer(o.NotReady)
	}
	return nil
}

// offer is shared by pools that buy the same: of one class, in one region.
func (s *shop) offer(np *karpenterv1.NodePool) (*translate.Offer, error) {
	if s.market.Sold != nil {
		if o := s.market.Sold(np.Name); o != nil {
			return o, nil
		}
	}
	ref := np.Spec.Template.Spec.NodeClassRef
	key, region := "", ""
	if len(s.market.Types) == 0 {
		if ref == nil {
			return nil, fmt.Errorf(
				"spec.template.spec.nodeClassRef is missing; name an EC2NodeClass or a KWOKNodeClass",
			)
		}
		if ref.Group == awsv1.Group {
			var err error
			if region, err = s.regionOf(np); err != nil {
				return nil, err
			}
		}
		key = ref.Group + "/" + ref.Kind + "/" + ref.Name + "/" + region
	}
	if o := s.byKey[key]; o != nil {
		return o, nil
	}
	types, err := s.types(ref, region)
	if err != nil {
		return nil, err
	}
	o := translate.NewOffer(withOverhead(types, s.market.Overhead), "")
	s.byKey[key] = o
	return o, nil
}

func (s *shop) types(ref *karpenterv1.NodeClassReference, region string) ([]*shape.InstanceType, error) {
	switch {
	case len(s.market.Types) > 0:
		return s.market.Types, nil
	case ref.Group == awsv1.Group && ref.Kind == "EC2NodeClass":
		class := s.ec2Class(ref.Name, region)
		account := s.market.Account
		account.PrefixDelegation = account.PrefixDelegation || delegatesPrefixes(s.set)
		types, notes, err := account.Types(region, class, s.poolsOf(ref)...)
		for _, note := range append(unknowns(class, region), notes...) {
			s.note("EC2NodeClass " + ref.Name + ": " + note)
		}
		return types, err
	case ref.Group == kwokv1alpha1.Group:
		return kwok.GenericTypes(), nil
	}
	return nil, fmt.Errorf(
		"nothing is known of what %s (%s) sells; give its types with --instance-types",
		ref.Kind,
		ref.Group,
	)
}

// note says something once.
func (s *shop) note(text string) {
	if !slices.Contains(s.notes, text) {
		s.notes = append(s.notes, text)
	}
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

// ec2Class is the class of that name as it would be in a region.
func (s *shop) ec2Class(name, region string) *awsv1.EC2NodeClass {
	for _, c := range s.set.EC2NodeClasses {
		if c.Name != name {
			continue
		}
		if home := regionOfStatus(c); home != "" && home != region {
			s.note(
				fmt.Sprintf(
					"what EC2NodeClass %s has found is in %s: every zone of %s is taken to have a subnet",
					name,
					home,
					region,
				),
			)
			c = c.DeepCopy()
			c.Status = awsv1.EC2NodeClassStatus{}
		}
		return c
	}
	s.note(fmt.Sprintf("EC2NodeClass %s is not given: its nodes are taken to be AL2023 with default settings", name))
	return &awsv1.EC2NodeClass{
		Spec: awsv1.EC2NodeClassSpec{
			AMISelectorTerms: []awsv1.AMISelectorTerm{{Alias: "al2023@" + awsv1.AliasVersionLatest}},
		},
	}
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

// delegatesPrefixes reports whether the VPC CNI among the DaemonSets gives network interfaces prefixes; the controller
// looks at the same variable.
func delegatesPrefixes(set *manifest.Set) bool {
	for _, ds := range set.DaemonSets {
		if ds.Namespace != "kube-system" || ds.Name != "aws-node" {
			continue
		}
		for _, c := range ds.Spec.Template.Spec.Containers {
			if k := slices.IndexFunc(c.Env, isPrefixDelegation); k >= 0 {
				on, err := strconv.ParseBool(c.Env[k].Value)
				return err == nil && on
			}
		}
	}
	return false
}

func isPrefixDelegation(v corev1.EnvVar) bool { return v.Name == "ENABLE_PREFIX_DELEGATION" }
