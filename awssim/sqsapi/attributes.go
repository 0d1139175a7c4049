package sqsapi

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/queue"
	"github.com/dovetail-sh/dovetail/awssim/wire"
)

// keptAttributes are those that are given back as they were set and change
// nothing here.
var keptAttributes = []string{
	"Policy",
	"DelaySeconds",
	"MaximumMessageSize",
	"ReceiveMessageWaitTimeSeconds",
	"RedrivePolicy",
	"RedriveAllowPolicy",
	"KmsMasterKeyId",
	"KmsDataKeyReusePeriodSeconds",
	"SqsManagedSseEnabled",
	"VisibilityTimeout",
	"MessageRetentionPeriod",
}

func checkAttributes(attributes map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if !slices.Contains(keptAttributes, name) {
			return apierror.New("InvalidAttributeName", "Unknown Attribute %s.", name)
		}
	}
	return nil
}

// tagPair is how the query protocol writes one tag.
type tagPair struct{ Key, Value string }

func mapOf(tags map[string]string, pairs []tagPair) map[string]string {
	out := maps.Clone(tags)
	if out == nil {
		out = map[string]string{}
	}
	for _, p := range pairs {
		out[p.Key] = p.Value
	}
	return out
}

// keep remembers what was said of a queue.
func (a *Account) keep(name string, attributes, tags map[string]string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if q := a.queues[name]; q != nil {
		maps.Copy(q.attributes, attributes)
		maps.Copy(q.tags, tags)
	}
}

// kept returns the attributes that are only kept.
func (a *Account) kept(name string) map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if q := a.queues[name]; q != nil {
		return maps.Clone(q.attributes)
	}
	return nil
}

type setAttributesIn struct {
	onQueue
	Attributes map[string]string `query:"-"`
	Pairs      []pair            `query:"Attribute" json:"-"`
}

// setQueueAttributes keeps what it is given. A retention or a timeout counts
// for queues that are made with it alone.
func (a *Account) setQueueAttributes(_ context.Context, _ *wire.Call, in *setAttributesIn) (any, error) {
	q, err := a.byURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	if in.Attributes == nil {
		in.Attributes = map[string]string{}
	}
	for _, p := range in.Pairs {
		in.Attributes[p.Name] = p.Value
	}
	for _, name := range []string{"MessageRetentionPeriod", "VisibilityTimeout"} {
		now := map[string]time.Duration{"MessageRetentionPeriod": q.Retention, "VisibilityTimeout": q.Visible}[name]
		if text, given := in.Attributes[name]; given && text != strconv.Itoa(int(now.Seconds())) {
			return nil, apierror.New(
				"InvalidAttributeValue",
				"Changing %s of a queue is not simulated: make the queue with it.",
				name,
			)
		}
	}
	if err := checkAttributes(in.Attributes); err != nil {
		return nil, err
	}
	a.keep(q.Name, in.Attributes, nil)
	return nil, nil
}

type tagQueueIn struct {
	onQueue
	Tags  map[string]string `query:"-"`
	Pairs []tagPair         `query:"Tag" json:"-"`
}

func (a *Account) tagQueue(_ context.Context, _ *wire.Call, in *tagQueueIn) (any, error) {
	q, err := a.byURL(in.QueueURL)
	if err == nil {
		a.keep(q.Name, nil, mapOf(in.Tags, in.Pairs))
	}
	return nil, err
}

type untagQueueIn struct {
	onQueue
	Keys []string `query:"TagKey" json:"TagKeys"`
}

func (a *Account) untagQueue(_ context.Context, _ *wire.Call, in *untagQueueIn) (any, error) {
	q, err := a.byURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if held := a.queues[q.Name]; held != nil {
		for _, key := range in.Keys {
			delete(held.tags, key)
		}
	}
	return nil, nil
}

type queueTagsOut struct {
	Tags map[string]string
}

// XMLView writes the map as the query protocol does.
func (o *queueTagsOut) XMLView() any {
	out := struct{ Tag []tagPair }{}
	for _, key := range slices.Sorted(maps.Keys(o.Tags)) {
		out.Tag = append(out.Tag, tagPair{key, o.Tags[key]})
	}
	return out
}

func (a *Account) listQueueTags(_ context.Context, _ *wire.Call, in *onQueue) (*queueTagsOut, error) {
	q, err := a.byURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	out := &queueTagsOut{map[string]string{}}
	if held := a.queues[q.Name]; held != nil {
		out.Tags = maps.Clone(held.tags)
	}
	return out, nil
}

