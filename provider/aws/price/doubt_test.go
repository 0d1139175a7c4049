package price

import (
	"fmt"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// told has the market tell prices of m5.large in zones a, b and c of us-east-1.
func told(t *testing.T, b *Book, prices ...string) error {
	t.Helper()
	return b.RefreshSpot(t.Context(), history(func() (*ec2.DescribeSpotPriceHistoryOutput, error) {
		out := &ec2.DescribeSpotPriceHistoryOutput{}
		for i, p := range prices {
			out.SpotPriceHistory = append(out.SpotPriceHistory, ec2types.SpotPrice{
				InstanceType:     "m5.large",
				AvailabilityZone: awssdk.String(fmt.Sprintf("us-east-1%c", 'a'+i)),
				SpotPrice:        awssdk.String(p),
				Timestamp:        awssdk.Time(time.Unix(1, 0)),
			})
		}
		return out, nil
	}), time.Unix(1, 0))
}

func spotOf(b *Book) (out []shape.Money) {
	for _, zone := range []string{"us-east-1a", "us-east-1b", "us-east-1c"} {
		p, _ := b.Spot("m5.large", zone)
		out = append(out, p)
	}
	return out
}

func TestAPriceThatIsNoAmountIsNoAnswer(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"NaN", "nan", "Inf", "+Inf", "-Inf", "infinity", "0", "0.0", "-0.01", "1e300",
		"1e-300", "", "cheap", "0x"} {
		b := New("us-east-1")
		if err := told(t, b, "0.04", "0.05", "0.06"); err != nil {
			t.Fatal(err)
		}
		err := told(t, b, "0.041", text, "0.061")
		if err == nil || !strings.Contains(err.Error(), "m5.large in us-east-1b") {
			t.Errorf("%q: the error names no place: %v", text, err)
		}
		if got := fmt.Sprint(spotOf(b)); got != fmt.Sprint([]shape.Money{41_000, 50_000, 61_000}) {
			t.Errorf("%q: prices are %v; want those that were told, and the last one where none was", text, got)
		}
		first := New("us-east-1")
		before := spotOf(first)
		if err := told(t, first, text, text, text); err == nil {
			t.Errorf("%q: a feed without prices is no error", text)
		}
		if got := spotOf(first); fmt.Sprint(got) != fmt.Sprint(before) {
			t.Errorf("%q: prices are %v, want the catalogue's %v", text, got, before)
		}
	}
}

func TestAFeedInWhichMostPricesLeapIsDoubtedOnce(t *testing.T) {
	t.Parallel()
	b := New("us-east-1")
	for _, step := range []struct {
		prices []string
		want   []shape.Money
		doubts bool
	}{
		{[]string{"0.04", "0.05", "0.06"}, []shape.Money{40_000, 50_000, 60_000}, false},
		{[]string{"0.0004", "0.0005", "0.06"}, []shape.Money{40_000, 50_000, 60_000}, true},    // cents for dollars
		{[]string{"4", "5", "6"}, []shape.Money{40_000, 50_000, 60_000}, true},                 // other nonsense
		{[]string{"4.1", "5.1", "6.1"}, []shape.Money{4_100_000, 5_100_000, 6_100_000}, false}, // so it is
		{[]string{"0.1", "5", "6"}, []shape.Money{100_000, 5_000_000, 6_000_000}, false},       // one may
	} {
		if err := told(t, b, step.prices...); (err != nil) != step.doubts {
			t.Errorf("%v: %v", step.prices, err)
		}
		if got := spotOf(b); fmt.Sprint(got) != fmt.Sprint(step.want) {
			t.Errorf("%v: prices are %v, want %v", step.prices, got, step.want)
		}
	}
}

func TestAListedPriceThatIsNoAmountIsPassedOver(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"NaN", "Inf", "0", "-1", "1e300"} {
		entry := `{"product":{"attributes":{"instanceType":"m5.large"}},"terms":{"OnDemand":{"a":{"priceDimensions":{"b":{"pricePerUnit":{"USD":"` + text + `"}}}}}}}`
		if _, price, ok := readProduct(entry); ok {
			t.Errorf("%s is read as %v", text, price)
		}
	}
}
