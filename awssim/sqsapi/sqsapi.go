// Package sqsapi answers SQS in both of its protocols: JSON, which current
// clients speak, and the older query form.
package sqsapi

import (
	"context"
	"fmt"
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
	queues map[string]*queue.Queue
}

// NewAccount makes an account without queues.
func NewAccount(id, region string, c clock.Clock) *Account {
	return &Account{id: id, region: region, clock: c, queues: map[string]*queue.Queue{}}
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
		return q
	}
	q := queue.New(name, a.clock, retention, defaultVisible)
	a.queues[name] = q
	return q
}

// Queue finds a queue by name.
func (a *Account) Queue(name string) (*queue.Queue, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	q, ok := a.queues[name]
	return q, ok
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

// New returns SQS's actions.
func New(a *Account) wire.Service {
	return wire.Service{
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
	}
}

// pair is how the query protocol writes one entry of a map.
type pair struct{ Name, Value string }

type createQueueIn struct {
	QueueName  string
	Attributes map[string]string `query:"-"`
	Pairs      []pair            `query:"Attribute" json:"-"`
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
			return nil, apierror.New("InvalidAttributeValue", "Invalid value for the parameter MessageRetentionPeriod.")
		}
		retention = time.Duration(seconds) * time.Second
	}
	a.Create(in.QueueName, retention)
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
		"QueueArn":                              fmt.Sprintf("arn:aws:sqs:%s:%s:%s", a.region, a.id, q.Name),
	}
	out := &attributesOut{map[string]string{}}
	for _, name := range in.Names {
		if name == "All" {
			return &attributesOut{all}, nil
		}
		value, ok := all[name]
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
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.queues, q.Name)
	return nil, nil
}
