package aws

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
)

// request is one call on its way to AWS.
type request struct {
	action string // as IAM names it, without the service
	form   url.Values
	pass   func() (*http.Response, error) // makes the call
}

// mischief decides what becomes of a call; it may make the call itself.
type mischief func(request) (*http.Response, error)

// trouble stands between the provider and AWS.
type trouble struct {
	mu     sync.Mutex // guards the fields below
	asked  map[string][]url.Values
	faults map[string]mischief
}

func (tr *trouble) on(action string, f mischief) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.faults[action] = f
}

func (tr *trouble) Do(req *http.Request) (*http.Response, error) {
	var text []byte
	if req.Body != nil {
		text, _ = io.ReadAll(req.Body) // is in memory: httpClient has put it there
		req.Body = io.NopCloser(strings.NewReader(string(text)))
	}
	form, _ := url.ParseQuery(string(text))
	r := request{actionOf(req, form), form, func() (*http.Response, error) { return http.DefaultClient.Do(req) }}
	tr.mu.Lock()
	f := tr.faults[r.action]
	tr.asked[r.action] = append(tr.asked[r.action], form)
	tr.mu.Unlock()
	if f == nil {
		return r.pass()
	}
	return f(r)
}

// actionOf reads what a request asks for off its form, its header or its path.
func actionOf(req *http.Request, form url.Values) string {
	if action := form.Get("Action"); action != "" {
		return action
	}
	if _, action, ok := strings.Cut(req.Header.Get("X-Amz-Target"), "."); ok {
		return action
	}
	if strings.HasPrefix(req.URL.Path, "/managedresources/") {
		return "GetManagedResource"
	}
	return "DescribeCluster"
}

// withTrouble restarts the bench's cloud with faults in between.
func (b *bench) withTrouble(t *testing.T) *trouble {
	t.Helper()
	tr := &trouble{asked: map[string][]url.Values{}, faults: map[string]mischief{}}
	b.deps.Config.HTTPClient = tr
	b.restart(t)
	return tr
}

// answer makes an answer without asking AWS.
func answer(status int, body string) mischief {
	return func(request) (*http.Response, error) {
		kind := "text/xml"
		if strings.HasPrefix(body, "{") {
			kind = "application/json"
		}
		return &http.Response{
			StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(strings.NewReader(body)),
		}, nil
	}
}

func refusal(status int, code string) mischief {
	return answer(
		status,
		"<Response><Errors><Error><Code>"+code+"</Code><Message>trouble</Message></Error></Errors><RequestID>r</RequestID></Response>",
	)
}

// lost makes the call and loses its answer.
func lost(r request) (*http.Response, error) {
	resp, err := r.pass()
	if err == nil {
		_ = resp.Body.Close()
	}
	return nil, errors.New("connection reset by peer")
}

// unreachable does not make the call and says so late.
func unreachable(request) (*http.Response, error) { return nil, os.ErrDeadlineExceeded }

func direct(r request) (*http.Response, error) { return r.pass() }

// hidden is what DescribeInstances says while EC2 does not list anything yet.
var hidden = answer(
	200,
	`<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet/></DescribeInstancesResponse>`,
)

// available are the class's offerings of a capacity type that can be bought, as type and zone.
func (b *bench) available(t *testing.T, class, capacityType string) []string {
	t.Helper()
	types, err := b.InstanceTypes(t.Context(), ref(class))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, it := range types {
		for i := range it.Offerings {
			if o := &it.Offerings[i]; o.Available && (o.CapacityType == capacityType) {
				out = append(out, it.Name+"/"+o.Zone)
			}
		}
	}
	return out
}
