package awssim_test

import (
	"encoding/json"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/pricing"
	pricingtypes "github.com/aws/aws-sdk-go-v2/service/pricing/types"
)

// listed is what a viewer of nodes reads of a product.
type listed struct {
	Product struct {
		Attributes struct{ InstanceType, UsageType, MemoryType, OperatingSystem string }
	}
	Terms struct {
		OnDemand map[string]struct {
			PriceDimensions map[string]struct{ PricePerUnit map[string]string }
		}
	}
}

func (p listed) dollars(t *testing.T) float64 {
	t.Helper()
	for _, term := range p.Terms.OnDemand {
		for _, d := range term.PriceDimensions {
			price, err := strconv.ParseFloat(d.PricePerUnit["USD"], 64)
			if err != nil {
				t.Errorf("price of %+v: %v", p.Product, err)
			}
			return price
		}
	}
	return 0
}

// products asks the price list for everything that has these attributes.
func (a *account) products(t *testing.T, service string, attributes ...string) []listed {
	t.Helper()
	in := &pricing.GetProductsInput{ServiceCode: &service, MaxResults: aws.Int32(100)}
	for i := 0; i+1 < len(attributes); i += 2 {
		in.Filters = append(
			in.Filters,
			pricingtypes.Filter{Type: "TERM_MATCH", Field: &attributes[i], Value: &attributes[i+1]},
		)
	}
	var out []listed
	pages := pricing.NewGetProductsPaginator(pricing.NewFromConfig(a.cfg), in)
	for pages.HasMorePages() {
		for _, text := range must[*pricing.GetProductsOutput](t)(pages.NextPage(t.Context())).PriceList {
			var one listed
			if err := json.Unmarshal([]byte(text), &one); err != nil {
				t.Fatal(err)
			}
			out = append(out, one)
		}
	}
	return out
}

// eks-node-viewer asks four things when it starts; each is answered with prices above zero.
func TestWhatEKSNodeViewerAsks(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	auto := a.products(t, "AmazonEKS", "operation", "EKSAutoUsage", "regionCode", "us-west-2")
	if len(auto) < 500 {
		t.Errorf("%d prices of Auto Mode, want one of each type", len(auto))
	}
	for _, p := range auto {
		if p.Product.Attributes.InstanceType == "m5.large" && p.dollars(t) != 0.01152 {
			t.Errorf("Auto Mode of m5.large costs %v, want 0.01152", p.dollars(t))
		}
	}
	fargate := map[bool]float64{}
	for _, p := range a.products(t, "AmazonEKS", "regionCode", "us-east-1") {
		if u := p.Product.Attributes.UsageType; u == "USE1-Fargate-vCPU-Hours:perCPU" ||
			u == "USE1-Fargate-GB-Hours" {
			fargate[p.Product.Attributes.MemoryType == "perGB"] = p.dollars(t)
		}
	}
	if fargate[true] == 0 || fargate[false] <= fargate[true] {
		t.Errorf("Fargate's prices are %v, want one of a vCPU and a lower one of a GB", fargate)
	}
	shared := a.products(
		t,
		"AmazonEC2",
		"regionCode",
		"us-east-1",
		"serviceCode",
		"AmazonEC2",
		"preInstalledSw",
		"NA",
		"operatingSystem",
		"Linux",
		"capacitystatus",
		"Used",
		"marketoption",
		"OnDemand",
		"tenancy",
		"Shared",
		"productFamily",
		"Compute Instance",
	)
	seen := map[string]bool{}
	for _, p := range shared {
		if name := p.Product.Attributes.InstanceType; seen[name] || p.dollars(t) == 0 {
			t.Errorf("%s is listed twice, or for nothing", name)
		} else {
			seen[name] = true
		}
	}
	spot := must[*ec2.DescribeSpotPriceHistoryOutput](
		t,
	)(
		a.ec2.DescribeSpotPriceHistory(t.Context(), &ec2.DescribeSpotPriceHistoryInput{
			ProductDescriptions: []string{"Linux/UNIX", "Linux/UNIX (Amazon VPC)"}, StartTime: aws.Time(noon),
		}),
	)
	if len(shared) < 500 || len(spot.SpotPriceHistory) < 500 {
		t.Errorf("%d prices on demand and %d on spot, want hundreds of both", len(shared), len(spot.SpotPriceHistory))
	}
}
