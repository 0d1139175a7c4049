package history_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	clocktesting "k8s.io/utils/clock/testing"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/history"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/internal/view"
)

var began = time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)

func claim(name string) *karpenterv1.NodeClaim {
	c := &karpenterv1.NodeClaim{ObjectMeta: metav1.ObjectMeta{
		Name:              name,
		UID:               types.UID("uid-" + name),
		CreationTimestamp: metav1.NewTime(began),
		Labels: map[string]string{
			karpenterv1.NodePoolLabelKey:       "web",
			"node.kubernetes.io/instance-type": "c6a.large",
		},
		Annotations: map[string]string{translate.AnnotationOpenedFor: "for pod default/web-1"},
	}}
	return c
}

func keeper(t interface {
	Helper()
	Fatal(...any)
}, dir string, clock *clocktesting.FakePassiveClock, events *observe.Recorder) *history.Keeper {
	t.Helper()
	k, err := history.New(history.Deps{Dir: dir, Clock: clock, Events: events})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// heard keeps the annotations of events.
type heard struct {
	record.EventRecorder
	lives    []string
	messages []string
}

func (h *heard) AnnotatedEventf(_ runtime.Object, annotations map[string]string, _, _, _ string, args ...any) {
	h.lives = append(h.lives, annotations[history.AnnotationLife])
	h.messages = append(h.messages, args[0].(string))
}

// TestAClaimsWholeLifeIsKnownAfterARestart has a process die after each step.
func TestAClaimsWholeLifeIsKnownAfterARestart(t *testing.T) {
	t.Parallel()
	dir, clock, events := t.TempDir(), clocktesting.NewFakePassiveClock(began.Add(2*time.Hour)), &heard{}
	recorder := observe.NewRecorder(events, clock)
	c := claim("web-1")
	keeper(t, dir, clock, nil).Seen(c)
	condition.Set(c, began.Add(time.Minute), metav1.Condition{Type: karpenterv1.ConditionInitialized, Status: "True"})
	c.Status.NodeName = "n"
	keeper(t, dir, clock, nil).Seen(c)
	keeper(t, dir, clock, nil).Replaces([]*karpenterv1.NodeClaim{claim("web-2")}, []*karpenterv1.NodeClaim{c})
	condition.TrueBecause(
		c,
		began.Add(time.Hour),
		karpenterv1.ConditionDisruptionReason,
		"Underutilized",
		"The node is to go because its pods fit on a cheaper one.",
	)
	keeper(t, dir, clock, nil).Retiring(t.Context(), c, "underutilized")
	last := keeper(t, dir, clock, recorder)
	last.Gone(c)
	last.Gone(c) // watches may repeat themselves
	lives, err := history.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := view.Life{
		UID:          "uid-web-1",
		Claim:        "web-1",
		Pool:         "web",
		Created:      began,
		Initialized:  began.Add(time.Minute),
		Chosen:       began.Add(time.Hour),
		Gone:         began.Add(2 * time.Hour),
		InstanceType: "c6a.large",
		Node:         "n",
		Came:         "for pod default/web-1",
		Reason:       "underutilized",
		Went:         "its pods fit on a cheaper one",
		Instead:      []string{"web-2"},
		Marks:        []string{"karpenter.sh/disrupted::NoSchedule"},
	}
	if len(lives) != 2 { // web-2 was heard of as well
		t.Fatalf("%d lives, want 2", len(lives))
	}
	if diff := cmp.Diff(want, lives[1]); diff != "" {
		t.Error(diff)
	}
	if len(events.lives) != 1 ||
		!strings.Contains(
			events.messages[0],
			"it came for pod default/web-1, and went because its pods fit on a cheaper one.",
		) {
		t.Fatalf("last words: %q", events.messages)
	}
	var said view.Life
	if err := json.Unmarshal([]byte(events.lives[0]), &said); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Error(diff)
	}
}

// world is claims that come and go, and what a history must say of them.
type world struct {
	rt     *rapid.T
	dir    string
	clock  *clocktesting.FakePassiveClock
	keeper *history.Keeper
	there  map[string]*karpenterv1.NodeClaim
	want   map[string]string // by claim: its reason; empty while it is not chosen
}

