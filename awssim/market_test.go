package awssim_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/awssim"
	"github.com/dovetail-sh/dovetail/awssim/control"
	"github.com/dovetail-sh/dovetail/awssim/fault"
	"github.com/dovetail-sh/dovetail/catalog"
)

func moving(o *awssim.Options) { o.Moving = true }

// prices returns the spot prices of m5.large in a zone, oldest first, as
// "time price".
func (a *account) prices(t *testing.T, since time.Duration) []string {
	t.Helper()
	pages := ec2.NewDescribeSpotPriceHistoryPaginator(a.ec2, &ec2.DescribeSpotPriceHistoryInput{
		InstanceTypes:       []ec2types.InstanceType{"m5.large"},
		ProductDescriptions: []string{"Linux/UNIX"},
		AvailabilityZone: aws.String(
			"us-east-1a",
		),
		StartTime:  aws.Time(a.clock.Now().Add(-since)),
		MaxResults: aws.Int32(7),
	})
	var out []string
	for pages.HasMorePages() {
		for _, p := range must[*ec2.DescribeSpotPriceHistoryOutput](t)(pages.NextPage(t.Context())).SpotPriceHistory {
			out = append(out, p.Timestamp.Format(time.RFC3339)+" "+*p.SpotPrice)
		}
	}
	return out
}

func TestSpotPricesMove(t *testing.T) {
	t.Parallel()
	a := newAccount(t, moving)
	a.clock.Step(72 * time.Hour)
	history := a.prices(t, 48*time.Hour)
	if len(history) < 10 || len(history) > 50 {
		t.Errorf("%d prices in 48 hours, want one for most hours", len(history))
	}
	onDemand, _ := catalog.OnDemand("us-east-1", "m5.large")
	for i, entry := range history {
		_, price, _ := strings.Cut(entry, " ")
		dollars, err := strconv.ParseFloat(price, 64)
		if err != nil || dollars <= 0 || dollars*1e6 > float64(onDemand) {
			t.Errorf("price %q is not between 0 and on demand's", entry)
		}
		if i > 0 && strings.HasSuffix(history[i-1], price) {
			t.Errorf("%q follows %q: no change", entry, history[i-1])
		}
	}
	now := a.prices(t, 0)
	if diff := cmp.Diff(history[len(history)-1:], now); diff != "" {
		t.Errorf("the price of the moment is not the last of its history: -history +now\n%s", diff)
	}
	b := newAccount(t, moving)
	b.clock.Step(72 * time.Hour)
	if diff := cmp.Diff(history, b.prices(t, 48*time.Hour)); diff != "" {
		t.Errorf("equal seeds, other prices: -one +other\n%s", diff)
	}
}

func TestSqueezedPoolsTakeBackTheirInstances(t *testing.T) {
	t.Parallel()
	a := newAccount(t, moving)
	a.template(t, "lt-a")
	id := a.one(t, "lt-a", true)
	admin := control.New(a.URL())
	squeeze := control.Squeeze{Type: "m5.large", Zone: "us-east-1a", For: fault.Duration(2 * time.Hour)}
	if err := admin.Squeeze(t.Context(), squeeze); err != nil {
		t.Fatal(err)
	}
	f := fleet{
		template: "lt-a",
		types:    []ec2types.InstanceType{"m5.large"},
		zones:    []string{"us-east-1a"},
		count:    1,
		spot:     true,
	}
	if out := a.launch(
		t,
		f,
	); len(out.Errors) != 1 ||
		aws.ToString(out.Errors[0].ErrorCode) != "InsufficientInstanceCapacity" {
		t.Errorf("a launch into a squeezed pool: %+v", out)
	}
	pools := must[[]control.Pool](t)(admin.Market(t.Context(), ""))
	if len(pools) != 1 || pools[0].Pressure != 1 || pools[0].InUse != 1 || *pools[0].Available != 0 {
		t.Errorf("the market shows %+v, want one full pool under full pressure", pools)
	}
	a.clock.Step(45 * time.Minute)
	if in := a.describe(
		t,
		id,
	); in.State.Name != "terminated" ||
		aws.ToString(in.StateReason.Code) != "Server.SpotInstanceTermination" {
		t.Errorf("the instance is %s because of %+v, want it taken back", in.State.Name, in.StateReason)
	}
	kinds := a.mailbox(t).until(t, id, "terminated")
	if kinds["EC2 Spot Instance Interruption Warning"] != 1 || kinds["EC2 Instance Rebalance Recommendation"] != 1 {
		t.Errorf("messages %v, want one warning and one recommendation", kinds)
	}
	a.clock.Step(90 * time.Minute)
	if out := a.launch(t, f); len(out.Instances) != 1 {
		t.Errorf("after the squeeze the pool still gives nothing: %+v", out.Errors)
	}
}

