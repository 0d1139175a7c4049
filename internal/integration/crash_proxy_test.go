package integration

import (
	"bytes"
	"context"

	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
)

// loss is what becomes of the request at which the controller is killed.
type loss string

const (
	answerLost  loss = "answer lost"  // it was carried out, and the controller never hears of it
	requestLost loss = "request lost" // it never arrived
)

// assassin stands between a controller and what it writes to, and kills the controller at every n-th write since it
// started. Zero kills nobody. Its weather is that of the API server alone.
type assassin struct {
	weather

	every int
	loss  loss
	kill  func() // returns once the controller is dead

	mu     sync.Mutex // guards the fields below
	writes int        // since the controller started
	killed map[string]int
	seen   map[string]int
}

// write counts a write, and reports whether the controller dies of it.
func (a *assassin) write(point string) (dies bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen[point]++
	a.writes++
	if a.every == 0 || a.writes < a.every {
		return false
	}
	a.writes = 0
	a.killed[point]++
	return true
}

// restarted begins to count anew.
func (a *assassin) restarted() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.writes = 0
}

// toTheEnd lets a request end though its client dies. The API server takes an eviction off its PodDisruptionBudget
// before it deletes the pod; cut off between the two, it leaves the budget used up for the two minutes after which
// Kubernetes' disruption controller no longer believes in it. That is not what is tried out here, and would be most of
// the day.
func toTheEnd(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithCancel(context.WithoutCancel(ctx)) // one without Done would be ended by the proxy itself
}

// between makes a proxy to a server. point names a request if it is a write. outside is the weather on the way; nil for
// fair.
func (a *assassin) between(
	t *testing.T,
	target string,
	transport http.RoundTripper,
	point func(*http.Request) string,
	outside *weather,
) *httptest.Server {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1, // watches
		Transport:     transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = to.Scheme, to.Host
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
		ErrorLog:     quietLog,
	}
	if outside == nil {
		outside = &weather{}
	}
	proxy.ModifyResponse = outside.delay
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/eviction") {
			ctx, done := toTheEnd(r.Context())
			defer done()
			r = r.WithContext(ctx)
		}
		name := point(r)
		if outside.refuses(w, name) {
			return
		}
		if name == "" || !a.write(name) {
			proxy.ServeHTTP(w, r)
			return
		}
		if a.loss == answerLost {
			proxy.ServeHTTP(httptest.NewRecorder(), r)
		}
		a.kill()
		panic(http.ErrAbortHandler) // there is nobody left to answer
	}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server
}

// apiWrite names writes to the API server, such as "PATCH nodeclaims/status". Events tell and change nothing.
func apiWrite(r *http.Request) string {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return ""
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch parts[0] {
	case "api":
		parts = parts[2:]
	case "apis":
		parts = parts[3:]
	}
	if len(parts) > 2 && parts[0] == "namespaces" {
		parts = parts[2:]
	}
	resource := parts[0]
	if len(parts) > 2 {
		resource += "/" + parts[2]
	}
	if resource == "events" || resource == "leases" {
		return ""
	}
	return r.Method + " " + resource
}

// awsWrite names calls that change an account, such as "CreateFleet".
func awsWrite(r *http.Request) string {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return ""
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	action := r.Header.Get("X-Amz-Target")
	action = action[strings.LastIndex(action, ".")+1:]
	if action == "" {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return ""
		}
		action = form.Get("Action")
	}
	for _, reading := range []string{"Describe", "Get", "List", "Receive"} {
		if action == "" || strings.HasPrefix(action, reading) {
			return ""
		}
	}
	if strings.Contains(string(body), "DryRun=true") {
		return ""
	}
	return action
}

// kubeTransport carries credentials to the API server.
func kubeTransport(t *testing.T, config *rest.Config) http.RoundTripper {
	t.Helper()
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	return transport
}
