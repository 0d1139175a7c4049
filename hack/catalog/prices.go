package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

func regionsCSV() []byte {
	var buf bytes.Buffer
	w := csv.NewWriter(&buf)
	_ = w.Write([]string{"region", "name", "zone_ids", "parent"})
	for _, r := range slices.Concat(regions, localZones) {
		_ = w.Write([]string{r.name, r.long, strings.Join(r.zones, " "), r.parent})
	}
	w.Flush()
	return buf.Bytes()
}

// bands are the Spot Advisor's interruption bands, least first; band 0 in the
// file means not published.
var bands = []string{"<5%", "5-10%", "10-15%", "15-20%", ">20%"}

// offeringsCSV writes one row per (region, type) that is offered there: prices
// in micro-dollars an hour, and the numbers of the zones, empty for all zones.
// The region is written only when it changes, to keep the file small.
func offeringsCSV(all []instance, known []spec) []byte {
	keep := map[string]bool{}
	for _, s := range known {
		keep[s.Name] = true
	}
	var buf bytes.Buffer
	w := csv.NewWriter(&buf)
	_ = w.Write([]string{"region", "type", "on_demand", "spot_min", "spot_avg", "spot_max", "band", "zones"})
	for _, r := range slices.Concat(regions, localZones) {
		first := r.name
		for _, in := range all {
			row := offeringRow(in, r)
			if !keep[in.Name] || row == nil {
				continue
			}
			_ = w.Write(append([]string{first, in.Name}, row...))
			first = ""
		}
	}
	w.Flush()
	return buf.Bytes()
}

// offeringRow is nil when the type has no Linux price in the region.
func offeringRow(in instance, r region) []string {
	price := in.Pricing[r.name].Linux
	onDemand := micro(price.OnDemand)
	var spot []int64
	for _, s := range price.Spot {
		if m := micro(s); m > 0 {
			spot = append(spot, m)
		}
	}
	if onDemand == 0 && len(spot) == 0 {
		return nil
	}
	row := []string{blank(onDemand), "", "", "", "", zoneDigits(in, r)}
	if len(spot) > 0 {
		low, high := slices.Min(spot), slices.Max(spot)
		var avg string
		_ = json.Unmarshal(price.SpotAvg, &avg)
		mean := min(max(micro(avg), low), high)
		row[1], row[2], row[3] = blank(low), blank(mean), blank(high)
	}
	if i := slices.Index(bands, price.Interrupt); i >= 0 {
		row[4] = strconv.Itoa(i + 1)
	}
	return row
}

// micro turns "0.096" into 96000. Prices finer than a micro-dollar round half up.
func micro(dollars string) int64 {
	v, ok := new(big.Rat).SetString(dollars)
	if !ok {
		return 0
	}
	v.Mul(v, big.NewRat(1_000_000, 1))
	v.Add(v, big.NewRat(1, 2))
	return new(big.Int).Div(v.Num(), v.Denom()).Int64()
}

// zoneDigits writes the last digits of the zone ids the type is offered in.
func zoneDigits(in instance, r region) string {
	zones := in.Zones[r.name]
	if len(zones) == len(r.zones) {
		return ""
	}
	var digits []byte
	for _, z := range zones {
		if slices.Contains(r.zones, z) {
			digits = append(digits, z[len(z)-1])
		}
	}
	slices.Sort(digits)
	return string(digits)
}

func blank(v int64) string {
	if v == 0 {
		return ""
	}
	return strconv.FormatInt(v, 10)
}