func TestPoolsAreFinite(t *testing.T) {
	t.Parallel()
	a := newAccount(t, moving)
	a.template(t, "lt-a", func(d *ec2types.RequestLaunchTemplateData) { d.UserData = nil })
	out := a.launch(
		t,
		fleet{
			template: "lt-a",
			types:    []ec2types.InstanceType{"m5.24xlarge"},
			zones:    []string{"us-east-1a"},
			count:    500,
			spot:     true,
		},
	)
	if len(out.Instances) == 0 || len(out.Errors) == 0 {
		t.Fatalf(
			"%d groups launched, %d errors; want some of 500 large machines, and then no more",
			len(out.Instances),
			len(out.Errors),
		)
	}
	first := out.Instances[0].InstanceIds
	must[*ec2.TerminateInstancesOutput](
		t,
	)(
		a.ec2.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: first[:1]}),
	)
	a.clock.Step(10 * time.Second)
	again := a.launch(
		t,
		fleet{
			template: "lt-a",
			types:    []ec2types.InstanceType{"m5.24xlarge"},
			zones:    []string{"us-east-1a"},
			count:    1,
			spot:     true,
		},
	)
	if len(again.Instances) != 1 {
		t.Errorf("the pool did not take back the machine that ended: %+v", again.Errors)
	}
}

// As often as the Spot Instance Advisor says, within what chance allows.
func TestInterruptionsAreAsOftenAsPublished(t *testing.T) {
	t.Parallel()
	a := newAccount(t, moving)
	a.template(t, "lt-a", func(d *ec2types.RequestLaunchTemplateData) { d.UserData = nil })
	for _, kind := range []ec2types.InstanceType{"m5.large", "c5.xlarge", "r5.2xlarge", "m6i.large", "c6i.large", "m5a.large", "r6g.large", "t3.large"} {
		for _, zone := range []string{"us-east-1a", "us-east-1b", "us-east-1c"} {
			if kind == "r6g.large" {
				continue // another architecture
			}
			a.launch(
				t,
				fleet{
					template: "lt-a",
					types:    []ec2types.InstanceType{kind},
					zones:    []string{zone},
					count:    40,
					spot:     true,
				},
			)
		}
	}
	launched := len(a.Status().Instances)
	expected := 0.0
	chance := map[int]float64{1: 0.025, 2: 0.075, 3: 0.125, 4: 0.175, 5: 0.30}
	for _, in := range a.Status().Instances {
		expected += chance[max(1, catalog.InterruptionBand("us-east-1", in.Type))]
	}
	a.clock.Step(30 * 24 * time.Hour)
	got := a.Status().Spending.Interruptions
	if float64(got) < expected/2 || float64(got) > expected*2 {
		t.Errorf("%d of %d instances were interrupted in a month, want about %.0f", got, launched, expected)
	}
	t.Logf("%d of %d instances were interrupted in a month, about %.0f expected", got, launched, expected)
}

func TestSpendingFollowsThePrice(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-a")
	id := a.one(t, "lt-a", true)
	a.clock.Step(time.Second + 10*time.Hour) // billed from running on
	must[*ec2.TerminateInstancesOutput](
		t,
	)(
		a.ec2.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{id}}),
	)
	a.clock.Step(10 * time.Hour)
	status := a.Status()
	_, price, _ := strings.Cut(a.prices(t, 0)[0], " ")
	onDemand, _ := catalog.OnDemand("us-east-1", "m5.large")
	if got := fmt.Sprintf("%.6f", float64(status.Spending.Paid)/10/1e6); got != price {
		t.Errorf("10 hours at %s cost %d micro-dollars", price, status.Spending.Paid)
	}
	if status.Spending.OnDemand != 10*onDemand {
		t.Errorf("on demand they would have cost %d, want %d", status.Spending.OnDemand, 10*onDemand)
	}
}

func TestTimeRunsFast(t *testing.T) {
	t.Parallel()
	server, err := awssim.New(awssim.Options{ClusterName: clusterName})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	admin := control.New(server.URL())
	before := must[control.Status](t)(admin.Status(t.Context())).Now
	speed := 10_000.0
	must[control.Settings](t)(admin.Set(t.Context(), control.Settings{Speed: &speed}))
	deadline := time.After(2 * time.Minute)
	for server.Status().Now.Sub(before) < time.Hour {
		select {
		case <-deadline:
			t.Fatal("an hour did not pass in two minutes at 10,000 times the speed")
		case <-time.After(10 * time.Millisecond):
		}
	}
	speed = 0
	if _, err := admin.Set(t.Context(), control.Settings{Speed: &speed}); err == nil {
		t.Error("time was allowed to stand still")
	}
}