type sendBatchIn struct {
	onQueue
	Entries []struct {
		ID    string `query:"Id" json:"Id"`
		Body  string `query:"MessageBody" json:"MessageBody"`
		Delay int    `query:"DelaySeconds" json:"DelaySeconds"`
	} `query:"SendMessageBatchRequestEntry"`
}

type sentEntry struct {
	ID      string `json:"Id" xml:"Id"`
	Message string `json:"MessageId" xml:"MessageId"`
	MD5     string `json:"MD5OfMessageBody" xml:"MD5OfMessageBody"`
}

type sendBatchOut struct {
	Successful []sentEntry   `xml:"SendMessageBatchResultEntry"`
	Failed     []batchFailed `xml:"BatchResultErrorEntry"`
}

func (a *Account) sendMessageBatch(ctx context.Context, c *wire.Call, in *sendBatchIn) (*sendBatchOut, error) {
	var ids []string
	for _, e := range in.Entries {
		ids = append(ids, e.ID)
	}
	if err := a.checkBatch(in.QueueURL, "SendMessageBatchRequestEntry", ids); err != nil {
		return nil, err
	}
	out := &sendBatchOut{Successful: []sentEntry{}, Failed: []batchFailed{}}
	for _, e := range in.Entries {
		sent, err := a.sendMessage(ctx, c, &sendIn{onQueue: in.onQueue, Body: e.Body, Delay: e.Delay})
		if err != nil {
			refusal := apierror.From(err)
			out.Failed = append(out.Failed, batchFailed{e.ID, refusal.Code, refusal.Message, true})
			continue
		}
		out.Successful = append(out.Successful, sentEntry{e.ID, sent.ID, queue.MD5(e.Body)})
	}
	return out, nil
}

// checkBatch refuses a batch for what SQS refuses it as a whole.
func (a *Account) checkBatch(url, kind string, ids []string) error {
	if _, err := a.byURL(url); err != nil {
		return err
	}
	switch {
	case len(ids) == 0:
		return apierror.New("EmptyBatchRequest", "There should be at least one %s in the request.", kind)
	case len(ids) > 10:
		return apierror.New(
			"TooManyEntriesInBatchRequest",
			"Maximum number of entries per request are 10. You have sent %d.",
			len(ids),
		)
	}
	seen := map[string]bool{}
	for _, id := range ids {
		if seen[id] {
			return apierror.New("BatchEntryIdsNotDistinct", "Id %s repeated.", id)
		}
		seen[id] = true
	}
	return nil
}

type visibilityBatchIn struct {
	onQueue
	Entries []struct {
		ID      string `query:"Id" json:"Id"`
		Receipt string `query:"ReceiptHandle" json:"ReceiptHandle"`
		Timeout int    `query:"VisibilityTimeout" json:"VisibilityTimeout"`
	} `query:"ChangeMessageVisibilityBatchRequestEntry"`
}

type visibilityBatchOut struct {
	Successful []batchDone   `xml:"ChangeMessageVisibilityBatchResultEntry"`
	Failed     []batchFailed `xml:"BatchResultErrorEntry"`
}

func (a *Account) changeVisibilityBatch(
	ctx context.Context,
	c *wire.Call,
	in *visibilityBatchIn,
) (*visibilityBatchOut, error) {
	var ids []string
	for _, e := range in.Entries {
		ids = append(ids, e.ID)
	}
	if err := a.checkBatch(in.QueueURL, "ChangeMessageVisibilityBatchRequestEntry", ids); err != nil {
		return nil, err
	}
	out := &visibilityBatchOut{Successful: []batchDone{}, Failed: []batchFailed{}}
	for _, e := range in.Entries {
		one := &visibilityIn{receiptIn: receiptIn{in.onQueue, e.Receipt}, Timeout: e.Timeout}
		if _, err := a.changeVisibility(ctx, c, one); err != nil {
			refusal := apierror.From(err)
			out.Failed = append(out.Failed, batchFailed{e.ID, refusal.Code, refusal.Message, true})
			continue
		}
		out.Successful = append(out.Successful, batchDone{e.ID})
	}
	return out, nil
}

// URL names a queue for clients that call at a host.
func (a *Account) URL(host, name string) string { return "http://" + host + "/" + a.id + "/" + name }

// SetPolicy gives the queue of a URL an access policy, which is kept and not
// enforced; false when there is no such queue.
func (a *Account) SetPolicy(url, document string) bool {
	q, err := a.byURL(url)
	if err == nil {
		a.keep(q.Name, map[string]string{"Policy": document}, nil)
	}
	return err == nil
}
