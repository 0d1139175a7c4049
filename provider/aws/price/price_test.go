package price

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/pricing"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

type productsFunc func(*pricing.GetProductsInput) (*pricing.GetProductsOutput, error)

func (f productsFunc) GetProducts(
	_ context.Context,
	in *pricing.GetProductsInput,
	_ ...func(*pricing.Options),
) (*pricing.GetProductsOutput, error) {
	return f(in)
}

type history func() (*ec2.DescribeSpotPriceHistoryOutput, error)

func (f history) DescribeSpotPriceHistory(
	context.Context,
	*ec2.DescribeSpotPriceHistoryInput,
	...func(*ec2.Options),
) (*ec2.DescribeSpotPriceHistoryOutput, error) {
	return f()
}

const m5 = `{"product":{"attributes":{"instanceType":"m5.large"}},"terms":{"OnDemand":{"x":{"priceDimensions":{"y":{"pricePerUnit":{"USD":"0.1230000000"}}}}}}}`

func TestPricesStartFromTheCatalogue(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why, region string
		want        shape.Money
	}{
		"Known":   {"the catalogue's own price", "us-east-1", 96_000},
		"Unknown": {"a region that the catalogue lacks borrows", "us-iso-east-1", 96_000},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := New(tc.region)
			if got, ok := b.OnDemand("m5.large", "us-east-1a"); !ok || got != tc.want {
				t.Errorf("%s: %s, %v; want %s", tc.why, got, ok, tc.want)
			}
			if spot, ok := b.Spot("m5.large", "us-east-1a"); !ok || spot <= 0 || spot > tc.want {
				t.Errorf("%s: spot %s, %v", tc.why, spot, ok)
			}
			if _, ok := b.OnDemand("m99.large", "us-east-1a"); ok {
				t.Error("a type that is not sold has a price")
			}
		})
	}
}

func TestRefreshOnDemand(t *testing.T) {
	t.Parallel()
	b := New("us-east-1")
	c5, _ := b.OnDemand("c5.large", "us-east-1a")
	api := productsFunc(func(*pricing.GetProductsInput) (*pricing.GetProductsOutput, error) {
		return &pricing.GetProductsOutput{PriceList: []string{m5, "rubbish", `{"product":{}}`}}, nil
	})
	before := b.Revision()
	if err := b.RefreshOnDemand(t.Context(), api, nil); err != nil {
		t.Fatal(err)
	}
	if got, _ := b.OnDemand("m5.large", "us-east-1a"); got != 123_000 {
		t.Errorf("m5.large costs %s, want 0.1230", got)
	}
	if got, _ := b.OnDemand("c5.large", "us-east-1a"); got != c5 {
		t.Errorf("c5.large costs %s, want the old price %s: AWS did not mention it", got, c5)
	}
	changed := b.Revision()
	if changed == before {
		t.Error("the prices changed and the revision did not")
	}
	if err := b.RefreshOnDemand(t.Context(), api, nil); err != nil || b.Revision() != changed {
		t.Errorf("nothing changed and the revision did: %v", err)
	}
}

func TestAFailedRefreshKeepsThePrices(t *testing.T) {
	t.Parallel()
	b := New("us-east-1")
	down := errors.New("down")
	if err := b.RefreshOnDemand(
		t.Context(),
		productsFunc(func(*pricing.GetProductsInput) (*pricing.GetProductsOutput, error) { return nil, down }),
		nil,
	); !errors.Is(
		err,
		down,
	) {
		t.Errorf("got %v", err)
	}
	if err := b.RefreshSpot(
		t.Context(),
		history(
			func() (*ec2.DescribeSpotPriceHistoryOutput, error) { return &ec2.DescribeSpotPriceHistoryOutput{}, nil },
		),
		time.Time{},
	); err == nil {
		t.Error("an empty market is an error")
	}
	if _, ok := b.Spot("m5.large", "us-east-1a"); !ok || b.Revision() != 0 {
		t.Error("the old prices are gone")
	}
}

