package known_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/explain"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/controller/provision"
	"github.com/dovetail-sh/dovetail/internal/daemon"
	"github.com/dovetail-sh/dovetail/internal/known"
	"github.com/dovetail-sh/dovetail/internal/view"
)

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// handler knows a pod that waits for a claim whose launch fails, one without a place, and one that is new.
func handler() http.Handler {
	claim := &karpenterv1.NodeClaim{ObjectMeta: metav1.ObjectMeta{Name: "web-1",
		CreationTimestamp: metav1.NewTime(noon.Add(-time.Minute))}}
	s := shape.Snapshot{
		Pods: []shape.Pod{{ID: "default/stuck"}, {ID: "default/new"}},
		Nodes: []*shape.Node{{
			Name: "claim/web-1", Claim: "web-1", Price: shape.Dollars(0.0426), Pods: []shape.Pod{{ID: "default/waits"}},
		}},
		Types: []*shape.InstanceType{{Offerings: []shape.Offering{{Available: true}, {}, {}}}},
	}
	why := explain.Tree{Groups: []explain.Group{{Count: 2, Reason: feasible.Reason{Kind: feasible.Unavailable}}}}
	return known.New(known.Deps{
		Client:   fake.NewClientBuilder().WithScheme(daemon.Scheme()).WithObjects(claim).Build(),
		Snapshot: func() shape.Snapshot { return s },
		Told: func() *provision.Told {
			return &provision.Told{At: noon.Add(-4 * time.Second), Next: noon.Add(6 * time.Second),
				Unplaced: map[shape.PodID]explain.Tree{"default/stuck": why}}
		},
		Retry:    func(*karpenterv1.NodeClaim) (int, time.Time) { return 6, noon.Add(32 * time.Second) },
		GiveUp:   5 * time.Minute,
		PricesAt: func() time.Time { return noon.Add(-3 * time.Hour) },
		Clock:    testclock.NewFakePassiveClock(noon),
	})
}

func TestTheControllerSaysWhatItKnows(t *testing.T) {
	t.Parallel()
	const common = "the cloud has none of 2 of 3 offerings just now; prices are 3h old"
	for path, want := range map[string]string{
		"pod default/stuck": "last planned 4s ago, and again in 6s at the latest; " + common,
		"pod default/new":   "last planned 4s ago, and again in 6s at the latest; " + common,
		"pod default/waits": "the launch failed 6 times; tried again in 32s, given up in 4m0s; " + common,
		"node web-1":        "the launch failed 6 times; tried again in 32s, given up in 4m0s; " + common,
	} {
		what, name, _ := strings.Cut(path, " ")
		w := httptest.NewRecorder()
		handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, known.Prefix+what+"?name="+url.QueryEscape(name),
			http.NoBody))
		var got view.Known
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s: %d %v\n%s", path, w.Code, err, w.Body)
		}
		if said := strings.Join(got.Lines(noon), "; "); said != want {
			t.Errorf("%s: %q\nwant %q", path, said, want)
		}
		if stuck := path == "pod default/stuck"; stuck != (len(got.Why.Groups) > 0) {
			t.Errorf("%s: why %+v", path, got.Why)
		}
		if price := got.Price.Dollars(); strings.Contains(want, "launch") && price != "$0.0426" {
			t.Errorf("%s costs %s", path, price)
		}
	}
}

func TestTheControllerSaysWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]int{
		"pod?name=default/gone": http.StatusNotFound, "node?name=gone": http.StatusNotFound,
		"pod":         http.StatusBadRequest,
		"plan?name=x": http.StatusNotFound,
	} {
		w := httptest.NewRecorder()
		handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, known.Prefix+path, http.NoBody))
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
}
