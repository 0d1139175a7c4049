package simulate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/catalog"
	"github.com/dovetail-sh/dovetail/internal/manifest"
)

const defaultRegion = "us-east-1"

// regionOf is where the nodes of a pool are bought: where its own zones are, else where the flag says, else where its
// class has subnets, its nodes are, or anything of the cluster is. The error names the pool and what contradicts what.
func (s *shop) regionOf(np *karpenterv1.NodePool) (string, error) {
	named, strange := regionsNamed(np)
	switch {
	case len(named) > 1:
		return "", fmt.Errorf(
			"its requirements name zones of %s, and a NodePool buys in one region: make it one NodePool for each",
			strings.Join(named, " and "),
		)
	case len(named) == 0 && len(strange) > 0:
		return "", fmt.Errorf("its requirements name %s, which is in no region of the catalogue; it has %s",
			strings.Join(strange, ", "), strings.Join(regionNames(), ", "))
	case len(named) == 1 && s.market.Region != "" && s.market.Region != named[0]:
		return "", fmt.Errorf(
			"its requirements name zones of %s, and --region is %s: leave --region out, or change the zones",
			named[0],
			s.market.Region,
		)
	case len(named) == 1:
		if len(strange) > 0 {
			s.note(
				fmt.Sprintf(
					"NodePool %s names %s, which is in no region of the catalogue",
					np.Name,
					strings.Join(strange, ", "),
				),
			)
		}
		return named[0], nil
	}
	region := cmp.Or(
		s.market.Region,
		regionExcepted(np),
		regionOfClass(s.set, np.Spec.Template.Spec.NodeClassRef),
		regionOfNodes(s.set, np.Name),
		regionOfNodes(s.set, ""),
		regionOfClasses(s.set),
		regionOfVolumes(s.set),
		regionOfPods(s.set),
	)
	if region == "" {
		s.note("zones and prices are those of " + defaultRegion + "; --region chooses another")
	}
	return cmp.Or(region, defaultRegion), nil
}

// regionsNamed are the regions that a pool's requirements and labels name, ascending, and the zones and regions that
// the catalogue does not know.
func regionsNamed(np *karpenterv1.NodePool) (known, strange []string) {
	look := func(key string, values []string) {
		for _, value := range values {
			region, about := regionOfLabel(labelRules().Aliases.Normalize(key), value)
			switch {
			case region != "" && !slices.Contains(known, region):
				known = append(known, region)
			case about && region == "" && !slices.Contains(strange, value):
				strange = append(strange, value)
			}
		}
	}
	for _, r := range np.Spec.Template.Spec.Requirements {
		if r.Operator == corev1.NodeSelectorOpIn {
			look(r.Key, r.Values)
		}
	}
	for key, value := range np.Spec.Template.LabelMap() {
		look(key, []string{value})
	}
	slices.Sort(known)
	slices.Sort(strange)
	return known, strange
}

// regionExcepted is where zones are that a pool does not want: it wants others of the same region.
func regionExcepted(np *karpenterv1.NodePool) string {
	for _, r := range np.Spec.Template.Spec.Requirements {
		if r.Operator == corev1.NodeSelectorOpNotIn &&
			labelRules().Aliases.Normalize(r.Key) != corev1.LabelTopologyRegion {
			if region := firstRegion(r.Key, r.Values); region != "" {
				return region
			}
		}
	}
	return ""
}

// regionOfLabel is the region that a label's value is in, if the label is about places at all.
func regionOfLabel(key, value string) (region string, about bool) {
	switch key {
	case corev1.LabelTopologyRegion:
		r, _ := catalog.LookupRegion(value)
		return r.Name, true
	case corev1.LabelTopologyZone:
		return regionOfZone(value), true
	case awsv1.LabelTopologyZoneID:
		for _, r := range catalog.Regions() {
			if slices.Contains(r.ZoneIDs, value) {
				return r.Name, true
			}
		}
		return regionOfLocalZone(value), true
	}
	return "", false
}

