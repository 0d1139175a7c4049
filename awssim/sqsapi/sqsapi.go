// Package sqsapi answers SQS in both of its protocols: JSON, which current
// clients speak, and the older query form.
package sqsapi

import (
	"context"
	"fmt"
	"net/http"
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

type sendIn struct {
	onQueue
	Body  string `query:"MessageBody" json:"MessageBody"`
	Delay int    `query:"DelaySeconds" json:"DelaySeconds"`
}

type sendOut struct {
	MD5 string `json:"MD5OfMessageBody" xml:"MD5OfMessageBody"`
	ID  string `json:"MessageId" xml:"MessageId"`
}

func (a *Account) sendMessage(_ context.Context, _ *wire.Call, in *sendIn) (*sendOut, error) {
	q, err := a.byURL(in.QueueURL)
	switch {
	case err != nil:
		return nil, err
	case in.Body == "":
		return nil, apierror.New("MissingParameter", "The request must contain the parameter MessageBody.")
	case len(in.Body) > maxBody:
		return nil, apierror.New("InvalidParameterValue", "One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", maxBody)
	case in.Delay < 0 || in.Delay > 900:
		return nil, apierror.New("InvalidParameterValue", "Value %d for parameter DelaySeconds is invalid. Reason: Must be >= 0 and <= 900.", in.Delay)
	}
	return &sendOut{queue.MD5(in.Body), q.Send(in.Body, time.Duration(in.Delay)*time.Second)}, nil
}

type receiveIn struct {
	onQueue
	Most       *int     `query:"MaxNumberOfMessages" json:"MaxNumberOfMessages"`
	Visible    *int     `query:"VisibilityTimeout" json:"VisibilityTimeout"`
	Wait       int      `query:"WaitTimeSeconds" json:"WaitTimeSeconds"`
	Attributes []string `query:"AttributeName" json:"AttributeNames"`
	System     []string `query:"MessageSystemAttributeName" json:"MessageSystemAttributeNames"`
	Own        []string `query:"MessageAttributeName" json:"MessageAttributeNames"`
}

type message struct {
	ID         string            `json:"MessageId" xml:"MessageId"`
	Receipt    string            `json:"ReceiptHandle" xml:"ReceiptHandle"`
	MD5        string            `json:"MD5OfBody" xml:"MD5OfBody"`
	Body       string            `json:"Body" xml:"Body"`
	Attributes map[string]string `json:"Attributes,omitempty" xml:"-"`
	Pairs      []pair            `json:"-" xml:"Attribute"`
}

type receiveOut struct {
	Messages []message `json:"Messages,omitempty" xml:"Message"`
}

func (a *Account) receiveMessage(ctx context.Context, _ *wire.Call, in *receiveIn) (*receiveOut, error) {
	q, err := a.byURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	most, visible, wait := 1, q.Visible, time.Duration(in.Wait)*time.Second
	if in.Most != nil {
		most = *in.Most
	}
	if in.Visible != nil {
		visible = time.Duration(*in.Visible) * time.Second
	}
	switch {
	case most < 1 || most > 10:
		return nil, apierror.New("InvalidParameterValue", "Value %d for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.", most)
	case wait < 0 || wait > maxWait:
		return nil, apierror.New("InvalidParameterValue", "Value %d for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.", in.Wait)
	case visible < 0 || visible > 12*time.Hour:
		return nil, apierror.New("InvalidParameterValue", "Value %d for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200.", *in.Visible)
	}
	out := &receiveOut{}
	for _, m := range q.Receive(ctx, most, visible, wait) {
		attributes := in.attributes(m)
		out.Messages = append(out.Messages, message{m.ID, m.Receipt, queue.MD5(m.Body), m.Body, attributes, pairs(attributes)})
	}
	return out, nil
}

func (in *receiveIn) attributes(m queue.Message) map[string]string {
	all := map[string]string{
		"SentTimestamp":                    strconv.FormatInt(m.Sent.UnixMilli(), 10),
		"ApproximateReceiveCount":          strconv.Itoa(m.Receives),
		"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.First.UnixMilli(), 10),
		"SenderId":                         "simulated",
	}
	out := map[string]string{}
	for _, name := range append(in.Attributes, in.System...) {
		if name == "All" {
			return all
		}
		if value, ok := all[name]; ok {
			out[name] = value
		}
	}
	return out
}

type receiptIn struct {
	onQueue
	Receipt string `query:"ReceiptHandle" json:"ReceiptHandle"`
}

func badReceipt(receipt string) error {
	return apierror.WithStatus(http.StatusNotFound, "ReceiptHandleIsInvalid", "The input receipt handle %q is not a valid receipt handle.", receipt)
}

func (a *Account) deleteMessage(_ context.Context, _ *wire.Call, in *receiptIn) (any, error) {
	q, err := a.byURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	if !q.Delete(in.Receipt) {
		return nil, badReceipt(in.Receipt)
	}
	return nil, nil
}

type visibilityIn struct {
	receiptIn
	Timeout int `query:"VisibilityTimeout" json:"VisibilityTimeout"`
}

func (a *Account) changeVisibility(_ context.Context, _ *wire.Call, in *visibilityIn) (any, error) {
	q, err := a.byURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	if !q.Hide(in.Receipt, time.Duration(in.Timeout)*time.Second) {
		return nil, badReceipt(in.Receipt)
	}
	return nil, nil
}

type batchIn struct {
	onQueue
	Entries []struct {
		ID      string `query:"Id" json:"Id"`
		Receipt string `query:"ReceiptHandle" json:"ReceiptHandle"`
	} `query:"DeleteMessageBatchRequestEntry"`
}

type batchDone struct {
	ID string `json:"Id" xml:"Id"`
}

type batchFailed struct {
	ID          string `json:"Id" xml:"Id"`
	Code        string
	Message     string
	SenderFault bool
}

type batchOut struct {
	Successful []batchDone   `xml:"DeleteMessageBatchResultEntry"`
	Failed     []batchFailed `xml:"BatchResultErrorEntry"`
}

func (a *Account) deleteMessageBatch(_ context.Context, _ *wire.Call, in *batchIn) (*batchOut, error) {
	q, err := a.byURL(in.QueueURL)
	switch {
	case err != nil:
		return nil, err
	case len(in.Entries) == 0:
		return nil, apierror.New("EmptyBatchRequest", "There should be at least one DeleteMessageBatchRequestEntry in the request.")
	case len(in.Entries) > 10:
		return nil, apierror.New("TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10. You have sent %d.", len(in.Entries))
	}
	seen := map[string]bool{}
	out := &batchOut{Successful: []batchDone{}, Failed: []batchFailed{}}
	for _, e := range in.Entries {
		if seen[e.ID] {
			return nil, apierror.New("BatchEntryIdsNotDistinct", "Id %s repeated.", e.ID)
		}
		seen[e.ID] = true
		if q.Delete(e.Receipt) {
			out.Successful = append(out.Successful, batchDone{e.ID})
		} else {
			refusal := apierror.From(badReceipt(e.Receipt))
			out.Failed = append(out.Failed, batchFailed{e.ID, refusal.Code, refusal.Message, true})
		}
	}
	return out, nil
}
