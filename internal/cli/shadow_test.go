package cli

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/dovetail-sh/dovetail/api/crd"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/daemon"
	"github.com/dovetail-sh/dovetail/internal/devplane"
	"github.com/dovetail-sh/dovetail/internal/journal"
	"github.com/dovetail-sh/dovetail/internal/lookout"
	"github.com/dovetail-sh/dovetail/internal/rights"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// shadowOf runs shadow with JSON and reads it.
func shadowOf(t *testing.T, args ...string) view.Shadow {
	t.Helper()
	code, stdout, stderr := run(t, append([]string{"shadow", "-o", "json"}, args...)...)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	var out view.Shadow
	if err := json.Unmarshal([]byte(stdout), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// A cluster that was written down is one look; a recording of it, and one without names, come to the same price.
func TestShadowOfWhatWasRecorded(t *testing.T) {
	t.Parallel()
	now := "2026-12-01T12:00:00Z"
	want := shadowOf(t, "-f", "testdata/fleet.yaml", "--now", now)
	if want.Looks != 1 || len(want.Moves) == 0 || want.Money.Now <= want.Money.Then || want.Dovetail.Evicted == 0 {
		t.Fatalf("%+v", want)
	}
	dir := t.TempDir()
	for name, more := range map[string][]string{"a.json.gz": nil, "b.json.gz": {"--redact"}} {
		args := append([]string{"record", "-f", "testdata/fleet.yaml", "--out", filepath.Join(dir, name)}, more...)
		if code, _, stderr := run(t, args...); code != 0 {
			t.Fatal(stderr)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "torn.json.gz"), []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := shadowOf(t, "-f", dir); got.Looks != 2 || got.Money.Unpriced == 0 {
		t.Errorf("%d looks, %+v; want 2 of nodes whose prices were not recorded", got.Looks, got.Money)
	}
	if code, _, stderr := run(t, "shadow", "-f", filepath.Join(dir, "torn.json.gz")); code != 2 {
		t.Errorf("a torn file: exit code %d, %s", code, stderr)
	}
}

// A journal is as many looks as it has records: what it cost, and which claims went meanwhile.
func TestShadowOfAJournal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, err := journal.New(journal.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	node := func(name string) *shape.Node {
		return &shape.Node{Name: name, Claim: "claim-" + name, Pool: "web", Stage: shape.Ready, Price: shape.Dollar}
	}
	snapshots := []shape.Snapshot{{Profiles: []*shape.Profile{{}}, Nodes: []*shape.Node{node("a"), node("b")}},
		{Profiles: []*shape.Profile{{}}, Nodes: []*shape.Node{node("a")}}}
	for i, s := range snapshots {
		at := time.Unix(1e9, 0).Add(time.Duration(i) * time.Hour)
		plan := journal.Record{At: at, Snapshot: s, Policy: engine.DefaultPolicy()}
		search := journal.Search{At: at.Add(time.Second), Snapshot: s, Policy: refit.DefaultPolicy()}
		if err := errors.Join(j.Keep(plan), j.Keep(search)); err != nil {
			t.Fatal(err)
		}
	}
	got := shadowOf(t, "-f", dir)
	if got.Looks != 4 || got.Karpenter.Removed != 1 || got.Money.Now.Dollars() != "$1.0000" ||
		got.Money.Paid < 1.99 || got.Money.Paid > 2.01 {
		t.Errorf("%d looks, %+v, %+v", got.Looks, got.Karpenter, got.Money)
	}
}

// The page is one file without scripts and without anything that is fetched, whatever names in a cluster say.
func TestTheReportOfShadowCanBeForwarded(t *testing.T) {
	t.Parallel()
	report := &view.Shadow{Source: `<script>alert(1)</script>`, Looks: 1, Claims: []view.Life{{Claim: `"><img src=x>`}},
		Notes: []string{"[click](javascript:x) | `x`"}}
	var page, text, plain strings.Builder
	for _, err := range []error{report.HTML(&page), report.Markdown(&text), report.Text(&plain, 80)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, never := range []string{"<script", "<img", "<link", "src=", "url(", "http:", "https:"} {
		if strings.Contains(strings.ReplaceAll(page.String(), "img src=x", ""), never) {
			t.Errorf("the page has %s:\n%s", never, page.String())
		}
	}
	for _, never := range []string{"<script", "<img", "[click]("} {
		if strings.Contains(text.String(), never) {
			t.Errorf("the Markdown has %s:\n%s", never, text.String())
		}
	}
}

// Beside a running controller, with the rights of deploy/shadow.yaml and no others, it reads all that it needs and
// sends nothing but reads.
func TestShadowOnlyReads(t *testing.T) {
	t.Parallel()
	plane := devplane.Start(t)
	if _, err := envtest.InstallCRDs(plane.Config(), envtest.CRDInstallOptions{CRDs: crd.All()}); err != nil {
		t.Fatal(err)
	}
	fill(t, plane.Config())
	seen := &proxied{methods: map[string]int{}}
	report := shadowOf(t, "--kubeconfig", seen.before(t, watcher(t, plane.Config())), "--for", "2s", "--every", "1s")
	if len(report.Missing) > 0 || report.Looks < 2 || report.Waited.Pods != 1 || report.Waited.None != 1 {
		t.Errorf("missing %q, %d looks, %+v", report.Missing, report.Looks, report.Waited)
	}
	file := filepath.Join(t.TempDir(), "r.json.gz")
	if code, _, stderr := run(t, "record", "--kubeconfig", plane.Kubeconfig(), "--out", file); code != 0 {
		t.Fatal(stderr)
	}
	if again := shadowOf(t, "-f", file); again.Looks != 1 || again.Waited.None != 1 {
		t.Errorf("of its recording: %d looks, %+v", again.Looks, again.Waited)
	}
	seen.mu.Lock()
	defer seen.mu.Unlock()
	if len(seen.wrong) > 0 || seen.methods[http.MethodGet] == 0 {
		t.Errorf("it sent %v, and of these are no reads, or of leases: %q", seen.methods, seen.wrong)
	}
}

// fill gives a cluster the rights of shadow, a NodePool and a pod that waits.
func fill(t *testing.T, as *rest.Config) {
	t.Helper()
	admin, err := client.New(as, client.Options{Scheme: daemon.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	pod := livePod()
	for _, o := range append(shadowRights(t), livePool("general", "EC2NodeClass"), pod) {
		if err := admin.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
		Reason: corev1.PodReasonUnschedulable}}
	if err := admin.Status().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
}

// watcher is who has the rights of shadow, once they are in force.
func watcher(t *testing.T, as *rest.Config) *rest.Config {
	t.Helper()
	as.Impersonate.UserName = rights.User(metav1.NamespaceSystem, rights.ShadowAccount)
	guest, err := client.New(as, client.Options{Scheme: daemon.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	for guest.List(t.Context(), &karpenterv1.NodePoolList{}) != nil { // rights reach the server a moment later
		if t.Context().Err() != nil {
			t.Fatal("the rights are never in force")
		}
	}
	return as
}

// shadowRights are the objects of deploy/shadow.yaml.
func shadowRights(t *testing.T) (out []client.Object) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/shadow.yaml")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]client.Object{"ServiceAccount": &corev1.ServiceAccount{}, "ClusterRole": &rbacv1.ClusterRole{},
		"ClusterRoleBinding": &rbacv1.ClusterRoleBinding{}}
	for document := range strings.SplitSeq(string(text), "---\n") {
		var what metav1.TypeMeta
		if err := yaml.Unmarshal([]byte(document), &what); err != nil {
			t.Fatal(err)
		}
		if o := kinds[what.Kind]; o != nil {
			if err := yaml.UnmarshalStrict([]byte(document), o); err != nil {
				t.Fatal(err)
			}
			out = append(out, o)
		}
	}
	if len(out) != len(kinds) {
		t.Fatalf("%d objects, want %d", len(out), len(kinds))
	}
	return out
}

// proxied counts what goes through to an API server.
type proxied struct {
	mu      sync.Mutex
	methods map[string]int
	wrong   []string
}

// before puts the proxy before a server, and is a kubeconfig that leads to it.
func (p *proxied) before(t *testing.T, as *rest.Config) string {
	t.Helper()
	transport, err := rest.TransportFor(as)
	if err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(as.Host)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Transport: transport, FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.methods[r.Method]++
		if r.Method != http.MethodGet || strings.Contains(r.URL.Path, "/leases") {
			p.wrong = append(p.wrong, r.Method+" "+r.URL.Path)
		}
		p.mu.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.CloseClientConnections) // watches have no end
	return written(t, "config", `
apiVersion: v1
kind: Config
clusters:
- {name: c, cluster: {server: "`+front.URL+`"}}
contexts:
- {name: c, context: {cluster: c}}
current-context: c
`)
}

// What would write is refused before it is sent, whoever asks for it.
func TestWhatOnlyReadsRefusesToWrite(t *testing.T) {
	t.Parallel()
	reached := false
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer server.Close()
	kube, err := kubernetes.NewForConfig(lookout.ReadOnly(&rest.Config{Host: server.URL}))
	if err != nil {
		t.Fatal(err)
	}
	err = kube.CoreV1().Nodes().Delete(t.Context(), "n", metav1.DeleteOptions{})
	if err == nil || !strings.Contains(err.Error(), "DELETE /api/v1/nodes/n would write") || reached {
		t.Errorf("%v; the server was asked: %v", err, reached)
	}
}
