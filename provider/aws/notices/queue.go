package notices

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"k8s.io/utils/clock"

	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/awserror"
	"github.com/dovetail-sh/dovetail/provider/aws/gather"
)

// How messages are received: SQS's upper limits, and long enough hidden for one to be acted upon.
const (
	atOnce     = 10
	waitFor    = 20 // seconds
	visibility = 20 // seconds
)

// Messages are remembered for as long as Karpenter's stack keeps them in the queue, and so many at most.
const (
	rememberFor = 5 * time.Minute
	rememberAll = 20_000
)

// lanes is how many calls may delete messages at once; each deletes up to atOnce.
const lanes = 4

// API is the part of SQS that a Queue needs.
type API interface {
	GetQueueUrl(
		ctx context.Context,
		in *sqs.GetQueueUrlInput,
		options ...func(*sqs.Options),
	) (*sqs.GetQueueUrlOutput, error)
	ReceiveMessage(
		ctx context.Context,
		in *sqs.ReceiveMessageInput,
		options ...func(*sqs.Options),
	) (*sqs.ReceiveMessageOutput, error)
	DeleteMessageBatch(
		ctx context.Context,
		in *sqs.DeleteMessageBatchInput,
		options ...func(*sqs.Options),
	) (*sqs.DeleteMessageBatchOutput, error)
}

// Queue is one queue of SQS. It is safe for use by many goroutines.
type Queue struct {
	api   API
	name  string
	clock clock.PassiveClock

	deleting [lanes]*gather.Calls[string, error] // by receipt
	lane     atomic.Uint32                       // that the next deletion takes, modulo lanes

	mu   sync.Mutex           // guards the fields below
	url  string               // empty until it is looked up
	done map[string]time.Time // IDs of notices that were done, and when
}

// New makes a queue that is looked up by name when it is first used.
func New(api API, name string, c clock.PassiveClock) *Queue {
	q := &Queue{api: api, name: name, clock: c, done: map[string]time.Time{}}
	for i := range q.deleting {
		// SQS tells of each message whether it was deleted, so none needs to be tried alone.
		q.deleting[i] = gather.New(atOnce, q.deleteAll, func(error) bool { return false })
	}
	return q
}

// Receive waits for messages, 20 seconds at most, and returns up to ten. Those that were done already ask for nothing.
func (q *Queue) Receive(ctx context.Context) ([]provider.Notice, error) {
	url, err := q.lookUp(ctx)
	if err != nil {
		return nil, err
	}
	out, err := q.api.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: awssdk.String(
			url,
		),
		MaxNumberOfMessages: atOnce,
		WaitTimeSeconds:     waitFor,
		VisibilityTimeout:   visibility,
		MessageSystemAttributeNames: []sqstypes.MessageSystemAttributeName{
			sqstypes.MessageSystemAttributeNameSentTimestamp,
		},
	})
	if err != nil {
		if awserror.IsNotFound(err) {
			q.forgetURL()
		}
		return nil, fmt.Errorf("receiving from interruption queue %s: %w", q.name, err)
	}
	notices := make([]provider.Notice, 0, len(out.Messages))
	for _, m := range out.Messages {
		notices = append(notices, q.notice(m))
	}
	return notices, nil
}

func (q *Queue) notice(m sqstypes.Message) provider.Notice {
	n := Parse(awssdk.ToString(m.Body))
	if q.wasDone(n.ID) {
		n = provider.Notice{ID: n.ID, Kind: provider.NoOp, Sent: n.Sent}
	}
	n.Handle = awssdk.ToString(m.ReceiptHandle)
	sent := m.Attributes[string(sqstypes.MessageSystemAttributeNameSentTimestamp)]
	if ms, err := strconv.ParseInt(sent, 10, 64); err == nil {
		n.Sent = time.UnixMilli(ms).UTC()
	}
	return n
}

// Reachable checks that the queue can be looked up.
func (q *Queue) Reachable(ctx context.Context) error {
	_, err := q.lookUp(ctx)
	return err
}

// Delete takes a message out of the queue. Those that are deleted at once go together.
func (q *Queue) Delete(ctx context.Context, n provider.Notice) error {
	q.remember(n.ID)
	refused, found, err := q.deleting[q.lane.Add(1)%lanes].Get(ctx, n.Handle)
	switch {
	case err == nil && !found:
		err = errors.New("SQS does not say what became of it")
	case err == nil:
		err = refused
	}
	if err != nil {
		return fmt.Errorf("deleting a message from interruption queue %s: %w", q.name, err)
	}
	return nil
}

// deleteAll deletes messages by their receipts, and says of each why it was not deleted, or nil.
func (q *Queue) deleteAll(ctx context.Context, receipts []string) (map[string]error, error) {
	url, err := q.lookUp(ctx)
	if err != nil {
		return nil, err
	}
	in := &sqs.DeleteMessageBatchInput{QueueUrl: awssdk.String(url)}
	for i, receipt := range receipts {
		in.Entries = append(
			in.Entries,
			sqstypes.DeleteMessageBatchRequestEntry{
				Id:            awssdk.String(strconv.Itoa(i)),
				ReceiptHandle: awssdk.String(receipt),
			},
		)
	}
	answer, err := q.api.DeleteMessageBatch(ctx, in)
	if err != nil {
		return nil, err
	}
	out := map[string]error{}
	put := func(id *string, why error) {
		if i, err := strconv.Atoi(awssdk.ToString(id)); err == nil && i >= 0 && i < len(receipts) {
			out[receipts[i]] = why
		}
	}
	for _, done := range answer.Successful {
		put(done.Id, nil)
	}
	for _, f := range answer.Failed {
		put(f.Id, fmt.Errorf("%s: %s", awssdk.ToString(f.Code), awssdk.ToString(f.Message)))
	}
	return out, nil
}

// lookUp finds the queue's URL, once.
func (q *Queue) lookUp(ctx context.Context) (string, error) {
	q.mu.Lock()
	url := q.url
	q.mu.Unlock()
	if url != "" {
		return url, nil
	}
	out, err := q.api.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: awssdk.String(q.name)})
	switch {
	case awserror.IsNotFound(err):
		return "", fmt.Errorf(
			"looking up interruption queue %s: there is none of that name in this region; create it or correct "+
				"--interruption-queue: %w",
			q.name,
			err,
		)
	case awserror.IsUnauthorized(err):
		return "", fmt.Errorf(
			"looking up interruption queue %s: the controller's IAM role must allow sqs:GetQueueUrl, "+
				"sqs:ReceiveMessage and sqs:DeleteMessage: %w",
			q.name,
			err,
		)
	case err != nil:
		return "", fmt.Errorf("looking up interruption queue %s: %w", q.name, err)
	}
	url = awssdk.ToString(out.QueueUrl)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.url = url
	return url, nil
}

func (q *Queue) forgetURL() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.url = ""
}

func (q *Queue) wasDone(id string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	at, ok := q.done[id]
	return ok && q.clock.Since(at) < rememberFor
}

func (q *Queue) remember(id string) {
	if id == "" {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.done) >= rememberAll {
		q.sweepLocked()
	}
	q.done[id] = q.clock.Now()
}

// sweepLocked forgets what is old, or if that is little, all: acting twice does no harm. q.mu is held.
func (q *Queue) sweepLocked() {
	for id, at := range q.done {
		if q.clock.Since(at) >= rememberFor {
			delete(q.done, id)
		}
	}
	if len(q.done) > rememberAll/2 {
		clear(q.done)
	}
}
