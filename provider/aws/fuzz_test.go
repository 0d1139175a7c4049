package aws

import (
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	testclock "k8s.io/utils/clock/testing"
	"pgregory.net/rapid"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider/aws/fleet"
	"github.com/dovetail-sh/dovetail/provider/aws/instancetype"
)

// says answers every call with one body.
type says string

func (s says) Do(*http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK,
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     http.Header{},
		Body:       io.NopCloser(strings.NewReader(string(s))),
	}, nil
}

// list is an answer of EC2 with one item.
func list(set, item string) string {
	return "<R><" + set + "><item>" + item + "</item></" + set + "></R>"
}

// strangeAnswers lack what answers have.
var strangeAnswers = []string{
	list("reservationSet", "<instancesSet><item><instanceId>i-1</instanceId></item></instancesSet>"),
	list("reservationSet", "<instancesSet><item><placement/><tagSet><item/></tagSet></item></instancesSet>"),
	list("instanceSet", "<instanceIds/>"),
	list("fleetInstanceSet", "<instanceType>m5.large</instanceType><instanceIds><item>i-1</item></instanceIds>"),
	list("errorSet", "<launchTemplateAndOverrides/>"),
	list("subnetSet", ""),
	list("imagesSet", "<deprecationTime>never</deprecationTime>"),
	list(
		"instanceTypeSet",
		"<networkInfo><networkCards><item/></networkCards></networkInfo><gpuInfo><gpus><item/></gpus></gpuInfo><neuronInfo><neuronDevices><item/></neuronDevices></neuronInfo>",
	),
	list(
		"instanceTypeSet",
		"<instanceStorageInfo><disks><item/></disks></instanceStorageInfo><ebsInfo/><processorInfo/>",
	),
	list("capacityReservationSet", "<endDate>x</endDate>"),
	list("placementGroupSet", ""),
	list(
		"instanceStatusSet",
		"<eventsSet><item/></eventsSet><instanceStatus><details><item/></details></instanceStatus>",
	),
	list("spotPriceHistorySet", "<spotPrice>-1</spotPrice>"),
	"",
	"<",
	`{"Parameter":null,"PriceList":["{}","x"],"cluster":null,"Messages":[{}],"appliedWeights":null}`,
}

// Whatever AWS answers, the provider takes it for an answer or for an error, and does not panic: every field of every
// answer may be missing.
func FuzzAnswers(f *testing.F) {
	for _, body := range strangeAnswers {
		f.Add(body)
	}
	f.Fuzz(hear)
}

// The same, without the instruments that slow a fuzzer down to a few answers a second here.
func TestStrangeAnswers(t *testing.T) {
	t.Parallel()
	token := regexp.MustCompile(`<[^>]*>|[^<>]+`)
	rapid.Check(t, func(rt *rapid.T) {
		parts := token.FindAllString(rapid.SampledFrom(strangeAnswers).Draw(rt, "answer"), -1)
		others := token.FindAllString(strings.Join(strangeAnswers, ""), -1)
		for range rapid.IntRange(0, 4).Draw(rt, "changes") {
			at := rapid.IntRange(0, len(parts)).Draw(rt, "at")
			end := min(at+rapid.IntRange(0, 3).Draw(rt, "gone"), len(parts))
			with := rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(others), rapid.StringN(0, 8, -1)), 0, 3).
				Draw(rt, "new")
			parts = slices.Replace(parts, at, end, with...)
		}
		hear(t, strings.Join(parts, ""))
	})
}

// hear has every reading call answered with one body.
func hear(t *testing.T, body string) {
	c := assemble(Deps{
		Config: awssdk.Config{
			Region:       "us-east-1",
			BaseEndpoint: awssdk.String("http://127.0.0.1"),
			HTTPClient:   says(body),
			Credentials: credentials.NewStaticCredentialsProvider(
				"AKIATEST",
				"secret",
				"",
			),
			Retryer: func() awssdk.Retryer { return awssdk.NopRetryer{} },
		},
		Clock: testclock.NewFakeClock(noon), Settings: Settings{ClusterName: "demo", InterruptionQueue: "demo"},
	})
	ctx, name := t.Context(), "x"
	_, _ = c.Machines(ctx)
	_, _ = c.Machine(ctx, "aws:///us-east-1a/i-1")
	_, _ = c.Diagnose(ctx)
	_, _ = c.Notices(ctx)
	_, _ = fleet.Buy(
		ctx,
		c.ec2,
		fleet.Request{CapacityType: shape.OnDemand, Offers: []fleet.Offer{{InstanceType: "m5.large"}}},
	)
	_, _ = c.subnets.Find(ctx, []awsv1.SubnetSelectorTerm{{ID: "subnet-1"}})
	_, _ = c.groups.Find(ctx, []awsv1.SecurityGroupSelectorTerm{{ID: "sg-1"}})
	_, _ = c.reserved.Find(ctx, []awsv1.CapacityReservationSelectorTerm{{ID: "cr-1"}})
	_, _ = c.placement.Find(ctx, &awsv1.PlacementGroupSelector{Name: &name})
	_, _ = c.images.Find(ctx, nodeClass("x"), "1.32")
	_, _ = c.profiles.Ensure(ctx, nodeClass("x"))
	_, _ = c.cluster.serviceCIDR(ctx)
	_, _, _ = c.shifts.Refresh(ctx, "arn")
	_ = c.refreshPrices(ctx)
	_ = c.templates.Collect(ctx)
	if sold, err := c.inventory.List(ctx); err == nil {
		for _, info := range sold.Types {
			instancetype.New(info, c.setup(nodeClass("x")))
			instancetype.Supported(info, nodeClass("x"))
		}
	}
}
