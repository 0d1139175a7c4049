package translate

import (
	"cmp"
	"maps"
	"slices"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	karpenterv1alpha1 "github.com/dovetail-sh/dovetail/api/karpenter/v1alpha1"
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Overlay is a NodeOverlay in the planner's words.
type Overlay struct {
	Name   string
	Weight int32 // higher wins

	wanted   require.Set
	aliases  karpenterv1.LabelAliases // of the cloud
	price    *adjustment              // nil leaves prices alone
	capacity []shape.Amount           // extended resources, ascending
}

// ReadOverlay translates a NodeOverlay. The error names the field and what is wrong with it.
func ReadOverlay(o *karpenterv1alpha1.NodeOverlay, clouds ...karpenterv1.LabelRules) (Overlay, error) {
	if errs := o.Validate(clouds...); len(errs) > 0 {
		return Overlay{}, errs.ToAggregate()
	}
	rules := karpenterv1.CoreLabelRules()
	for _, cloud := range clouds {
		rules = rules.Merge(cloud)
	}
	out := Overlay{Name: o.Name, aliases: rules.Aliases, capacity: vectorOf(o.Spec.Capacity, floor).Extended}
	if o.Spec.Weight != nil {
		out.Weight = *o.Spec.Weight
	}
	var reqs []shape.Requirement
	for _, r := range o.Spec.Requirements {
		reqs = append(
			reqs,
			requirementOf(
				&karpenterv1.Requirement{Key: r.Key, Operator: r.Operator, Values: r.Values},
				rules.Aliases,
			),
		)
	}
	out.wanted = require.New(reqs)
	var price adjustment
	var err error
	switch {
	case o.Spec.Price != nil:
		price, err = fixedPrice(*o.Spec.Price)
	case o.Spec.PriceAdjustment != nil:
		price, err = changedPrice(*o.Spec.PriceAdjustment)
	default:
		return out, nil
	}
	out.price = &price
	return out, err
}

// CompareOverlays orders overlays by precedence: falling weight, then falling name.
func CompareOverlays(a, b Overlay) int {
	return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(b.Name, a.Name))
}

// aliasesOf are those that overlays were read with, all of them with the same.
func aliasesOf(overlays []Overlay) karpenterv1.LabelAliases {
	if len(overlays) == 0 {
		return nil
	}
	return overlays[0].aliases
}

// poolLabels are what an overlay can know of a NodePool: its name, its class and its template's labels, and what its
// requirements leave no choice about.
func poolLabels(np *karpenterv1.NodePool, aliases karpenterv1.LabelAliases) map[string]string {
	labels := map[string]string{}
	for i := range np.Spec.Template.Spec.Requirements {
		if r := requirementOf(
			&np.Spec.Template.Spec.Requirements[i],
			aliases,
		); r.Operator == shape.In &&
			len(r.Values) == 1 {
			labels[r.Key] = r.Values[0]
		}
	}
	maps.Copy(labels, np.Spec.Template.LabelMap())
	labels = withStableNames(labels, aliases)
	labels[karpenterv1.NodePoolLabelKey] = np.Name
	if ref := np.Spec.Template.Spec.NodeClassRef; ref != nil {
		labels[karpenterv1.NodeClassLabelKey(ref.GroupKind())] = ref.Name
	}
	return labels
}

// suits reports whether an overlay speaks of an offering of a type in a pool with these labels. What the offering says
// of a label counts before what the type says, and that before the pool; a label that none has is absent.
func (o *Overlay) suits(t *shape.InstanceType, of *shape.Offering, pool map[string]string) bool {
	for _, w := range o.wanted.All() {
		have, known := valuesOf(w.Key(), t, of)
		if value, ok := pool[w.Key()]; ok && !known {
			have = require.Only(w.Key(), value)
		}
		if !w.Overlaps(have) {
			return false
		}
	}
	return true
}

// buys reports whether a pool with these wishes may launch an offering. Labels that neither it nor its type has are the
// pool's to give.
func buys(wishes require.Set, t *shape.InstanceType, of *shape.Offering) bool {
	for _, w := range wishes.All() {
		if have, known := valuesOf(w.Key(), t, of); known && !w.Overlaps(have) {
			return false
		}
	}
	return true
}

