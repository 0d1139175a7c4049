package awssim_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/pricing"
	pricingtypes "github.com/aws/aws-sdk-go-v2/service/pricing/types"
	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/catalog"
)

func filterBy(name string, values ...string) ec2types.Filter {
	return ec2types.Filter{Name: aws.String(name), Values: values}
}

func TestDescribeInstanceTypes(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	pages := ec2.NewDescribeInstanceTypesPaginator(a.ec2, &ec2.DescribeInstanceTypesInput{
		MaxResults: aws.Int32(100),
		Filters: []ec2types.Filter{
			filterBy("supported-virtualization-type", "hvm"),
			filterBy("processor-info.supported-architecture", "x86_64", "arm64"),
		},
	})
	all := map[ec2types.InstanceType]ec2types.InstanceTypeInfo{}
	for pages.HasMorePages() {
		for _, info := range must[*ec2.DescribeInstanceTypesOutput](t)(pages.NextPage(t.Context())).InstanceTypes {
			all[info.InstanceType] = info
		}
	}
	if len(all) < 850 {
		t.Errorf("%d types, want at least 850", len(all))
	}
	for name := range all {
		if strings.HasPrefix(string(name), "mac") {
			t.Errorf("%s passed the architecture filter", name)
		}
	}
	m5, p5, inf := all["m5.large"], all["p5.48xlarge"], all["inf2.24xlarge"]
	if *m5.VCpuInfo.DefaultVCpus != 2 || *m5.VCpuInfo.DefaultCores != 1 || *m5.MemoryInfo.SizeInMiB != 8192 ||
		*m5.NetworkInfo.MaximumNetworkInterfaces != 3 || *m5.NetworkInfo.Ipv4AddressesPerInterface != 10 ||
		m5.Hypervisor != ec2types.InstanceTypeHypervisorNitro || *m5.ProcessorInfo.SustainedClockSpeedInGhz != 3.1 ||
		*m5.EbsInfo.EbsOptimizedInfo.MaximumBandwidthInMbps != 4750 || m5.GpuInfo != nil || m5.InstanceStorageInfo != nil {
		t.Errorf("m5.large: %+v", m5)
	}
	if *p5.GpuInfo.Gpus[0].Count != 8 || *p5.GpuInfo.Gpus[0].Name != "H100" || *p5.GpuInfo.Gpus[0].MemoryInfo.SizeInMiB != 81920 ||
		*p5.NetworkInfo.EfaInfo.MaximumEfaInterfaces != 32 ||
		len(p5.NetworkInfo.NetworkCards) != 32 ||
		*p5.InstanceStorageInfo.TotalSizeInGB != 30400 {
		t.Errorf("p5.48xlarge: %+v", p5)
	}
	if *inf.NeuronInfo.NeuronDevices[0].Count != 6 || *inf.NeuronInfo.NeuronDevices[0].CoreInfo.Count != 2 ||
		inf.InferenceAcceleratorInfo == nil {
		t.Errorf("inf2.24xlarge: %+v", inf)
	}
	_, err := a.ec2.DescribeInstanceTypes(
		t.Context(),
		&ec2.DescribeInstanceTypesInput{InstanceTypes: []ec2types.InstanceType{"m5.huge"}},
	)
	wantCode(t, err, "InvalidInstanceType")
	_, err = a.ec2.DescribeInstanceTypes(t.Context(), &ec2.DescribeInstanceTypesInput{MaxResults: aws.Int32(101)})
	wantCode(t, err, "InvalidParameterValue")
}

func TestDescribeInstanceTypeOfferings(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	pages := ec2.NewDescribeInstanceTypeOfferingsPaginator(a.ec2, &ec2.DescribeInstanceTypeOfferingsInput{
		LocationType: ec2types.LocationTypeAvailabilityZone, MaxResults: aws.Int32(1000),
	})
	var zones []string
	total := 0
	for pages.HasMorePages() {
		for _, o := range must[*ec2.DescribeInstanceTypeOfferingsOutput](t)(pages.NextPage(t.Context())).InstanceTypeOfferings {
			total++
			if o.InstanceType == "m5.large" {
				zones = append(zones, *o.Location)
			}
		}
	}
	if diff := cmp.Diff(
		[]string{"us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d", "us-east-1e"},
		zones,
	); diff != "" {
		t.Errorf("zones of m5.large: -want +got\n%s", diff)
	}
	if total < 3000 {
		t.Errorf("%d offerings, want at least 3000", total)
	}
}

