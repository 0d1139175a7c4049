package price

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/pricing"
	pricingtypes "github.com/aws/aws-sdk-go-v2/service/pricing/types"

	"github.com/dovetail-sh/dovetail/catalog"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Page sizes; AWS's upper limits as far as they are known.
const (
	productsPage = 100
	historyPage  = 1000
)

// PricingRegion is where the Pricing API for a region is served.
func PricingRegion(region string) string {
	switch {
	case strings.HasPrefix(region, "ap-"):
		return "ap-south-1"
	case strings.HasPrefix(region, "cn-"):
		return "cn-northwest-1"
	case strings.HasPrefix(region, "eu-"):
		return "eu-central-1"
	}
	return "us-east-1"
}

// HasPricingAPI is false where on-demand prices can only come from the catalogue: in partitions that have none, and
// whose credentials count in no other.
func HasPricingAPI(region string) bool {
	return !strings.HasPrefix(region, "us-gov-") && !strings.HasPrefix(region, "eusc-") &&
		!strings.Contains(region, "-iso")
}

// RefreshOnDemand asks the Pricing API for prices of the region, and of the Local Zones among some zones.
func (b *Book) RefreshOnDemand(ctx context.Context, api pricing.GetProductsAPIClient, zones []string) error {
	prices, dedicated := map[place]shape.Money{}, map[place]shape.Money{}
	var errs []error
	for _, where := range b.listed(zones) {
		got, err := onDemandOf(ctx, api, where)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("getting on-demand prices of %s: %w", where, err))
		case len(got) == 0:
			errs = append(errs, fmt.Errorf("getting on-demand prices of %s: the answer is empty", where))
		}
		for name, p := range got {
			prices[place{name, where}] = p
		}
		own := map[string]shape.Money{} // of many places there are none
		if err := products(ctx, api, where, "Dedicated", "Compute Instance", own); err != nil {
			errs = append(errs, fmt.Errorf("getting prices of dedicated machines in %s: %w", where, err))
			continue
		}
		for name, p := range own {
			dedicated[place{name, where}] = p
		}
	}
	return errors.Join(append(errs, b.setOnDemand(prices, dedicated))...)
}

// listed is what prices are asked for: the region, and the groups of the Local Zones among some zones, ascending.
func (b *Book) listed(zones []string) []string {
	out := []string{b.region}
	for _, zone := range zones {
		out = append(out, catalog.PricedAs(b.region, zone))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// onDemandOf are the prices under one name, by type. What was read before an error is dropped.
func onDemandOf(ctx context.Context, api pricing.GetProductsAPIClient, where string) (map[string]shape.Money, error) {
	prices := map[string]shape.Money{}
	for _, kind := range []struct{ tenancy, family string }{{"Shared", "Compute Instance"},
		{"Dedicated", "Compute Instance (bare metal)"}} {
		if err := products(ctx, api, where, kind.tenancy, kind.family, prices); err != nil {
			return nil, err
		}
	}
	return prices, nil
}

func products(
	ctx context.Context,
	api pricing.GetProductsAPIClient,
	where, tenancy, family string,
	into map[string]shape.Money,
) error {
	term := func(field, value string) pricingtypes.Filter {
		return pricingtypes.Filter{
			Field: awssdk.String(field),
			Type:  pricingtypes.FilterTypeTermMatch,
			Value: awssdk.String(value),
		}
	}
	pages := pricing.NewGetProductsPaginator(api, &pricing.GetProductsInput{
		ServiceCode: awssdk.String("AmazonEC2"),
		MaxResults:  awssdk.Int32(productsPage),
		Filters: []pricingtypes.Filter{
			term("regionCode", where), term("serviceCode", "AmazonEC2"), term("preInstalledSw", "NA"),
			term("operatingSystem", "Linux"), term("capacitystatus", "Used"), term("marketoption", "OnDemand"),
			term("tenancy", tenancy), term("productFamily", family),
		},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, text := range page.PriceList {
			if name, price, ok := readProduct(text); ok {
				into[name] = price
			}
		}
	}
	return nil
}

// product is the part of a price list entry that we read.
type product struct {
	Product struct {
		Attributes struct {
			InstanceType string `json:"instanceType"`
		} `json:"attributes"`
	} `json:"product"`
	Terms struct {
		OnDemand map[string]struct {
			PriceDimensions map[string]struct {
				PricePerUnit map[string]string `json:"pricePerUnit"`
			} `json:"priceDimensions"`
		} `json:"OnDemand"`
	} `json:"terms"`
}

// readProduct finds a type's price per hour, in dollars or, in China, in yuan. Entries
// without a price, and those we cannot read, are skipped.
func readProduct(text string) (name string, price shape.Money, ok bool) {
	var p product
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return "", 0, false
	}
	for _, term := range p.Terms.OnDemand {
		for _, dimension := range term.PriceDimensions {
			for _, currency := range []string{"USD", "CNY"} {
				if price, ok := perHour(dimension.PricePerUnit[currency]); ok {
					return p.Product.Attributes.InstanceType, price, true
				}
			}
		}
	}
	return "", 0, false
}

// RefreshSpot asks for the market's prices of now.
func (b *Book) RefreshSpot(ctx context.Context, api ec2.DescribeSpotPriceHistoryAPIClient, now time.Time) error {
	prices, newest, unread := map[place]shape.Money{}, map[place]time.Time{}, map[place]string{}
	pages := ec2.NewDescribeSpotPriceHistoryPaginator(api, &ec2.DescribeSpotPriceHistoryInput{
		ProductDescriptions: []string{"Linux/UNIX", "Linux/UNIX (Amazon VPC)"},
		StartTime:           awssdk.Time(now),
		MaxResults:          awssdk.Int32(historyPage),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("getting spot prices of %s: %w", b.region, err)
		}
		for _, h := range page.SpotPriceHistory {
			take(h, prices, newest, unread)
		}
	}
	if len(prices) == 0 && len(unread) == 0 {
		return errors.New("getting spot prices of " + b.region + ": the answer is empty")
	}
	return b.setSpot(prices, unread)
}

// take notes one price of the history unless a newer one is known. One that is none is noted in unread.
func take(h ec2types.SpotPrice, prices map[place]shape.Money, newest map[place]time.Time, unread map[place]string) {
	where, at := place{string(h.InstanceType), awssdk.ToString(h.AvailabilityZone)}, awssdk.ToTime(h.Timestamp)
	if old, ok := newest[where]; ok && !at.After(old) {
		return
	}
	price, ok := perHour(awssdk.ToString(h.SpotPrice))
	if !ok {
		unread[where] = awssdk.ToString(h.SpotPrice)
		return
	}
	prices[where], newest[where] = price, at
}

// dearest is the most that a machine may cost per hour, in dollars or yuan: far above any, and far below what Money
// holds.
const dearest = 1e6

// perHour reads a price. Whatever is not a finite amount of more than nothing is no answer.
func perHour(text string) (shape.Money, bool) {
	amount, err := strconv.ParseFloat(text, 64)
	if err != nil || !(amount > 0 && amount <= dearest) { // false for NaN
		return 0, false
	}
	price := shape.Dollars(amount)
	return price, price > 0
}
