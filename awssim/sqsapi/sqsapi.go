// Package sqsapi answers SQS in both of its protocols: JSON, which current
// clients speak, and the older query form.
package sqsapi

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/queue"
	"github.com/dovetail-sh/dovetail/awssim/wire"
)

// Account holds the queues of one account.
type Account struct {
	id     string
	region string
	clock  clock.Clock

	mu     sync.Mutex // guards queues
	queues map[string]*held
}

// held is a queue with what is only kept of it.
type held struct {
	*queue.Queue
	attributes map[string]string // those that change nothing here, such as Policy
	tags       map[string]string
	built      bool // the account was made with it; see Adopt
}

// NewAccount makes an account without queues.
func NewAccount(id, region string, c clock.Clock) *Account {
	return &Account{id: id, region: region, clock: c, queues: map[string]*held{}}
}

// Defaults of a queue, as SQS has them.
const (
	defaultRetention = 4 * 24 * time.Hour
	defaultVisible   = 30 * time.Second
	maxBody          = 256 << 10
	maxWait          = 20 * time.Second
)

// Create makes a queue, or returns the one of that name.
func (a *Account) Create(name string, retention time.Duration) *queue.Queue {
	a.mu.Lock()
	defer a.mu.Unlock()
	if q := a.queues[name]; q != nil {
		return q.Queue
	}
	q := queue.New(name, a.clock, retention, defaultVisible)
	a.queues[name] = &held{Queue: q, attributes: map[string]string{}, tags: map[string]string{}}
	return q
}

// Build makes a queue that the account has from the beginning.
func (a *Account) Build(name string, retention time.Duration) *queue.Queue {
	q := a.Create(name, retention)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queues[name].built = true
	return q
}

// Adopt reports whether the account has had a queue from the beginning, which
// then counts as made by whoever asks.
func (a *Account) Adopt(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	q := a.queues[name]
	built := q != nil && q.built
	if built {
		q.built = false
	}
	return built
}

// Delete removes a queue, if it is there.
func (a *Account) Delete(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.queues, name)
}

// ARN names a queue.
func (a *Account) ARN(name string) string {
	return fmt.Sprintf("arn:aws:sqs:%s:%s:%s", a.region, a.id, name)
}

// Queue finds a queue by name.
func (a *Account) Queue(name string) (*queue.Queue, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	q, ok := a.queues[name]
	if !ok {
		return nil, false
	}
	return q.Queue, true
}

// byURL finds the queue that a URL names by its last part.
func (a *Account) byURL(url string) (*queue.Queue, error) {
	if q, ok := a.Queue(url[strings.LastIndex(url, "/")+1:]); ok && url != "" {
		return q, nil
	}
	return nil, apierror.New("QueueDoesNotExist", "The specified queue does not exist.")
}

func (a *Account) url(c *wire.Call, name string) string {
	return fmt.Sprintf("http://%s/%s/%s", c.Host, a.id, name)
}

// New makes SQS.
func New(a *Account) wire.API {
	return wire.API{
		Name:      wire.SQS,
		Version:   "2012-11-05",
		Namespace: "http://queue.amazonaws.com/doc/2012-11-05/",
		Target:    "AmazonSQS",
		Actions: wire.Service{
			"CreateQueue":             wire.Handle(a.createQueue),
			"GetQueueUrl":             wire.Handle(a.getQueueURL),
			"ListQueues":              wire.Handle(a.listQueues),
			"GetQueueAttributes":      wire.Handle(a.getQueueAttributes),
			"PurgeQueue":              wire.Handle(a.purgeQueue),
			"DeleteQueue":             wire.Handle(a.deleteQueue),
			"SendMessage":             wire.Handle(a.sendMessage),
			"ReceiveMessage":          wire.Handle(a.receiveMessage),
			"DeleteMessage":           wire.Handle(a.deleteMessage),
			"DeleteMessageBatch":      wire.Handle(a.deleteMessageBatch),
			"ChangeMessageVisibility": wire.Handle(a.changeVisibility),

			"SendMessageBatch":             wire.Handle(a.sendMessageBatch),
			"ChangeMessageVisibilityBatch": wire.Handle(a.changeVisibilityBatch),
			"SetQueueAttributes":           wire.Handle(a.setQueueAttributes),
			"TagQueue":                     wire.Handle(a.tagQueue),
			"UntagQueue":                   wire.Handle(a.untagQueue),
			"ListQueueTags":                wire.Handle(a.listQueueTags),
		},
	}
}

// pair is how the query protocol writes one entry of a map.
type pair struct{ Name, Value string }

type createQueueIn struct {
	QueueName  string
	Attributes map[string]string `query:"-"`
	Pairs      []pair            `query:"Attribute" json:"-"`
	Tags       map[string]string `query:"-" json:"tags"`
	TagPairs   []tagPair         `query:"Tag" json:"-"`
}

type queueURL struct {
	QueueURL string `json:"QueueUrl" xml:"QueueUrl"`
}