func TestTheMarketDecidesWhereSpotIsSold(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	entry := func(zone, price string, at time.Time) ec2types.SpotPrice {
		return ec2types.SpotPrice{
			InstanceType:     "m5.large",
			AvailabilityZone: awssdk.String(zone),
			SpotPrice:        awssdk.String(price),
			Timestamp:        &at,
		}
	}
	b := New("us-east-1")
	err := b.RefreshSpot(t.Context(), history(func() (*ec2.DescribeSpotPriceHistoryOutput, error) {
		return &ec2.DescribeSpotPriceHistoryOutput{SpotPriceHistory: []ec2types.SpotPrice{
			entry("us-east-1a", "0.0400", noon), entry("us-east-1a", "0.0300", noon.Add(-time.Hour)),
		}}, nil
	}), noon)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := b.Spot("m5.large", "us-east-1a"); !ok || got != 40_000 {
		t.Errorf("in us-east-1a %s, %v; want the newest, 0.0400", got, ok)
	}
	if _, ok := b.Spot("m5.large", "us-east-1b"); ok {
		t.Error("a zone without a price has a spot offering")
	}
}

// AWS tells yuan in China, and the catalogue dollars. Compared with each other every spot offer would look dear.
func TestYuanAndDollarsAreNotCompared(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	market := history(func() (*ec2.DescribeSpotPriceHistoryOutput, error) {
		return &ec2.DescribeSpotPriceHistoryOutput{SpotPriceHistory: []ec2types.SpotPrice{
			{
				InstanceType:     "m5.large",
				AvailabilityZone: awssdk.String("cn-north-1a"),
				SpotPrice:        awssdk.String("0.3000"),
				Timestamp:        &noon,
			},
		}}, nil
	})
	list := productsFunc(func(*pricing.GetProductsInput) (*pricing.GetProductsOutput, error) {
		return &pricing.GetProductsOutput{
			PriceList: []string{strings.ReplaceAll(strings.ReplaceAll(m5, "USD", "CNY"), "0.123", "1.123")},
		}, nil
	})
	cheaper := func(b *Book, when string) {
		t.Helper()
		spot, sold := b.Spot("m5.large", "cn-north-1a")
		onDemand, _ := b.OnDemand("m5.large", "cn-north-1a")
		if !sold || spot > onDemand || onDemand > 10*spot {
			t.Errorf("%s: spot costs %s, %v, and on demand %s", when, spot, sold, onDemand)
		}
	}
	first := New("cn-north-1")
	cheaper(first, "to begin with")
	if err := first.RefreshSpot(t.Context(), market, noon); err != nil {
		t.Fatal(err)
	}
	cheaper(first, "with the market's prices alone")
	if err := first.RefreshOnDemand(t.Context(), list, nil); err != nil {
		t.Fatal(err)
	}
	cheaper(first, "with both")
	if got, _ := first.Spot("m5.large", "cn-north-1a"); got != 300_000 {
		t.Errorf("spot costs %s, want 0.3000", got)
	}
	if got, ok := first.OnDemand("c5.large", "cn-north-1a"); ok {
		t.Errorf("c5.large, of which AWS told nothing, costs %s, which is dollars", got)
	}
	second := New("cn-north-1")
	if err := second.RefreshOnDemand(t.Context(), list, nil); err != nil {
		t.Fatal(err)
	}
	cheaper(second, "with the price list alone")
}

