package ec2api

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
	"github.com/dovetail-sh/dovetail/catalog"
)

type blockOfferingsIn struct {
	DryRun     bool
	MaxResults *int
	NextToken  string
	Type       string    `query:"InstanceType"`
	Count      int       `query:"InstanceCount"`
	Hours      int       `query:"CapacityDurationHours"`
	Start      time.Time `query:"StartDateRange"`
	End        time.Time `query:"EndDateRange"`
}

type blockOffering struct {
	ID       string `xml:"capacityBlockOfferingId"`
	Type     string `xml:"instanceType"`
	Zone     string `xml:"availabilityZone"`
	Count    int    `xml:"instanceCount"`
	Start    string `xml:"startDate"`
	End      string `xml:"endDate"`
	Hours    int    `xml:"capacityBlockDurationHours"`
	Fee      string `xml:"upfrontFee"`
	Currency string `xml:"currencyCode"`
	Tenancy  string `xml:"tenancy"`
}

type blockOfferingsOut struct {
	Offerings []blockOffering `xml:"capacityBlockOfferingSet>item"`
	NextToken string          `xml:"nextToken,omitempty"`
}

// describeBlockOfferings sells GPU and Trainium types in the first zone that
// has them, from the start asked for, in days, at the price on demand.
func (a *api) describeBlockOfferings(
	_ context.Context,
	_ *wire.Call,
	in *blockOfferingsIn,
) (*blockOfferingsOut, error) {
	t, known := catalog.Lookup(in.Type)
	switch {
	case !known || t.GPU.Count+t.Neuron.Count == 0:
		return nil, apierror.Invalid("The instance type '%s' is not sold in Capacity Blocks.", in.Type)
	case in.Hours < 24 || in.Hours%24 != 0:
		return nil, apierror.Invalid("CapacityDurationHours must be a multiple of 24, got %d.", in.Hours)
	}
	out := &blockOfferingsOut{}
	return out, a.world.Do(func(s *world.State) error {
		if in.DryRun {
			return apierror.DryRun()
		}
		if in.Start.Before(s.Now) {
			in.Start = s.Now
		}
		for _, zone := range s.Zones {
			if !s.Offered(t, zone) {
				continue
			}
			price, _ := catalog.OnDemand(s.MarketOf(zone.Name), t.Name)
			count := max(1, in.Count)
			fee := price * int64(count) * int64(in.Hours)
			start := in.Start.Truncate(time.Second)
			out.Offerings = []blockOffering{
				{
					ID: offeringID(
						t.Name,
						zone.Name,
						count,
						start,
						in.Hours,
					),
					Type:     t.Name,
					Zone:     zone.Name,
					Count:    count,
					Hours:    in.Hours,
					Start:    stamp(start),
					End:      stamp(start.Add(time.Duration(in.Hours) * time.Hour)),
					Fee:      fmt.Sprintf("%d.%02d", fee/1_000_000, fee%1_000_000/10_000),
					Currency: "USD",
					Tenancy:  "default",
				},
			}
			return nil
		}
		return nil
	})
}

// offeringID carries what is on offer, so that nothing need be remembered.
func offeringID(instanceType, zone string, count int, start time.Time, hours int) string {
	return fmt.Sprintf("cbo-%s_%s_%d_%d_%d", instanceType, zone, count, start.Unix(), hours)
}

type purchaseBlockIn struct {
	DryRun   bool
	ID       string                        `query:"CapacityBlockOfferingId"`
	Platform string                        `query:"InstancePlatform"`
	Tags     []launchspec.TagSpecification `query:"TagSpecification"`
}

func (a *api) purchaseCapacityBlock(_ context.Context, _ *wire.Call, in *purchaseBlockIn) (*reservationOut, error) {
	var name, zone string
	var count, hours int
	var start int64
	if _, err := fmt.Sscanf(
		strings.ReplaceAll(in.ID, "_", " "),
		"cbo-%s %s %d %d %d",
		&name,
		&zone,
		&count,
		&start,
		&hours,
	); err != nil {
		return nil, apierror.New(
			"InvalidCapacityBlockOfferingId.NotFound",
			"The Capacity Block offering '%s' does not exist",
			in.ID,
		)
	}
	var out *reservationOut
	err := a.world.Do(func(s *world.State) error {
		r, err := newReservation(s, name, zone, "")
		if err != nil || in.DryRun {
			return cmp.Or(err, error(apierror.DryRun()))
		}
		r.Block, r.Targeted, r.Total, r.Windows = true, true, count, in.Platform == "Windows"
		r.Start = time.Unix(start, 0).UTC()
		r.End = r.Start.Add(time.Duration(hours) * time.Hour)
		r.Tags = launchspec.TagsFor(in.Tags, "capacity-reservation")
		if err := s.Reserve(r); err != nil {
			return err
		}
		out = &reservationOut{reservationXML(s, r)}
		return nil
	})
	return out, err
}
