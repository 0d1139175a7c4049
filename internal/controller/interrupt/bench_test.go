package interrupt

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/notices"
)

// indexed answers as the daemon's cache does: by index, with copies.
type indexed struct {
	client.Client
	claims map[string]*karpenterv1.NodeClaim // by the last part of their provider ID
	nodes  map[string]*corev1.Node           // by provider ID
}

func (c indexed) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	var o client.ListOptions
	o.ApplyOptions(options)
	key := o.FieldSelector.Requirements()[0].Value
	switch l := list.(type) {
	case *karpenterv1.NodeClaimList:
		if claim := c.claims[key]; claim != nil {
			l.Items = append(l.Items, *claim.DeepCopy())
		}
	case *corev1.NodeList:
		if node := c.nodes[key]; node != nil {
			l.Items = append(l.Items, *node.DeepCopy())
		}
	}
	return nil
}

// BenchmarkMessages parses 15,000 messages and acts upon them: a third are spot interruptions of 5,000 nodes, a third state
// changes of machines that are not ours, the rest rebalance recommendations. What AWS and the API server take is not in it.
func BenchmarkMessages(b *testing.B) {
	const messages = 15_000
	cluster := indexed{claims: map[string]*karpenterv1.NodeClaim{}, nodes: map[string]*corev1.Node{}}
	for i := range messages / 3 {
		objects := spot(fmt.Sprintf("%017x", i))
		claim, node := objects[0].(*karpenterv1.NodeClaim), objects[1].(*corev1.Node)
		cluster.claims["i-"+claim.Name], cluster.nodes[node.Spec.ProviderID] = claim, node
	}
	for b.Loop() {
		r := newBench(b)
		r.Client = cluster
		r.Events = observe.NewRecorder(&record.FakeRecorder{}, r.clock)
		r.queue.expect = messages
		r.Cloud = &parsing{queue: r.queue, left: messages}
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
}

// parsing is a queue whose messages are text, ten in each answer.
type parsing struct {
	*queue
	left int
}

func (p *parsing) Notices(ctx context.Context) ([]provider.Notice, error) {
	if p.left == 0 {
		return p.queue.Notices(ctx)
	}
	var out []provider.Notice
	for range 10 {
		p.left--
		out = append(out, notices.Parse(message(p.left)))
	}
	return out, nil
}

func message(n int) string {
	kind, detail, id := "EC2 Spot Instance Interruption Warning", `,"instance-action":"terminate"`, fmt.Sprintf("i-%017x", n/3)
	switch n % 3 {
	case 1:
		kind, detail, id = "EC2 Instance State-change Notification", `,"state":"terminated"`, fmt.Sprintf("i-f%016x", n)
	case 2:
		kind, detail = "EC2 Instance Rebalance Recommendation", ""
	}
	return fmt.Sprintf(`{"version":"0","id":"%d","detail-type":%q,"source":"aws.ec2","account":"111122223333","time":"2026-11-21T12:00:00Z",
		"region":"us-east-1","resources":["arn:aws:ec2:us-east-1:111122223333:instance/%s"],"detail":{"instance-id":%q%s}}`, n, kind, id, id, detail)
}