// ended reports whether a claim was there and is not any more.
func (w *world) ended(name string) bool {
	_, known := w.want[name]
	return known && w.there[name] == nil
}

// seen has a claim come, or change nothing.
func (w *world) seen(name string) {
	if w.there[name] == nil {
		w.there[name], w.want[name] = claim(name), ""
	}
	w.keeper.Seen(w.there[name])
}

// retired has the controller delete a claim.
func (w *world) retired(name string) {
	if w.there[name] == nil || w.want[name] != "" {
		return
	}
	w.want[name] = rapid.SampledFrom([]string{"empty", "expired", "spot_interrupted", "something_new"}).Draw(w.rt,
		"reason")
	w.keeper.Retiring(w.rt.Context(), w.there[name], w.want[name])
}

// gone has a claim go, by the controller or by hand.
func (w *world) gone(name string) {
	if w.there[name] == nil {
		return
	}
	if w.want[name] == "" {
		w.want[name] = "deleted"
	}
	w.keeper.Gone(w.there[name])
	w.there[name] = nil
}

// torn is where a process died while it wrote.
func (w *world) torn(most int) {
	f, err := os.OpenFile(filepath.Join(w.dir, history.File), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		w.rt.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(`{"uid":"uid-a","reason":"ne`[:most]); err != nil {
		w.rt.Fatal(err)
	}
}

// TestEveryClaimThatWentHasAReason joins ends to reasons, whoever began them and whenever the process died.
func TestEveryClaimThatWentHasAReason(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		clock := clocktesting.NewFakePassiveClock(began.Add(time.Hour))
		w := &world{rt, dir, clock, keeper(rt, dir, clock, nil), map[string]*karpenterv1.NodeClaim{},
			map[string]string{}}
		for i := range rapid.IntRange(1, 30).Draw(rt, "steps") {
			name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "claim")
			if w.ended(name) {
				continue
			}
			rapid.SampledFrom([]func(){
				func() { w.keeper = keeper(rt, dir, clock, nil) },
				func() { w.seen(name) }, func() { w.retired(name) }, func() { w.gone(name) }, func() { w.torn(i % 20) },
			}).Draw(rt, "step")()
		}
		w.judge(keeper(rt, dir, clock, nil).Lives())
	})
}

// judge holds what is remembered against what was.
func (w *world) judge(lives []view.Life) {
	for _, l := range lives {
		if there := w.there[l.Claim] != nil; there != l.Gone.IsZero() {
			w.rt.Fatalf("%s is there: %v, and gone at %v", l.Claim, there, l.Gone)
		}
		if l.Reason != w.want[l.Claim] || (l.Went == "") != (w.want[l.Claim] == "") {
			w.rt.Fatalf("%s went for %q (%s), want %q", l.Claim, l.Reason, l.Went, w.want[l.Claim])
		}
		delete(w.want, l.Claim)
	}
	if len(w.want) > 0 {
		w.rt.Fatalf("nothing is known of %v", w.want)
	}
}

// TestClaimsThatWentUnseenAreGone has claims go while no process runs.
func TestClaimsThatWentUnseenAreGone(t *testing.T) {
	t.Parallel()
	dir, clock := t.TempDir(), clocktesting.NewFakePassiveClock(began.Add(time.Hour))
	keeper(t, dir, clock, nil).Seen(claim("gone"))
	keeper(t, dir, clock, nil).Seen(claim("there"))
	scheme := runtime.NewScheme()
	if err := karpenterv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	k := keeper(t, dir, clock, nil)
	if err := k.Catch(
		t.Context(),
		client.Reader(fake.NewClientBuilder().WithScheme(scheme).WithObjects(claim("there")).Build()),
	); err != nil {
		t.Fatal(err)
	}
	for _, l := range k.Lives() {
		if l.Gone.IsZero() != (l.Claim == "there") {
			t.Errorf("%s is gone at %v", l.Claim, l.Gone)
		}
	}
}
