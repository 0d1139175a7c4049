package regular

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/record"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

func newTeller(t *testing.T, classes ...string) (*Teller, *testclock.FakeClock, func() []string) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := awsv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	build := fake.NewClientBuilder().WithScheme(scheme)
	for _, name := range classes {
		build = build.WithObjects(&awsv1.EC2NodeClass{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	clock := testclock.NewFakeClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
	sink := record.NewFakeRecorder(100)
	teller := New(Deps{
		Client:  build.Build(),
		Lists:   func() []client.ObjectList { return []client.ObjectList{&awsv1.EC2NodeClassList{}} },
		Clock:   clock,
		Events:  observe.NewRecorder(sink, clock),
		Log:     logr.Discard(),
		Explain: func(err error) string { return "AccessDenied: " + err.Error() },
	})
	return teller, clock, func() []string {
		var out []string
		for len(sink.Events) > 0 {
			out = append(out, <-sink.Events)
		}
		return out
	}
}

func TestFailuresAreToldWhenTheyBeginWhileTheyLastAndWhenTheyEnd(t *testing.T) {
	t.Parallel()
	teller, clock, said := newTeller(t, "default")
	n := 0
	fails := func(work string) {
		n++
		teller.Outcome(t.Context(), work, fmt.Errorf("request %d", n))
	}
	expect := func(why string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, said()); diff != "" {
			t.Errorf("%s: -want +got\n%s", why, diff)
		}
	}
	teller.Outcome(t.Context(), "Listing machines", nil)
	expect("all is well")
	fails("Listing machines")
	expect("it begins", "Warning CloudWorkFailed Listing machines fails: AccessDenied: request 1")
	clock.Step(9 * time.Minute)
	fails("Listing machines")
	expect("it was said a moment ago, though in other words")
	fails("Reading the queue")
	expect("other work fails too", "Warning CloudWorkFailed Reading the queue fails: AccessDenied: request 3")
	clock.Step(time.Minute)
	fails("Listing machines")
	expect("it lasts", "Warning CloudWorkFailed Listing machines fails: AccessDenied: request 4")
	teller.Outcome(t.Context(), "Listing machines", nil)
	teller.Outcome(t.Context(), "Listing machines", nil)
	expect("it is over, and that is said once", "Normal CloudWorkRecovered Listing machines works again")
	fails("Listing machines")
	expect("it begins anew", "Warning CloudWorkFailed Listing machines fails: AccessDenied: request 5")
}

func TestEachNodeClassIsTold(t *testing.T) {
	t.Parallel()
	teller, _, said := newTeller(t, "a", "b")
	teller.Outcome(t.Context(), "Listing machines", errors.New("no"))
	if got := said(); len(got) != 2 {
		t.Errorf("two node classes, and told was %q", got)
	}
}

func TestWhatFailsBecauseTheDaemonStopsIsNotTold(t *testing.T) {
	t.Parallel()
	teller, _, said := newTeller(t, "default")
	ctx, stop := context.WithCancel(t.Context())
	stop()
	teller.Outcome(ctx, "Listing machines", context.Canceled)
	if got := said(); len(got) > 0 {
		t.Errorf("told was %q", got)
	}
}
