package catalog

import (
	"cmp"
	"slices"
	"sync"
)

// Price is the spot market's range of one type in one region over its zones,
// in micro-dollars an hour. Min <= Avg <= Max.
type Price struct {
	Min, Avg, Max int64
}

// Region is an AWS region.
type Region struct {
	Name     string   // "us-east-1"
	Location string   // the Pricing API's name: "US East (N. Virginia)"
	ZoneIDs  []string // ascending: "use1-az1" …; local zones are left out
}

// offering is a type's row in one region.
type offering struct {
	onDemand int64 // 0 when not sold on demand
	spot     Price // all zero when not on the spot market
	band     int
	zones    uint16 // bit i: offered in Region.ZoneIDs[i]
}

// table is the parsed catalogue. Offerings are columns by region, each as long
// as types, so that a lookup is two indexes.
type table struct {
	types     []Type
	typeAt    map[string]int
	regions   []Region
	regionAt  map[string]int
	offerings [][]offering
}

var parsed = sync.OnceValue(parse)

// Types returns all types ascending by name.
func Types() []Type { return parsed().types }

// Regions returns all regions ascending by name.
func Regions() []Region { return parsed().regions }

// Lookup finds a type by name. The pointer is valid for ever.
func Lookup(name string) (*Type, bool) {
	t := parsed()
	i, ok := t.typeAt[name]
	if !ok {
		return nil, false
	}
	return &t.types[i], true
}

// LookupRegion finds a region by name.
func LookupRegion(name string) (Region, bool) {
	t := parsed()
	i, ok := t.regionAt[name]
	if !ok {
		return Region{}, false
	}
	return t.regions[i], true
}

// OnDemand returns the Linux on-demand price in micro-dollars an hour. It is
// false when the type is not sold on demand in the region.
func OnDemand(region, instanceType string) (int64, bool) {
	o := find(region, instanceType)
	return o.onDemand, o.onDemand > 0
}

// Spot returns the Linux spot price over the region's zones. It is false when
// no spot price was published. Which zone had which price is not known.
func Spot(region, instanceType string) (Price, bool) {
	o := find(region, instanceType)
	return o.spot, o.spot.Min > 0
}

// InterruptionBand returns the Spot Advisor's band: 1 is under 5 % of
// instances interrupted in a month, 2 to 10 %, 3 to 15 %, 4 to 20 %, 5 above.
// It is 0 when not published.
func InterruptionBand(region, instanceType string) int {
	return find(region, instanceType).band
}

// ZoneIDs returns the zones of the region that offer the type, ascending; none
// when the type or the region is unknown. Where the zones were not published,
// these are all of the region's.
func ZoneIDs(region, instanceType string) []string {
	mask := find(region, instanceType).zones
	r, _ := LookupRegion(region)
	var ids []string
	for i, id := range r.ZoneIDs {
		if mask&(1<<i) != 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

// Offered returns the types sold in the region, on demand or spot, ascending
// by name.
func Offered(region string) []*Type {
	t := parsed()
	r, ok := t.regionAt[region]
	if !ok {
		return nil
	}
	var out []*Type
	for i := range t.types {
		if t.offerings[r][i].zones != 0 {
			out = append(out, &t.types[i])
		}
	}
	return out
}

// find returns the zero offering for what is not offered.
func find(region, instanceType string) offering {
	t := parsed()
	r, knownRegion := t.regionAt[region]
	i, knownType := t.typeAt[instanceType]
	if !knownRegion || !knownType {
		return offering{}
	}
	return t.offerings[r][i]
}

func sortTypes(types []Type) {
	slices.SortFunc(types, func(a, b Type) int { return cmp.Compare(a.Name, b.Name) })
}
