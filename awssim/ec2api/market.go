package ec2api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
	"github.com/dovetail-sh/dovetail/catalog"
)

type offeringsIn struct {
	asked
	LocationType string
}

type typeOffering struct {
	Type         string `xml:"instanceType"`
	LocationType string `xml:"locationType"`
	Location     string `xml:"location"`
}

type offeringsOut struct {
	Offerings []typeOffering `xml:"instanceTypeOfferingSet>item"`
	NextToken string         `xml:"nextToken,omitempty"`
}

func (a *api) describeInstanceTypeOfferings(_ context.Context, _ *wire.Call, in *offeringsIn) (*offeringsOut, error) {
	if err := checkFilters(in.Filters, false, "instance-type", "location"); err != nil {
		return nil, err
	}
	out := &offeringsOut{}
	err := a.world.Do(func(s *world.State) error {
		if in.DryRun {
			return apierror.DryRun()
		}
		var all []typeOffering
		for _, t := range catalog.Offered(s.Region.Name) {
			places, err := locations(s, t, in.LocationType)
			if err != nil {
				return err
			}
			for _, place := range places {
				if match(in.Filters, fields{"instance-type": one(t.Name), "location": one(place.Location)}, nil) {
					all = append(all, place)
				}
			}
		}
		key := func(o typeOffering) string { return o.Type + "\x00" + o.Location }
		slices.SortFunc(all, func(a, b typeOffering) int { return strings.Compare(key(a), key(b)) })
		var err error
		out.Offerings, out.NextToken, err = page(in.asked, bounds{5, 1000}, all, key)
		return err
	})
	return out, err
}

// locations lists where a type is offered, by the kind of location asked for.
func locations(s *world.State, t *catalog.Type, kind string) ([]typeOffering, error) {
	switch kind {
	case "", "region":
		return []typeOffering{{t.Name, "region", s.Region.Name}}, nil
	case "outpost":
		return nil, nil // the account has none
	case "availability-zone", "availability-zone-id":
	default:
		return nil, apierror.Invalid("Invalid value '%s' for locationType.", kind)
	}
	var out []typeOffering
	for _, zone := range s.Zones {
		if !s.Offered(t, zone) {
			continue
		}
		place := zone.Name
		if kind == "availability-zone-id" {
			place = zone.ID
		}
		out = append(out, typeOffering{t.Name, kind, place})
	}
	return out, nil
}

type spotHistoryIn struct {
	asked
	Zone         string    `query:"AvailabilityZone"`
	ZoneID       string    `query:"AvailabilityZoneId"`
	Start        time.Time `query:"StartTime"`
	End          time.Time `query:"EndTime"`
	Types        []string  `query:"InstanceType"`
	Descriptions []string  `query:"ProductDescription"`
}

type spotPrice struct {
	Type        string `xml:"instanceType"`
	Description string `xml:"productDescription"`
	Price       string `xml:"spotPrice"`
	Time        string `xml:"timestamp"`
	Zone        string `xml:"availabilityZone"`
	ZoneID      string `xml:"availabilityZoneId"`
}

type spotHistoryOut struct {
	Prices    []spotPrice `xml:"spotPriceHistorySet>item"`
	NextToken string      `xml:"nextToken,omitempty"`
}

// products are the descriptions that spot prices are listed under. A system
// costs the same in a VPC and outside.
var products = []string{"Linux/UNIX", "Linux/UNIX (Amazon VPC)", windowsProduct, windowsProduct + " (Amazon VPC)"}

const windowsProduct = "Windows"

// describeSpotPriceHistory lists for each pool the price that held at StartTime
// and each that came after it, to EndTime. Without a StartTime it lists the
// price of the moment.
func (a *api) describeSpotPriceHistory(_ context.Context, _ *wire.Call, in *spotHistoryIn) (*spotHistoryOut, error) {
	if err := checkFilters(
		in.Filters,
		false,
		"availability-zone",
		"availability-zone-id",
		"instance-type",
		"product-description",
		"spot-price",
		"timestamp",
	); err != nil {
		return nil, err
	}
	if !in.End.IsZero() && in.End.Before(in.Start) {
		return nil, apierror.Invalid("The start time must be before the end time.")
	}
	out := &spotHistoryOut{}
	err := a.world.Do(func(s *world.State) error {
		if in.DryRun {
			return apierror.DryRun()
		}
		if in.End.IsZero() || in.End.After(s.Now) {
			in.End = s.Now
		}
		if in.Start.IsZero() || in.Start.After(in.End) {
			in.Start = in.End
		}
		if in.Start.Before(s.Now.Add(-historyKept)) {
			in.Start = s.Now.Add(-historyKept)
		}
		var all []spotPrice
		for _, t := range catalog.Offered(s.Region.Name) {
			if len(in.Types) == 0 || slices.Contains(in.Types, t.Name) {
				all = in.append(all, s, t)
			}
		}
		key := func(p spotPrice) string { return p.Type + "\x00" + p.Zone + "\x00" + p.Description + "\x00" + p.Time }
		slices.SortFunc(all, func(a, b spotPrice) int { return strings.Compare(key(a), key(b)) })
		var err error
		out.Prices, out.NextToken, err = page(in.asked, bounds{1, 10000}, all, key)
		return err
	})
	return out, err
}

// historyKept is how far back EC2 knows spot prices.
const historyKept = 90 * 24 * time.Hour

func (in *spotHistoryIn) append(to []spotPrice, s *world.State, t *catalog.Type) []spotPrice {
	for _, zone := range s.Zones {
		pool := world.Pool{Type: t.Name, Zone: zone.Name, Capacity: world.Spot}
		wrongZone := in.Zone != "" && in.Zone != zone.Name || in.ZoneID != "" && in.ZoneID != zone.ID
		if wrongZone || !s.Offered(t, zone) {
			continue
		}
		for _, price := range s.PriceHistory(pool, in.Start, in.End) {
			to = in.products(to, t, zone, price)
		}
	}
	return to
}

// products adds one price under each product that was asked for.
func (in *spotHistoryIn) products(
	to []spotPrice,
	t *catalog.Type,
	zone *world.Zone,
	change world.PriceChange,
) []spotPrice {
	for _, product := range products {
		price, sold := change.Price, true
		if strings.HasPrefix(product, windowsProduct) {
			price, sold = world.WindowsPrice(t, price)
		}
		if !sold {
			continue
		}
		p := spotPrice{
			t.Name,
			product,
			fmt.Sprintf("%d.%06d", price/1_000_000, price%1_000_000),
			stamp(change.Since),
			zone.Name,
			zone.ID,
		}
		known := fields{
			"availability-zone": one(p.Zone), "availability-zone-id": one(p.ZoneID), "instance-type": one(p.Type),
			"product-description": one(p.Description), "spot-price": one(p.Price), "timestamp": one(p.Time),
		}
		if (len(in.Descriptions) == 0 || slices.Contains(in.Descriptions, product)) && match(in.Filters, known, nil) {
			to = append(to, p)
		}
	}
	return to
}
