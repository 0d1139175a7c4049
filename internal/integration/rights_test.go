package integration

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/dovetail-sh/dovetail/internal/devplane"
	"github.com/dovetail-sh/dovetail/internal/rights"
)

// account is the service account, in kube-system, that daemons run as.
const account = "dovetail"

// withChartsRights is how a daemon reaches the API server: with the rights that the chart gives it and no others. A call
// that they do not allow fails the test.
func withChartsRights(t *testing.T, plane *devplane.Plane, cloud string) *rest.Config {
	t.Helper()
	admin, err := kubernetes.NewForConfig(plane.Config())
	if err != nil {
		t.Fatal(err)
	}
	if err := rights.Grant(t.Context(), admin, cloud, metav1.NamespaceSystem, account); err != nil {
		t.Fatal(err)
	}
	kube, err := clientcmd.BuildConfigFromFlags("", plane.KubeconfigOf(t, rights.User(metav1.NamespaceSystem, account)))
	if err != nil {
		t.Fatal(err)
	}
	kube.QPS, kube.Burst = 1000, 2000
	watch := &tattler{}
	kube.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) { return watch.pass(next, r) })
	})
	t.Cleanup(func() {
		watch.mu.Lock()
		defer watch.mu.Unlock()
		for call, why := range watch.denied {
			t.Errorf("the chart's roles do not allow the daemon to %s: %s", call, why)
		}
	})
	return kube
}

// tattler remembers calls that the API server forbids.
type tattler struct {
	mu     sync.Mutex        // guards the field below
	denied map[string]string // what the API server said, by method and path
}

// roundTrip is an http.RoundTripper.
type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip calls the function.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// pass passes a request on.
func (w *tattler) pass(next http.RoundTripper, r *http.Request) (*http.Response, error) {
	answer, err := next.RoundTrip(r)
	if err != nil || answer.StatusCode != http.StatusForbidden {
		return answer, err
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("reading why %s %s is forbidden: %w", r.Method, r.URL.Path, err)
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	// Whether a namespace that is going takes an event has to do with the moment, not with rights.
	if strings.Contains(string(body), string(corev1.NamespaceTerminatingCause)) {
		return answer, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.denied == nil {
		w.denied = map[string]string{}
	}
	w.denied[r.Method+" "+r.URL.Path] = string(body)
	return answer, nil
}
