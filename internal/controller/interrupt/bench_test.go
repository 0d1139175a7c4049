package interrupt

import (
	"context"
	"fmt"
	"testing"

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

// messages is how many a benchmark reads: a third are spot interruptions of as many nodes, a third state changes of
// machines that are not ours, the rest rebalance recommendations.
const messages = 15_000

// newCluster has a node for each of the interruptions.
func newCluster() indexed {
	cluster := indexed{claims: map[string]*karpenterv1.NodeClaim{}, nodes: map[string]*corev1.Node{}}
	for i := range messages / 3 {
		objects := spot(fmt.Sprintf("%017x", i))
		claim, node := objects[0].(*karpenterv1.NodeClaim), objects[1].(*corev1.Node)
		cluster.claims["i-"+claim.Name], cluster.nodes[node.Spec.ProviderID] = claim, node
	}
	return cluster
}

// BenchmarkMessages parses 15,000 messages and acts upon them. What AWS and the API server take is not in it.
func BenchmarkMessages(b *testing.B) {
	cluster := newCluster()
	for b.Loop() {
		r := newBench(b)
		r.Client = cluster
		r.Events = observe.NewRecorder(&record.FakeRecorder{}, r.clock)
		r.queue.expect = messages
		r.Cloud = &parsing{queue: r.queue, left: messages}
		listen(b, r)
	}
}

// parsing is a queue whose messages are text, ten in each answer.
type parsing struct {
	*queue
	left int // guarded by mu
}

func (p *parsing) Notices(ctx context.Context) ([]provider.Notice, error) {
	p.mu.Lock()
	first := p.left
	p.left = max(0, p.left-10)
	p.mu.Unlock()
	if first == 0 {
		return p.queue.Notices(ctx)
	}
	var out []provider.Notice
	for n := first - 10; n < first; n++ {
		out = append(out, notices.Parse(message(n)))
	}
	return out, nil
}

func message(n int) string {
	kind, detail, id := "EC2 Spot Instance Interruption Warning", `,"instance-action":"terminate"`, fmt.Sprintf(
		"i-%017x",
		n/3,
	)
	switch n % 3 {
	case 1:
		kind, detail, id = "EC2 Instance State-change Notification", `,"state":"terminated"`, fmt.Sprintf(
			"i-f%016x",
			n,
		)
	case 2:
		kind, detail = "EC2 Instance Rebalance Recommendation", ""
	}
	return fmt.Sprintf(
		`{"version":"0","id":"%d","detail-type":%q,"source":"aws.ec2","account":"111122223333","time":"2026-11-21T12:00:00Z",
		"region":"us-east-1","resources":["arn:aws:ec2:us-east-1:111122223333:instance/%s"],"detail":{"instance-id":%q%s}}`,
		n,
		kind,
		id,
		id,
		detail,
	)
}
