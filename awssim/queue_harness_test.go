package awssim_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// event is what EventBridge puts into the queue, in the parts that tests look
// at.
type event struct {
	Version    string          `json:"version"`
	Source     string          `json:"source"`
	DetailType string          `json:"detail-type"`
	Resources  json.RawMessage `json:"resources"`
	Detail     map[string]any  `json:"detail"`

	body string
}

// mailbox reads an account's interruption queue.
type mailbox struct {
	queues *sqs.Client
	url    *string
	ready  []event // received, not yet asked for
}

func (a *account) mailbox(t *testing.T) *mailbox {
	t.Helper()
	queues := sqs.NewFromConfig(a.cfg)
	out := must[*sqs.GetQueueUrlOutput](
		t,
	)(
		queues.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String(clusterName)}),
	)
	return &mailbox{queues: queues, url: out.QueueUrl}
}

// next waits for the next message.
func (m *mailbox) next(t *testing.T) event {
	t.Helper()
	for len(m.ready) == 0 {
		out := must[*sqs.ReceiveMessageOutput](t)(m.queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: m.url, MaxNumberOfMessages: 10, WaitTimeSeconds: 20,
		}))
		for _, message := range out.Messages {
			e := event{body: aws.ToString(message.Body)}
			if err := json.Unmarshal([]byte(e.body), &e); err != nil {
				t.Fatalf("a message that is no JSON: %s", e.body)
			}
			m.ready = append(m.ready, e)
			must[*sqs.DeleteMessageOutput](
				t,
			)(
				m.queues.DeleteMessage(
					t.Context(),
					&sqs.DeleteMessageInput{QueueUrl: m.url, ReceiptHandle: message.ReceiptHandle},
				),
			)
		}
	}
	first := m.ready[0]
	m.ready = slices.Delete(m.ready, 0, 1)
	return first
}

// of waits for the next message of a kind; those before it are dropped.
func (m *mailbox) of(t *testing.T, kind string) event {
	t.Helper()
	for {
		if e := m.next(t); e.DetailType == kind {
			return e
		}
	}
}

// until counts the kinds of the messages about an instance, up to the one that
// says it reached a state.
func (m *mailbox) until(t *testing.T, id, state string) map[string]int {
	t.Helper()
	kinds := map[string]int{}
	for {
		e := m.next(t)
		if e.Detail["instance-id"] != id {
			continue
		}
		kinds[e.DetailType]++
		if e.Detail["state"] == state {
			return kinds
		}
	}
}

// count is how many messages are in the queue, delayed ones too.
func (m *mailbox) count(t *testing.T) int {
	t.Helper()
	out := must[*sqs.GetQueueAttributesOutput](
		t,
	)(
		m.queues.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
			QueueUrl: m.url, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameAll},
		}),
	)
	total := 0
	for _, name := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"} {
		n, err := strconv.Atoi(out.Attributes[name])
		if err != nil {
			t.Fatal(err)
		}
		total += n
	}
	return total
}