func TestSpotPricesLieInTheCataloguesRange(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	history := func(a *account) map[string]string {
		out := must[*ec2.DescribeSpotPriceHistoryOutput](
			t,
		)(
			a.ec2.DescribeSpotPriceHistory(t.Context(), &ec2.DescribeSpotPriceHistoryInput{
				InstanceTypes: []ec2types.InstanceType{
					"m5.large",
				},
				ProductDescriptions: []string{"Linux/UNIX"},
				StartTime:           aws.Time(noon),
			}),
		)
		prices := map[string]string{}
		for _, p := range out.SpotPriceHistory {
			if p.Timestamp == nil || p.Timestamp.After(noon) {
				t.Errorf("price of %s has the time %v, which is not before now", *p.AvailabilityZone, p.Timestamp)
			}
			prices[*p.AvailabilityZone] = *p.SpotPrice
		}
		return prices
	}
	prices := history(a)
	if len(prices) != 5 {
		t.Errorf("%d zones have a price, want the 5 that offer m5.large", len(prices))
	}
	want, _ := catalog.Spot("us-east-1", "m5.large")
	for zone, price := range prices {
		var dollars float64
		if _, err := fmt.Sscanf(price, "%f", &dollars); err != nil {
			t.Fatal(err)
		}
		if micro := int64(dollars*1e6 + 0.5); micro < want.Min || micro > want.Max {
			t.Errorf("%s costs %s, want %d to %d micro-dollars", zone, price, want.Min, want.Max)
		}
	}
	if diff := cmp.Diff(prices, history(newAccount(t))); diff != "" {
		t.Errorf("equal seeds, other prices: -one +other\n%s", diff)
	}
}

func TestNetworkAndImages(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	ctx := t.Context()
	zones := must[*ec2.DescribeAvailabilityZonesOutput](
		t,
	)(
		a.ec2.DescribeAvailabilityZones(ctx, &ec2.DescribeAvailabilityZonesInput{}),
	).AvailabilityZones
	if len(zones) != 6 || *zones[0].ZoneName != "us-east-1a" || *zones[0].ZoneId != "use1-az1" {
		t.Errorf("%d zones, the first %+v", len(zones), zones[0])
	}
	if got := len(a.subnets(t)); got != 3 {
		t.Errorf("%d zones have a subnet tagged for discovery, want 3", got)
	}
	subnets := must[*ec2.DescribeSubnetsOutput](t)(a.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{})).Subnets
	free := *subnets[slices.IndexFunc(subnets, func(s ec2types.Subnet) bool { return *s.CidrBlock == "10.0.0.0/18" })].AvailableIpAddressCount
	if free != 16379 {
		t.Errorf("an empty /18 has %d addresses, want 16379", free)
	}
	vpcs := must[*ec2.DescribeVpcsOutput](t)(a.ec2.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{})).Vpcs
	if len(vpcs) != 1 || *vpcs[0].VpcId != *subnets[0].VpcId {
		t.Errorf("vpcs %+v", vpcs)
	}
	id := a.image(t, "/aws/service/eks/optimized-ami/1.31/amazon-linux-2-arm64/recommended/image_id")
	images := must[*ec2.DescribeImagesOutput](t)(a.ec2.DescribeImages(ctx, &ec2.DescribeImagesInput{
		Owners: []string{
			"amazon",
		},
		Filters: []ec2types.Filter{filterBy("name", "amazon-eks-arm64-node-1.31-*"), filterBy("state", "available")},
	})).Images
	if len(images) != 2 || !slices.ContainsFunc(images, func(im ec2types.Image) bool { return *im.ImageId == id }) {
		t.Errorf("images by name: %+v; want 2, with the recommended %s", images, id)
	}
	if images[0].Architecture != ec2types.ArchitectureValuesArm64 || images[0].CreationDate == nil {
		t.Errorf("image %+v", images[0])
	}
	_, err := a.ec2.DescribeImages(ctx, &ec2.DescribeImagesInput{ImageIds: []string{"ami-00000000000000000"}})
	wantCode(t, err, "InvalidAMIID.NotFound")
	if out := must[*ec2.DescribeImagesOutput](
		t,
	)(
		a.ec2.DescribeImages(ctx, &ec2.DescribeImagesInput{Owners: []string{"self"}}),
	); len(
		out.Images,
	) != 0 {
		t.Errorf("%d own images, want none", len(out.Images))
	}
	a.clock.Step(3 * 365 * 24 * time.Hour)
	byName := &ec2.DescribeImagesInput{Filters: []ec2types.Filter{filterBy("image-id", id)}}
	if out := must[*ec2.DescribeImagesOutput](t)(a.ec2.DescribeImages(ctx, byName)); len(out.Images) != 0 {
		t.Error("a deprecated image is listed although it was not asked for")
	}
	byName.IncludeDeprecated = aws.Bool(true)
	if out := must[*ec2.DescribeImagesOutput](t)(a.ec2.DescribeImages(ctx, byName)); len(out.Images) != 1 {
		t.Error("a deprecated image is missing although it was asked for")
	}
}

