package interrupt

import (
	"context"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"

	"github.com/dovetail-sh/dovetail/awssim"
	"github.com/dovetail-sh/dovetail/awssim/control"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/notices"
)

// fromSQS reads a queue through the AWS SDK.
type fromSQS struct {
	*queue
	sqs *notices.Queue
}

func (f fromSQS) Notices(ctx context.Context) ([]provider.Notice, error) { return f.sqs.Receive(ctx) }

func (f fromSQS) Done(ctx context.Context, n provider.Notice) error {
	if err := f.sqs.Delete(ctx, n); err != nil {
		return err
	}
	return f.queue.Done(ctx, n)
}

// BenchmarkQueue is BenchmarkMessages with the queue: 15,000 messages are received and deleted through the AWS SDK,
// from the simulated SQS over HTTP, which runs on the same processors.
func BenchmarkQueue(b *testing.B) {
	cluster := newCluster()
	for b.Loop() {
		b.StopTimer()
		sim, err := awssim.New(awssim.Options{ClusterName: "demo"})
		if err != nil {
			b.Fatal(err)
		}
		for n := range messages {
			if err := sim.Befall(control.Event{Kind: control.Message, Body: message(n)}); err != nil {
				b.Fatal(err)
			}
		}
		api := sqs.NewFromConfig(awssdk.Config{
			Region:       "us-east-1",
			BaseEndpoint: awssdk.String(sim.URL()),
			Credentials:  credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""),
		})
		r := newBench(b)
		r.Client, r.Events = cluster, observe.NewRecorder(&record.FakeRecorder{}, r.clock)
		r.queue.expect = messages
		r.Cloud = fromSQS{r.queue, notices.New(api, "demo", clock.RealClock{})}
		b.StartTimer()
		listen(b, r)
		b.StopTimer()
		if err := sim.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// listen runs a Listener until its queue is drained, and reports how fast that was.
func listen(b *testing.B, r *bench) {
	ctx, stop := context.WithCancel(b.Context())
	began := time.Now()
	ended := make(chan error)
	go func() { ended <- r.Start(ctx) }()
	<-r.queue.drained
	b.ReportMetric(messages/time.Since(began).Seconds(), "messages/s")
	stop()
	if err := <-ended; err != nil || len(r.deleted) != messages/3 {
		b.Fatalf("%d claims deleted, want %d; %v", len(r.deleted), messages/3, err)
	}
}
