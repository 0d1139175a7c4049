package integration

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/dovetail-sh/dovetail/internal/devplane"
	"github.com/dovetail-sh/dovetail/internal/rights"
)

// account is the service account, in kube-system, that daemons run as.
const account = "dovetail"

// withChartsRights is how a daemon reaches the API server: with the rights that the chart gives it and no others. A
// call that they do not allow fails the test.
func withChartsRights(t *testing.T, plane *devplane.Plane, cloud string) *rest.Config {
	t.Helper()
	admin, err := kubernetes.NewForConfig(plane.Config())
	if err != nil {
		t.Fatal(err)
	}
	if err := rights.Grant(t.Context(), admin, cloud, metav1.NamespaceSystem, account); err != nil {
		t.Fatal(err)
	}
	kube, err := clientcmd.BuildConfigFromFlags(
		"",
		plane.KubeconfigOf(t, rights.User(metav1.NamespaceSystem, account)),
	)
	if err != nil {
		t.Fatal(err)
	}
	kube.QPS, kube.Burst = 1000, 2000
	wide, err := rights.Cluster(cloud)
	if err != nil {
		t.Fatal(err)
	}
	lease, err := rights.Lease()
	if err != nil {
		t.Fatal(err)
	}
	watch := &tattler{rules: append(wide, lease...), denied: map[string]string{}}
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
	rules []rbacv1.PolicyRule

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
	if !ofTheMoment(w.rules, string(body)) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.denied[r.Method+" "+r.URL.Path] = fmt.Sprintf("%q", body)
	}
	return answer, nil
}

// denial is how the API server says what is not allowed; in JSON its quotes have backslashes, in protobuf not.
var denial = regexp.MustCompile(`cannot (\w+) resource \\?"([^"\\]+)\\?" in API group \\?"([^"\\]*)\\?"`)

// ofTheMoment reports whether a call was forbidden for another reason than the rules: a namespace that is going takes
// no events, and an API server that has just started has not read its roles yet.
func ofTheMoment(rules []rbacv1.PolicyRule, body string) bool {
	if strings.Contains(body, string(corev1.NamespaceTerminatingCause)) {
		return true
	}
	call := denial.FindStringSubmatch(body)
	return call != nil && slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool {
		return slices.Contains(r.Verbs, call[1]) && slices.Contains(r.Resources, call[2]) &&
			slices.Contains(r.APIGroups, call[3])
	})
}

func TestDenialsAreTold(t *testing.T) {
	t.Parallel()
	rules := []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"list"}}}
	for body, want := range map[string]bool{
		`{"message":"nodes is forbidden: User \"x\" cannot list resource \"nodes\" in API group \"\" at the cluster scope"}`:   true,
		`{"message":"nodes is forbidden: User \"x\" cannot delete resource \"nodes\" in API group \"\" at the cluster scope"}`: false,
		`{"message":"pods is forbidden: User \"x\" cannot list resource \"pods\" in API group \"\" at the cluster scope"}`:     false,
		`{"details":{"causes":[{"reason":"NamespaceTerminating"}]}}`:                                                           true,
		"k8s\x00 User \"x\" cannot list resource \"nodes\" in API group \"\" at the cluster scope":                             true,
		`anything else`: false,
	} {
		if got := ofTheMoment(rules, body); got != want {
			t.Errorf("of the moment %v, want %v: %s", got, want, body)
		}
	}
}
