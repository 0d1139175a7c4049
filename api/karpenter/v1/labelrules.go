package v1

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
)

// LabelRules says which labels users may put in templates and requirements.
//
// Each cloud has its own; Merge adds them to those of this package, which
// CoreLabelRules returns.
//
// +kubebuilder:object:generate=false
type LabelRules struct {
	// WellKnown labels are set by the controller from what it launches. They may
	// be used even where their domain is reserved.
	WellKnown sets.Set[string]
	// Reserved domains, and the domains below them, may not be used otherwise.
	Reserved sets.Set[string]
	// Forbidden labels may never be used.
	Forbidden sets.Set[string]
	// Values of well-known labels that have a fixed set of them.
	Values map[string]sets.Set[string]
	// Aliases are further names of well-known labels.
	Aliases LabelAliases
}

// CoreLabelRules are the rules that hold for every cloud.
func CoreLabelRules() LabelRules {
	return LabelRules{
		WellKnown: sets.New(
			NodePoolLabelKey,
			CapacityTypeLabelKey,
			corev1.LabelTopologyZone,
			corev1.LabelTopologyRegion,
			corev1.LabelInstanceTypeStable,
			corev1.LabelArchStable,
			corev1.LabelOSStable,
			corev1.LabelWindowsBuild,
		),
		Reserved:  sets.New(Group),
		Forbidden: sets.New(corev1.LabelHostname),
		Values: map[string]sets.Set[string]{
			CapacityTypeLabelKey: sets.New(CapacityTypeOnDemand, CapacityTypeSpot, CapacityTypeReserved),
		},
	}
}

// Merge returns the rules of r and other together. Neither changes.
func (r LabelRules) Merge(other LabelRules) LabelRules {
	values := map[string]sets.Set[string]{}
	maps.Copy(values, r.Values)
	maps.Copy(values, other.Values)
	aliases := LabelAliases{}
	maps.Copy(aliases, r.Aliases)
	maps.Copy(aliases, other.Aliases)
	return LabelRules{
		WellKnown: r.WellKnown.Union(other.WellKnown),
		Reserved:  r.Reserved.Union(other.Reserved),
		Forbidden: r.Forbidden.Union(other.Forbidden),
		Values:    values,
		Aliases:   aliases,
	}
}

// Check returns an error that says why a label may not be used, or nil.
func (r LabelRules) Check(key string) error {
	if r.Forbidden.Has(key) {
		return fmt.Errorf("label %s differs on every node, so it cannot be used here", key)
	}
	if r.WellKnown.Has(key) {
		return nil
	}
	domain := LabelDomain(key)
	for _, reserved := range slices.Sorted(maps.Keys(r.Reserved)) {
		if domain != reserved && !strings.HasSuffix(domain, "."+reserved) {
			continue
		}
		return fmt.Errorf("label %s is in the reserved domain %s; use a label of your own domain or one of %s",
			key, reserved, strings.Join(r.wellKnownIn(reserved), ", "))
	}
	return nil
}

func (r LabelRules) wellKnownIn(reserved string) []string {
	var keys []string
	for _, key := range sets.List(r.WellKnown) {
		if domain := LabelDomain(key); domain == reserved || strings.HasSuffix(domain, "."+reserved) {
			keys = append(keys, key)
		}
	}
	return keys
}

// LabelDomain is what comes before the slash of a label, or "".
func LabelDomain(key string) string {
	domain, _, found := strings.Cut(key, "/")
	if !found {
		return ""
	}
	return domain
}

// NodeClassLabelKey is the label that names the node class of a node, such as
// karpenter.k8s.aws/ec2nodeclass.
func NodeClassLabelKey(kind schema.GroupKind) string {
	return kind.Group + "/" + strings.ToLower(kind.Kind)
}

// LabelAliases are names that a cloud's drivers use for well-known labels, such as
// topology.ebs.csi.aws.com/zone for topology.kubernetes.io/zone: the label that is
// meant, by its other name. The deprecated names of Kubernetes itself need not be
// among them, so nil is for clouds that add none.
//
// Whoever reads the key of a node's label from an object normalizes it first:
// selectors, affinity, topology keys, volumes, requirements, templates and nodes.
type LabelAliases map[string]string

// Normalize returns the well-known label that a key is another name of, and any
// other key as it is.
func (a LabelAliases) Normalize(key string) string {
	if label, found := a[key]; found {
		return label
	}
	return normalizeLabel(key)
}

// normalizeLabel turns the deprecated name of a well-known label into the one in use.
func normalizeLabel(key string) string {
	switch key {
	case corev1.LabelFailureDomainBetaZone:
		return corev1.LabelTopologyZone
	case corev1.LabelFailureDomainBetaRegion:
		return corev1.LabelTopologyRegion
	case corev1.LabelInstanceType:
		return corev1.LabelInstanceTypeStable
	case "beta.kubernetes.io/arch":
		return corev1.LabelArchStable
	case "beta.kubernetes.io/os":
		return corev1.LabelOSStable
	default:
		return key
	}
}