func TestDescribeInstancesFiltersAndPages(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-a")
	a.launch(
		t,
		fleet{template: "lt-a", types: []ec2types.InstanceType{"m5.large"}, zones: []string{"us-east-1a"}, count: 23},
	)
	a.clock.Step(2 * time.Second)
	a.launch(
		t,
		fleet{
			template: "lt-a",
			types:    []ec2types.InstanceType{"c5.large"},
			zones:    []string{"us-east-1b"},
			count:    4,
			spot:     true,
		},
	)
	count := func(filters ...ec2types.Filter) int {
		pages := ec2.NewDescribeInstancesPaginator(
			a.ec2,
			&ec2.DescribeInstancesInput{Filters: filters, MaxResults: aws.Int32(5)},
		)
		seen := map[string]bool{}
		for pages.HasMorePages() {
			for _, r := range must[*ec2.DescribeInstancesOutput](t)(pages.NextPage(t.Context())).Reservations {
				for _, in := range r.Instances {
					if seen[*in.InstanceId] {
						t.Errorf("%s is on two pages", *in.InstanceId)
					}
					seen[*in.InstanceId] = true
				}
			}
		}
		return len(seen)
	}
	cases := []struct {
		want    int
		filters []ec2types.Filter
	}{
		{27, nil},
		{27, []ec2types.Filter{filterBy("tag:karpenter.sh/nodepool", "def*")}},
		{27, []ec2types.Filter{filterBy("tag-key", "karpenter.sh/nodepool")}},
		{0, []ec2types.Filter{filterBy("tag:karpenter.sh/nodepool", "other")}},
		{23, []ec2types.Filter{filterBy("instance-state-name", "running")}},
		{4, []ec2types.Filter{filterBy("instance-state-name", "pending"), filterBy("instance-lifecycle", "spot")}},
		{4, []ec2types.Filter{filterBy("availability-zone", "us-east-1b", "us-east-1c")}},
		{23, []ec2types.Filter{filterBy("instance-type", "m5.?arge")}},
	}
	for _, tc := range cases {
		if got := count(tc.filters...); got != tc.want {
			t.Errorf("filters %v: %d instances, want %d", tc.filters, got, tc.want)
		}
	}
	status := must[*ec2.DescribeInstanceStatusOutput](
		t,
	)(
		a.ec2.DescribeInstanceStatus(t.Context(), &ec2.DescribeInstanceStatusInput{}),
	)
	if len(status.InstanceStatuses) != 23 {
		t.Errorf("%d statuses, want those of the 23 running instances", len(status.InstanceStatuses))
	}
	impaired := must[*ec2.DescribeInstanceStatusOutput](
		t,
	)(
		a.ec2.DescribeInstanceStatus(t.Context(), &ec2.DescribeInstanceStatusInput{
			Filters: []ec2types.Filter{filterBy("instance-status.status", "impaired")},
		}),
	)
	if len(impaired.InstanceStatuses) != 0 {
		t.Errorf("%d impaired instances, want none", len(impaired.InstanceStatuses))
	}
}

func TestWhatIsNotModelledIsRefused(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	ctx := t.Context()
	wrong := []ec2types.Filter{filterBy("no-such-filter", "x")}
	for name, call := range map[string]func() error{
		"DescribeInstances": func() error {
			_, err := a.ec2.DescribeInstances(ctx, &ec2.DescribeInstancesInput{Filters: wrong})
			return err
		},
		"DescribeSubnets": func() error {
			_, err := a.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{Filters: wrong})
			return err
		},
		"DescribeSecurityGroups": func() error {
			_, err := a.ec2.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{Filters: wrong})
			return err
		},
		"DescribeImages": func() error {
			_, err := a.ec2.DescribeImages(ctx, &ec2.DescribeImagesInput{Filters: wrong})
			return err
		},
		"DescribeInstanceTypes": func() error {
			_, err := a.ec2.DescribeInstanceTypes(ctx, &ec2.DescribeInstanceTypesInput{Filters: wrong})
			return err
		},
		"DescribeCapacityReservations": func() error {
			_, err := a.ec2.DescribeCapacityReservations(ctx, &ec2.DescribeCapacityReservationsInput{Filters: wrong})
			return err
		},
		"DescribeLaunchTemplates": func() error {
			_, err := a.ec2.DescribeLaunchTemplates(ctx, &ec2.DescribeLaunchTemplatesInput{Filters: wrong})
			return err
		},
		"DescribeInstanceStatus": func() error {
			_, err := a.ec2.DescribeInstanceStatus(ctx, &ec2.DescribeInstanceStatusInput{Filters: wrong})
			return err
		},
		"DescribeInstanceTypeOfferings": func() error {
			_, err := a.ec2.DescribeInstanceTypeOfferings(ctx, &ec2.DescribeInstanceTypeOfferingsInput{Filters: wrong})
			return err
		},
		"DescribeSpotPriceHistory": func() error {
			_, err := a.ec2.DescribeSpotPriceHistory(ctx, &ec2.DescribeSpotPriceHistoryInput{Filters: wrong})
			return err
		},
		"DescribeAvailabilityZones": func() error {
			_, err := a.ec2.DescribeAvailabilityZones(ctx, &ec2.DescribeAvailabilityZonesInput{Filters: wrong})
			return err
		},
		"DescribePlacementGroups": func() error {
			_, err := a.ec2.DescribePlacementGroups(ctx, &ec2.DescribePlacementGroupsInput{Filters: wrong})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, call(), "InvalidParameterValue") })
	}
	_, err := a.ec2.RunInstances(
		ctx,
		&ec2.RunInstancesInput{MinCount: aws.Int32(1), MaxCount: aws.Int32(1), KernelId: aws.String("aki-1")},
	)
	wantCode(t, err, "UnknownParameter")
	_, err = a.ec2.DescribeSnapshots(ctx, &ec2.DescribeSnapshotsInput{})
	wantCode(t, err, "InvalidAction")
	_, err = a.ec2.DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{"i-xyz"}})
	wantCode(t, err, "InvalidInstanceID.Malformed")
	_, err = a.ec2.DescribeInstances(ctx, &ec2.DescribeInstancesInput{NextToken: aws.String("rubbish")})
	wantCode(t, err, "InvalidNextToken")
	if out := must[*ec2.DescribeCapacityReservationsOutput](
		t,
	)(
		a.ec2.DescribeCapacityReservations(ctx, &ec2.DescribeCapacityReservationsInput{}),
	); len(
		out.CapacityReservations,
	) != 0 {
		t.Errorf("%d capacity reservations, want none", len(out.CapacityReservations))
	}
}

