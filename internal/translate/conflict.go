package translate

import (
	"fmt"
	"slices"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Stock is what a cloud sells to one NodePool, before overlays.
type Stock struct {
	Pool  *karpenterv1.NodePool
	Types []*shape.InstanceType
}

// Conflict says that two overlays of one weight set the same field of the same offering, and the second gives way.
type Conflict struct {
	Overlay, With string // names
	Field         string // "price" or a resource
	Type, Pool    string // the first where they meet
}

// Error is one sentence that says what to do.
func (c Conflict) Error() string {
	field := c.Field
	if field != priceField {
		field = "capacity of " + field
	}
	return fmt.Sprintf(
		"NodeOverlay %s of the same weight sets the %s of %s in NodePool %s too; give one of them another weight or narrow its requirements",
		c.With,
		field,
		c.Type,
		c.Pool,
	)
}

const priceField = "price"

// spot is one field of one offering.
type spot struct {
	stock, kind, offering int
	field                 string
}

// view is what overlays and offerings are held against of one pool.
type view struct {
	labels map[string]string
	wishes require.Set
}

// Settle splits overlays into those that hold, in order of precedence, and those that give way. Overlays meet only
// where a pool may buy.
func Settle(overlays []Overlay, stocks []Stock) (hold []Overlay, conflicts []Conflict) {
	sorted := slices.SortedFunc(slices.Values(overlays), CompareOverlays)
	views := make([]view, len(stocks))
	for i, s := range stocks {
		views[i] = view{poolLabels(s.Pool, aliasesOf(sorted)), wishesOf(s.Pool, aliasesOf(sorted))}
	}
	taken := map[spot]string{} // by overlays of the present weight
	for i := range sorted {
		o := &sorted[i]
		if i > 0 && sorted[i-1].Weight != o.Weight {
			clear(taken)
		}
		spots, clash := spotsOf(o, stocks, views, taken)
		if clash != nil {
			conflicts = append(conflicts, *clash)
			continue
		}
		for _, s := range spots {
			taken[s] = o.Name
		}
		hold = append(hold, *o)
	}
	return hold, conflicts
}

// spotsOf lists what an overlay sets, or the first of it that another has taken.
func spotsOf(o *Overlay, stocks []Stock, views []view, taken map[spot]string) (out []spot, clash *Conflict) {
	fields := o.fields()
	for si, stock := range stocks {
		for ti, t := range stock.Types {
			for oi := range t.Offerings {
				if !o.suits(t, &t.Offerings[oi], views[si].labels) || !buys(views[si].wishes, t, &t.Offerings[oi]) {
					continue
				}
				for _, field := range fields {
					s := spot{si, ti, oi, field}
					if other, ok := taken[s]; ok {
						return nil, &Conflict{
							Overlay: o.Name,
							With:    other,
							Field:   field,
							Type:    t.Name,
							Pool:    stock.Pool.Name,
						}
					}
					out = append(out, s)
				}
			}
		}
	}
	return out, nil
}

// fields that an overlay sets.
func (o *Overlay) fields() []string {
	var out []string
	if o.price != nil {
		out = append(out, priceField)
	}
	for _, a := range o.capacity {
		out = append(out, a.Resource)
	}
	return out
}