// regionOfZone is empty for zones that are not AWS's. Zones are called after their region: us-east-1a,
// us-east-1-bos-1a.
func regionOfZone(zone string) string {
	for _, r := range catalog.Regions() {
		rest, ok := strings.CutPrefix(zone, r.Name)
		if ok && (len(rest) == 1 && rest[0] >= 'a' && rest[0] <= 'z' || strings.HasPrefix(rest, "-")) {
			return r.Name
		}
	}
	return ""
}

func regionOfLocalZone(id string) string {
	for _, r := range catalog.Regions() {
		for _, group := range catalog.LocalZones(r.Name) {
			if slices.Contains(group.ZoneIDs, id) {
				return r.Name
			}
		}
	}
	return ""
}

func regionNames() []string {
	var out []string
	for _, r := range catalog.Regions() {
		out = append(out, r.Name)
	}
	return out
}

// regionOfClass is where a class has subnets.
func regionOfClass(set *manifest.Set, ref *karpenterv1.NodeClassReference) string {
	for _, c := range set.EC2NodeClasses {
		if ref != nil && c.Name == ref.Name {
			return regionOfStatus(c)
		}
	}
	return ""
}

func regionOfClasses(set *manifest.Set) string {
	for _, c := range set.EC2NodeClasses {
		if region := regionOfStatus(c); region != "" {
			return region
		}
	}
	return ""
}

// regionOfStatus is where a class's subnets are, or else its capacity reservations.
func regionOfStatus(c *awsv1.EC2NodeClass) string {
	for _, subnet := range c.Status.Subnets {
		if region := regionOfZone(subnet.Zone); region != "" {
			return region
		}
	}
	for _, r := range c.Status.CapacityReservations {
		if region := regionOfZone(r.AvailabilityZone); region != "" {
			return region
		}
	}
	return ""
}

// regionOfNodes is where the nodes of a pool are, or any node if no pool is named.
func regionOfNodes(set *manifest.Set, pool string) string {
	for _, n := range set.Nodes {
		if pool != "" && n.Labels[karpenterv1.NodePoolLabelKey] != pool {
			continue
		}
		if region := cmp.Or(
			n.Labels[corev1.LabelTopologyRegion],
			regionOfZone(n.Labels[corev1.LabelTopologyZone]),
		); region != "" {
			return region
		}
	}
	return ""
}

// regionOfVolumes is where volumes are, or are allowed to be.
func regionOfVolumes(set *manifest.Set) string {
	for _, v := range set.Volumes {
		if a := v.Spec.NodeAffinity; a != nil {
			if region := regionOfSelector(a.Required); region != "" {
				return region
			}
		}
	}
	for _, c := range set.StorageClasses {
		for _, term := range c.AllowedTopologies {
			for _, e := range term.MatchLabelExpressions {
				if region := firstRegion(e.Key, e.Values); region != "" {
					return region
				}
			}
		}
	}
	return ""
}

// regionOfPods is where pods want to be.
func regionOfPods(set *manifest.Set) string {
	for _, p := range set.Pods {
		for key, value := range p.Spec.NodeSelector {
			if region := firstRegion(key, []string{value}); region != "" {
				return region
			}
		}
		if a := p.Spec.Affinity; a != nil && a.NodeAffinity != nil {
			if region := regionOfSelector(
				a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution,
			); region != "" {
				return region
			}
		}
	}
	return ""
}

func regionOfSelector(s *corev1.NodeSelector) string {
	if s == nil {
		return ""
	}
	for _, term := range s.NodeSelectorTerms {
		for _, e := range term.MatchExpressions {
			if e.Operator != corev1.NodeSelectorOpIn {
				continue
			}
			if region := firstRegion(e.Key, e.Values); region != "" {
				return region
			}
		}
	}
	return ""
}

func firstRegion(key string, values []string) string {
	for _, value := range values {
		if region, _ := regionOfLabel(labelRules().Aliases.Normalize(key), value); region != "" {
			return region
		}
	}
	return ""
}