func TestPricing(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	client := pricing.NewFromConfig(a.cfg)
	term := func(field, value string) pricingtypes.Filter {
		return pricingtypes.Filter{
			Type:  pricingtypes.FilterTypeTermMatch,
			Field: aws.String(field),
			Value: aws.String(value),
		}
	}
	filters := []pricingtypes.Filter{
		term(
			"regionCode",
			"eu-west-1",
		),
		term("serviceCode", "AmazonEC2"),
		term("preInstalledSw", "NA"),
		term("operatingSystem", "Linux"),
		term("capacitystatus", "Used"),
		term("marketoption", "OnDemand"),
	}
	read := func(filters []pricingtypes.Filter) map[string]string {
		pages := pricing.NewGetProductsPaginator(
			client,
			&pricing.GetProductsInput{ServiceCode: aws.String("AmazonEC2"), Filters: filters},
		)
		prices := map[string]string{}
		for pages.HasMorePages() {
			for _, text := range must[*pricing.GetProductsOutput](t)(pages.NextPage(t.Context())).PriceList {
				var p struct {
					Product struct{ Attributes map[string]string }
					Terms   struct {
						OnDemand map[string]struct {
							PriceDimensions map[string]struct{ PricePerUnit map[string]string }
						}
					}
				}
				if err := json.Unmarshal([]byte(text), &p); err != nil {
					t.Fatal(err)
				}
				for _, term := range p.Terms.OnDemand {
					for _, d := range term.PriceDimensions {
						prices[p.Product.Attributes["instanceType"]] = d.PricePerUnit["USD"]
					}
				}
			}
		}
		return prices
	}
	shared := read(append(filters, term("tenancy", "Shared"), term("productFamily", "Compute Instance")))
	if len(shared) < 600 || shared["m5.large"] != "0.1070000000" {
		t.Errorf("%d prices, m5.large in eu-west-1 costs %s; want 0.107", len(shared), shared["m5.large"])
	}
	metal := read(
		append(filters, term("tenancy", "Dedicated"), term("productFamily", "Compute Instance (bare metal)")),
	)
	if metal["m5.metal"] == "" || shared["m5.metal"] != "" {
		t.Errorf("m5.metal costs %q among bare metal, %q among shared", metal["m5.metal"], shared["m5.metal"])
	}
	own := read(append(filters, term("tenancy", "Dedicated"), term("productFamily", "Compute Instance")))
	if own["m5.large"] != "0.1177000000" || own["t2.micro"] != "" || own["m5.metal"] != "" {
		t.Errorf(
			"dedicated m5.large costs %q, want a tenth more than shared; t2.micro %q and m5.metal %q, want no price",
			own["m5.large"],
			own["t2.micro"],
			own["m5.metal"],
		)
	}
	_, err := client.GetProducts(
		t.Context(),
		&pricing.GetProductsInput{
			ServiceCode: aws.String("AmazonEC2"),
			Filters:     []pricingtypes.Filter{term("colour", "red")},
		},
	)
	wantCode(t, err, "InvalidParameterException")
}