// valuesOf is what a node launched from an offering may have for a label; known is false if the cloud does not say.
func valuesOf(key string, t *shape.InstanceType, of *shape.Offering) (have require.Values, known bool) {
	switch key {
	case shape.LabelZone:
		return require.Only(key, of.Zone), true
	case shape.LabelCapacityType:
		return require.Only(key, of.CapacityType), true
	case shape.LabelInstanceType:
		return require.Only(key, t.Name), true
	}
	if value, ok := shape.LabelValue(of.Extra, key); ok {
		return require.Only(key, value), true
	}
	i, known := slices.BinarySearchFunc(
		t.Requirements,
		key,
		func(r shape.Requirement, key string) int { return cmp.Compare(r.Key, key) },
	)
	if known {
		return require.Of(t.Requirements[i]), true
	}
	return require.Missing(key), false
}

// wishesOf are a pool's requirements.
func wishesOf(np *karpenterv1.NodePool, aliases karpenterv1.LabelAliases) require.Set {
	var reqs []shape.Requirement
	for i := range np.Spec.Template.Spec.Requirements {
		reqs = append(reqs, requirementOf(&np.Spec.Template.Spec.Requirements[i], aliases))
	}
	return require.New(reqs)
}

// Overlaid is what overlays made of the types that a cloud sells to one NodePool.
type Overlaid struct {
	// Types are the cloud's own where no overlay speaks of them.
	Types []*shape.InstanceType

	// Priced and Resized are the names of types of which an overlay set a price or a capacity.
	Priced, Resized map[string]bool
}

// OverlayTypes applies overlays, which must be in order of precedence: the first that sets a field wins.
func OverlayTypes(overlays []Overlay, np *karpenterv1.NodePool, types []*shape.InstanceType) Overlaid {
	out := Overlaid{Types: types, Priced: map[string]bool{}, Resized: map[string]bool{}}
	labels := poolLabels(np, aliasesOf(overlays))
	for i, t := range types {
		changed, priced, resized := overlayType(overlays, labels, t)
		if changed == t {
			continue
		}
		if &out.Types[0] == &types[0] {
			out.Types = slices.Clone(types)
		}
		out.Types[i] = changed
		if priced {
			out.Priced[t.Name] = true
		}
		if resized {
			out.Resized[t.Name] = true
		}
	}
	return out
}

// overlayType is the type as overlays have it; the type itself if none speaks of it.
func overlayType(
	overlays []Overlay,
	pool map[string]string,
	t *shape.InstanceType,
) (out *shape.InstanceType, priced, resized bool) {
	sizes := make([]map[string]int64, len(t.Offerings))
	prices := make([]shape.Money, len(t.Offerings))
	for i := range t.Offerings {
		of := &t.Offerings[i]
		prices[i] = of.Price
		settled := false
		for k := range overlays {
			o := &overlays[k]
			if !o.suits(t, of, pool) {
				continue
			}
			if o.price != nil && !settled {
				prices[i], settled, priced = o.price.of(of.Price), true, true
			}
			for _, a := range o.capacity {
				if sizes[i] == nil {
					sizes[i] = map[string]int64{}
				}
				if _, ok := sizes[i][a.Resource]; !ok {
					sizes[i][a.Resource] = a.Value
					resized = true
				}
			}
		}
	}
	if !priced && !resized {
		return t, false, false
	}
	changed := *t
	changed.Offerings = slices.Clone(t.Offerings)
	for i := range changed.Offerings {
		changed.Offerings[i].Price = prices[i]
	}
	if resized {
		resize(&changed, sizes)
	}
	return &changed, priced, resized
}

// resize sets the extended resources of each offering. What all offerings agree on is the type's; the type's capacity,
// which limits are held against, is the most that any of them has.
func resize(t *shape.InstanceType, sizes []map[string]int64) {
	base := *t
	alike := true
	for _, s := range sizes[1:] {
		alike = alike && maps.Equal(s, sizes[0])
	}
	if alike {
		t.Capacity, t.Allocatable = with(base.Capacity, sizes[0]), with(base.Allocatable, sizes[0])
	}
	for i := range t.Offerings {
		of := &t.Offerings[i]
		if !alike {
			t.Capacity = MaxOf(t.Capacity, with(base.Capacity, sizes[i]))
		}
		if alike && of.Allocatable == nil {
			continue
		}
		room := base.Allocatable
		if of.Allocatable != nil {
			room = *of.Allocatable
		}
		room = with(room, sizes[i])
		of.Allocatable = &room
	}
}

// with is a vector with some extended resources replaced.
func with(v shape.Vector, sizes map[string]int64) shape.Vector {
	var extended []shape.Amount
	for _, e := range v.Extended {
		if _, replaced := sizes[e.Resource]; !replaced {
			extended = append(extended, e)
		}
	}
	for name, n := range sizes {
		if n > 0 {
			extended = append(extended, shape.Amount{Resource: name, Value: n})
		}
	}
	v.Extended = extended
	sortExtended(&v)
	return v
}
