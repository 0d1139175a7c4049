package awssim_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// Not parallel: it measures the heap.
func TestTenThousandInstancesStaySmall(t *testing.T) {
	a := newAccount(t)
	a.template(t, "lt-a", func(d *ec2types.RequestLaunchTemplateData) { d.UserData = nil }) // nobody joins
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for range 20 {
		a.launch(
			t,
			fleet{
				template: "lt-a",
				types:    []ec2types.InstanceType{"m5.large"},
				zones:    []string{"us-east-1a"},
				count:    500,
			},
		)
	}
	grown := heap() - before
	if perInstance := grown / 10_000; perInstance > 8<<10 {
		t.Errorf("an instance takes %d bytes, want 8 KiB at most (10,000 in 80 MiB)", perInstance)
	}
	a.clock.Step(time.Minute)
	pages := ec2.NewDescribeInstancesPaginator(a.ec2, &ec2.DescribeInstancesInput{
		MaxResults: aws.Int32(
			1000,
		),
		Filters: []ec2types.Filter{
			filterBy("instance-state-name", "running"),
			filterBy("tag-key", "karpenter.sh/nodepool"),
		},
	})
	start, seen := time.Now(), 0
	for pages.HasMorePages() {
		for _, r := range must[*ec2.DescribeInstancesOutput](t)(pages.NextPage(t.Context())).Reservations {
			seen += len(r.Instances)
		}
	}
	if seen != 10_000 {
		t.Errorf("%d instances are described, want 10000", seen)
	}
	t.Logf("%d bytes an instance; describing all took %s", grown/10_000, time.Since(start))
}