func (a *Account) createQueue(_ context.Context, c *wire.Call, in *createQueueIn) (*queueURL, error) {
	if in.QueueName == "" || len(in.QueueName) > 80 {
		return nil, apierror.New("InvalidParameterValue", "Queue name must have 1 to 80 characters.")
	}
	for _, p := range in.Pairs {
		if in.Attributes == nil {
			in.Attributes = map[string]string{}
		}
		in.Attributes[p.Name] = p.Value
	}
	retention := defaultRetention
	if text, ok := in.Attributes["MessageRetentionPeriod"]; ok {
		seconds, err := strconv.Atoi(text)
		if err != nil || seconds < 60 || seconds > 1209600 {
			return nil, apierror.New(
				"InvalidAttributeValue",
				"Invalid value for the parameter MessageRetentionPeriod.",
			)
		}
		retention = time.Duration(seconds) * time.Second
	}
	delete(in.Attributes, "MessageRetentionPeriod")
	if err := checkAttributes(in.Attributes); err != nil {
		return nil, err
	}
	a.Create(in.QueueName, retention)
	a.keep(in.QueueName, in.Attributes, mapOf(in.Tags, in.TagPairs))
	return &queueURL{a.url(c, in.QueueName)}, nil
}

type getQueueURLIn struct {
	QueueName string
	Owner     string `query:"QueueOwnerAWSAccountId" json:"QueueOwnerAWSAccountId"`
}

func (a *Account) getQueueURL(_ context.Context, c *wire.Call, in *getQueueURLIn) (*queueURL, error) {
	if _, err := a.byURL(in.QueueName); err != nil {
		return nil, err
	}
	return &queueURL{a.url(c, in.QueueName)}, nil
}

type listQueuesIn struct {
	Prefix string `query:"QueueNamePrefix" json:"QueueNamePrefix"`
}

type listQueuesOut struct {
	URLs []string `json:"QueueUrls" xml:"QueueUrl"`
}

func (a *Account) listQueues(_ context.Context, c *wire.Call, in *listQueuesIn) (*listQueuesOut, error) {
	out := &listQueuesOut{URLs: []string{}}
	a.mu.Lock()
	defer a.mu.Unlock()
	for name := range a.queues {
		if strings.HasPrefix(name, in.Prefix) {
			out.URLs = append(out.URLs, a.url(c, name))
		}
	}
	return out, nil
}

type onQueue struct {
	QueueURL string `query:"QueueUrl" json:"QueueUrl"`
}

type attributesIn struct {
	onQueue
	Names []string `query:"AttributeName" json:"AttributeNames"`
}

type attributesOut struct {
	Attributes map[string]string
}

// XMLView writes the map as the query protocol does.
func (o *attributesOut) XMLView() any {
	return struct {
		Attribute []pair
	}{pairs(o.Attributes)}
}

func pairs(m map[string]string) []pair {
	var out []pair
	for name, value := range m {
		out = append(out, pair{name, value})
	}
	return out
}

func (a *Account) getQueueAttributes(_ context.Context, _ *wire.Call, in *attributesIn) (*attributesOut, error) {
	q, err := a.byURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	ready, hidden, delayed := q.Counts()
	all := map[string]string{
		"ApproximateNumberOfMessages":           strconv.Itoa(ready),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(hidden),
		"ApproximateNumberOfMessagesDelayed":    strconv.Itoa(delayed),
		"CreatedTimestamp":                      strconv.FormatInt(q.Created.Unix(), 10),
		"MessageRetentionPeriod":                strconv.Itoa(int(q.Retention.Seconds())),
		"VisibilityTimeout":                     strconv.Itoa(int(q.Visible.Seconds())),
		"QueueArn":                              a.ARN(q.Name),
		"LastModifiedTimestamp":                 strconv.FormatInt(q.Created.Unix(), 10),
		"DelaySeconds":                          "0",
		"ReceiveMessageWaitTimeSeconds":         "0",
		"MaximumMessageSize":                    strconv.Itoa(maxBody),
		"SqsManagedSseEnabled":                  "true",
	}
	maps.Copy(all, a.kept(q.Name))
	out := &attributesOut{map[string]string{}}
	for _, name := range in.Names {
		if name == "All" {
			return &attributesOut{all}, nil
		}
		value, ok := all[name]
		if slices.Contains(keptAttributes, name) && !ok {
			continue // not set
		}
		if !ok {
			return nil, apierror.New("InvalidAttributeName", "Unknown Attribute %s.", name)
		}
		out.Attributes[name] = value
	}
	return out, nil
}

func (a *Account) purgeQueue(_ context.Context, _ *wire.Call, in *onQueue) (any, error) {
	q, err := a.byURL(in.QueueURL)
	if err == nil {
		q.Purge()
	}
	return nil, err
}

func (a *Account) deleteQueue(_ context.Context, _ *wire.Call, in *onQueue) (any, error) {
	q, err := a.byURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	a.Delete(q.Name)
	return nil, nil
}