// A Local Zone is not priced as its region is: on demand it costs more, and where the market tells no price spot is not
// sold.
func TestLocalZonesHaveTheirOwnPrices(t *testing.T) {
	t.Parallel()
	const boston = "us-east-1-bos-1a"
	b := New("us-east-1")
	onDemand := func(instanceType, zone string, want shape.Money) {
		t.Helper()
		if got, ok := b.OnDemand(instanceType, zone); !ok || got != want {
			t.Errorf("%s in %s costs %s, %v; want %s", instanceType, zone, got, ok, want)
		}
	}
	onDemand("t3.medium", boston, 52_000) // the catalogue's, a quarter more than in the region
	onDemand("m5.large", boston, 96_000)  // not in the catalogue there
	if p, ok := b.Spot("t3.medium", boston); ok {
		t.Errorf("spot costs %s in Boston before the market told it", p)
	}
	var asked []string
	api := productsFunc(func(in *pricing.GetProductsInput) (*pricing.GetProductsOutput, error) {
		region := awssdk.ToString(in.Filters[0].Value)
		asked = append(asked, region)
		if region == "us-east-1" {
			return &pricing.GetProductsOutput{PriceList: []string{m5}}, nil
		}
		return &pricing.GetProductsOutput{PriceList: []string{strings.Replace(m5, "0.123", "0.150", 1)}}, nil
	})
	if err := b.RefreshOnDemand(t.Context(), api, []string{boston, "us-east-1a", boston}); err != nil {
		t.Fatal(err)
	}
	if want := []string{
		"us-east-1",
		"us-east-1",
		"us-east-1",
		"us-east-1-bos-1",
		"us-east-1-bos-1",
		"us-east-1-bos-1",
	}; !slices.Equal(
		asked,
		want,
	) {
		t.Errorf("asked for prices of %v, want %v: shared, metal and dedicated of each", asked, want)
	}
	onDemand("m5.large", boston, 150_000)
	onDemand("m5.large", "us-east-1a", 123_000)
}

// Dedicated machines have prices of their own, which are known once AWS told them, and do not change those of shared
// ones.
func TestDedicatedMachinesHaveTheirOwnPrices(t *testing.T) {
	t.Parallel()
	b := New("us-east-1")
	if p, ok := b.Dedicated("m5.large", "us-east-1a"); ok {
		t.Errorf("a dedicated m5.large costs %s before AWS told it", p)
	}
	down := false
	api := productsFunc(func(in *pricing.GetProductsInput) (*pricing.GetProductsOutput, error) {
		told := map[string]string{}
		for _, f := range in.Filters {
			told[awssdk.ToString(f.Field)] = awssdk.ToString(f.Value)
		}
		switch {
		case told["tenancy"] == "Shared":
			return &pricing.GetProductsOutput{PriceList: []string{m5}}, nil
		case told["productFamily"] != "Compute Instance":
			return &pricing.GetProductsOutput{}, nil
		case down:
			return nil, errors.New("down")
		}
		return &pricing.GetProductsOutput{PriceList: []string{strings.Replace(m5, "0.123", "0.150", 1)}}, nil
	})
	for range 2 {
		_ = b.RefreshOnDemand(t.Context(), api, nil) // fails the second time, and keeps what it knows
		down = true
		if shared, _ := b.OnDemand("m5.large", "us-east-1a"); shared != 123_000 {
			t.Errorf("a shared m5.large costs %s, want 0.1230", shared)
		}
		if own, ok := b.Dedicated("m5.large", "us-east-1a"); !ok || own != 150_000 {
			t.Errorf("a dedicated m5.large costs %s, %v; want 0.1500", own, ok)
		}
	}
}

// Credentials of one partition count in no other, and some partitions have no Pricing API.
func TestWhereThePricingAPIIs(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{
		"us-east-1": "us-east-1", "eu-west-1": "eu-central-1", "ap-east-1": "ap-south-1",
		"cn-north-1":    "cn-northwest-1",
		"us-gov-west-1": "", "us-iso-east-1": "", "us-isob-east-1": "", "eu-isoe-west-1": "", "eusc-de-east-1": "",
	} {
		if got := HasPricingAPI(region); got != (want != "") || got && PricingRegion(region) != want {
			t.Errorf("%s: %v, %s; want %q", region, got, PricingRegion(region), want)
		}
	}
}
