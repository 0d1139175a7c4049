package catalog

import (
	"cmp"
	"slices"
	"strings"
	"sync"
)

// Price is the spot market's range of one type in one region over its zones,
// in micro-dollars an hour. Min <= Avg <= Max.
type Price struct {
	Min, Avg, Max int64
}

// Region is an AWS region, or a group of Local Zones: both are what prices are published for.
type Region struct {
	Name     string   // "us-east-1"; of a group "us-east-1-bos-1"
	Location string   // the Pricing API's name: "US East (N. Virginia)"
	ZoneIDs  []string // ascending: "use1-az1" …, without those of Local Zones; of a group "use1-bos1-az1"
	Parent   string   // of a group, the region that it belongs to; empty for a region
}

// LocalZoneNames are the names of a group's zones, lettered in the order of their IDs. A region has none: each account
// has its own letters for those.
func (r Region) LocalZoneNames() []string {
	var out []string
	if r.Parent != "" {
		for i := range r.ZoneIDs {
			out = append(out, r.Name+string(rune('a'+i)))
		}
	}
	return out
}

// PricedAs is what prices of a zone are published under, by the zone's name: the region's name or, for a Local Zone,
// its group's.
func PricedAs(region, zone string) string {
	if !strings.HasPrefix(zone, region+"-") {
		return region
	}
	return strings.TrimRight(zone, "abcdefghijklmnopqrstuvwxyz")
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
	regions   []Region // ascending by name, then the groups of Local Zones
	proper    int      // how many of regions are no groups
	regionAt  map[string]int
	offerings [][]offering
}

var parsed = sync.OnceValue(parse)

// Types returns all types ascending by name.
func Types() []Type { return parsed().types }

// Regions returns all regions ascending by name.
func Regions() []Region { return parsed().regions[:parsed().proper] }

// LocalZones returns a region's groups of Local Zones ascending by name. OnDemand, Spot, ZoneIDs and Offered take the
// name of a group as they take a region's.
func LocalZones(region string) []Region {
	var out []Region
	for _, r := range parsed().regions[parsed().proper:] {
		if r.Parent == region {
			out = append(out, r)
		}
	}
	return out
}

// Lookup finds a type by name. The pointer is valid for ever.
func Lookup(name string) (*Type, bool) {
	t := parsed()
	i, ok := t.typeAt[name]
	if !ok {
		return nil, false
	}
	return &t.types[i], true
}

// LookupRegion finds a region by name. A group of Local Zones is none.
func LookupRegion(name string) (Region, bool) {
	t := parsed()
	i, ok := t.regionAt[name]
	if !ok || i >= t.proper {
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
	if mask == 0 {
		return nil
	}
	t := parsed()
	var ids []string
	for i, id := range t.regions[t.regionAt[region]].ZoneIDs {
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
