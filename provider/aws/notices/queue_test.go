package notices

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	testclock "k8s.io/utils/clock/testing"

	"github.com/dovetail-sh/dovetail/awssim"
	"github.com/dovetail-sh/dovetail/provider"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// bench is a queue of a simulated account.
type bench struct {
	*Queue
	sim   *awssim.Server
	api   *sqs.Client
	clock *testclock.FakeClock
	url   *string
}

func newBench(t *testing.T, queue string) *bench {
	t.Helper()
	b := &bench{clock: testclock.NewFakeClock(noon)}
	var err error
	if b.sim, err = awssim.New(awssim.Options{Clock: b.clock, ClusterName: "demo"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.sim.Close() })
	b.api = sqs.NewFromConfig(awssdk.Config{
		Region: "us-east-1", BaseEndpoint: awssdk.String(b.sim.URL()),
		Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""),
		Retryer:     func() awssdk.Retryer { return awssdk.NopRetryer{} },
	})
	b.Queue = New(b.api, queue, b.clock)
	b.url = awssdk.String(b.sim.URL() + "/111122223333/demo")
	return b
}

func (b *bench) send(t *testing.T, text string) {
	t.Helper()
	if _, err := b.api.SendMessage(
		t.Context(),
		&sqs.SendMessageInput{QueueUrl: b.url, MessageBody: &text},
	); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) receive(t *testing.T, want ...provider.NoticeKind) []provider.Notice {
	t.Helper()
	got, err := b.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Fatalf("received %+v, want %v", got, want)
	}
	for i, n := range got {
		if n.Kind != want[i] {
			t.Errorf("notice %d is %s, want %s", i, n.Kind, want[i])
		}
	}
	return got
}

func (b *bench) delete(t *testing.T, n provider.Notice) {
	t.Helper()
	if err := b.Delete(t.Context(), n); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) left(t *testing.T) string {
	t.Helper()
	out, err := b.api.GetQueueAttributes(
		t.Context(),
		&sqs.GetQueueAttributesInput{QueueUrl: b.url, AttributeNames: []sqstypes.QueueAttributeName{"All"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	return out.Attributes["ApproximateNumberOfMessages"] + "+" + out.Attributes["ApproximateNumberOfMessagesNotVisible"]
}

func stopped(id string) string {
	return body("aws.ec2", stateChanged, `{"instance-id":"`+id+`","state":"stopped"}`, arns)
}

func TestAMessageComesAgainUntilItIsDeleted(t *testing.T) {
	t.Parallel()
	b := newBench(t, "demo")
	b.send(t, stopped("i-0abc"))
	first := b.receive(t, provider.InstanceStopped)[0]
	if !first.Sent.Equal(noon) {
		t.Errorf("sent at %s, the queue says %s", first.Sent, noon)
	}
	b.clock.Step(visibility * time.Second)
	again := b.receive(t, provider.InstanceStopped)[0]
	b.delete(t, again)
	if got := b.left(t); got != "0+0" {
		t.Errorf("%s messages are left after the deletion", got)
	}
}

func TestADuplicateAsksForNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, "demo")
	b.send(t, stopped("i-0abc"))
	b.delete(t, b.receive(t, provider.InstanceStopped)[0])
	b.send(t, stopped("i-0abc"))
	b.delete(t, b.receive(t, provider.NoOp)[0])
	b.clock.Step(rememberFor)
	b.send(t, stopped("i-0abc"))
	b.receive(t, provider.InstanceStopped)
}

func TestRubbishIsDeletedLikeAnyOther(t *testing.T) {
	t.Parallel()
	b := newBench(t, "demo")
	for _, text := range []string{"hello", "{", stopped("i-0abc")} {
		b.send(t, text)
	}
	for _, n := range b.receive(t, provider.NoOp, provider.NoOp, provider.InstanceStopped) {
		b.delete(t, n)
	}
	if got := b.left(t); got != "0+0" {
		t.Errorf("%s messages are left", got)
	}
}

func TestAMissingQueueIsNamedAndFoundOnceItIsThere(t *testing.T) {
	t.Parallel()
	b := newBench(t, "later")
	_, err := b.Receive(t.Context())
	if err == nil || !strings.Contains(err.Error(), "queue later") ||
		!strings.Contains(err.Error(), "--interruption-queue") {
		t.Fatalf("%v: want the queue's name and the flag", err)
	}
	made, err := b.api.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: awssdk.String("later")})
	if err != nil {
		t.Fatal(err)
	}
	b.url = made.QueueUrl
	b.send(t, stopped("i-0abc"))
	b.receive(t, provider.InstanceStopped)
}

// Deletions that come at once share calls, and a receipt that SQS refuses spoils no other's.
func TestDeletionsGoTogether(t *testing.T) {
	t.Parallel()
	b := newBench(t, "demo")
	for i := range atOnce {
		b.send(t, stopped("i-0abc"+strconv.Itoa(i)))
	}
	received := b.receive(t, slices.Repeat([]provider.NoticeKind{provider.InstanceStopped}, atOnce)...)
	bad := provider.Notice{Handle: "not a receipt"}
	var deleting sync.WaitGroup
	for _, n := range append(received, bad) {
		deleting.Go(func() {
			if err := b.Delete(t.Context(), n); (err != nil) != (n.Handle == bad.Handle) {
				t.Errorf("deleting %q: %v", n.Handle, err)
			}
		})
	}
	deleting.Wait()
	if got := b.left(t); got != "0+0" {
		t.Errorf("%s messages are left", got)
	}
}
