package serve_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"

	"github.com/dovetail-sh/dovetail/internal/serve"
)

// cluster knows the token "good" until it is revoked, and lets its user list what is open.
type cluster struct {
	revoked, silent atomic.Bool
	reviews         atomic.Int32
	open            string
}

func (c *cluster) guard(t *testing.T, next http.HandlerFunc) http.Handler {
	t.Helper()
	kube := &fake.Clientset{}
	kube.AddReactor("create", "tokenreviews", func(a ktesting.Action) (bool, runtime.Object, error) {
		c.reviews.Add(1)
		if c.silent.Load() {
			return true, nil, apierrors.NewServiceUnavailable("down")
		}
		r := a.(ktesting.CreateAction).GetObject().(*authenticationv1.TokenReview).DeepCopy()
		r.Status.Authenticated = r.Spec.Token == "good" && !c.revoked.Load()
		r.Status.User.Username = "jane"
		return true, r, nil
	})
	kube.AddReactor("create", "subjectaccessreviews", func(a ktesting.Action) (bool, runtime.Object, error) {
		r := a.(ktesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview).DeepCopy()
		want := r.Spec.ResourceAttributes
		r.Status.Allowed = r.Spec.User == "jane" && want.Verb == "list" && strings.Contains(c.open, want.Resource)
		return true, r, nil
	})
	return serve.Guard(kube, serve.Viewer(), next)
}

func ask(h http.Handler, method, address, token string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, address, http.NoBody)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestWhoMayReadIsAskedOfTheCluster(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		method, address, token, open string
		silent                       bool
		want                         int
		says                         string
	}{
		"a viewer":              {"GET", "/", "good", "nodes pods", false, 200, "hello"},
		"only the head":         {"HEAD", "/", "good", "nodes pods", false, 200, ""},
		"a writer":              {"POST", "/", "good", "nodes pods", false, 405, "use GET"},
		"a deleter":             {"DELETE", "/", "good", "nodes pods", false, 405, "use GET"},
		"nobody":                {"GET", "/", "", "nodes pods", false, 401, "Authorization: Bearer"},
		"a stranger":            {"GET", "/", "bad", "nodes pods", false, 401, "a token that the cluster knows"},
		"a token in the open":   {"GET", "/?token=good", "", "nodes pods", false, 400, "does not belong in an address"},
		"half of the rights":    {"GET", "/", "good", "nodes", false, 403, "jane may not list pods"},
		"none of the rights":    {"GET", "/", "good", "", false, 403, "jane may not list nodes"},
		"a cluster that sleeps": {"GET", "/", "good", "nodes pods", true, 503, "try again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &cluster{open: tc.open}
			c.silent.Store(tc.silent)
			h := c.guard(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "" {
					t.Error("the token goes further in")
				}
				_, _ = w.Write([]byte("hello"))
			})
			w := ask(h, tc.method, tc.address, tc.token)
			if w.Code != tc.want || !strings.Contains(w.Body.String(), tc.says) || strings.Contains(w.Body.String(),
				"good") {
				t.Errorf("%d %q; want %d and %q", w.Code, w.Body, tc.want, tc.says)
			}
			if tc.want == 401 && w.Header().Get("WWW-Authenticate") == "" {
				t.Error("nothing says how to authenticate")
			}
		})
	}
}

// An answer holds for a while, so that a page that asks every second does not load the API server.
func TestAnswersAreRemembered(t *testing.T) {
	t.Parallel()
	c := &cluster{open: "nodes pods"}
	h := c.guard(t, func(http.ResponseWriter, *http.Request) {})
	for range 20 {
		ask(h, "GET", "/", "good")
	}
	if n := c.reviews.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// A stream ends within a minute after its token is revoked, and lives on while the API server is away.
func TestAStreamEndsWithItsToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{open: "nodes pods"}
		began, ended := time.Now(), time.Duration(0)
		h := c.guard(t, func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			ended = time.Since(began)
		})
		time.AfterFunc(5*time.Minute, func() { c.silent.Store(true) })
		time.AfterFunc(10*time.Minute, func() {
			c.silent.Store(false)
			c.revoked.Store(true)
		})
		ask(h, "GET", "/", "good")
		if ended < 10*time.Minute || ended > 11*time.Minute {
			t.Errorf("revoked after 10m, ended after %s", ended)
		}
	})
}
