package observe

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	clocktesting "k8s.io/utils/clock/testing"
)

func drain(events chan string) int {
	n := 0
	for {
		select {
		case <-events:
			n++
		default:
			return n
		}
	}
}

func TestRecorderKeepsBackWhatItSaid(t *testing.T) {
	t.Parallel()
	clock := clocktesting.NewFakeClock(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC))
	sink := record.NewFakeRecorder(100)
	r := NewRecorder(sink, clock)
	web := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "1"}}
	db := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "db", UID: "2"}}

	r.Emit(web, Evicted, "its node goes")
	r.Emit(web, Evicted, "its node goes")
	if got := drain(sink.Events); got != 1 {
		t.Errorf("saying the same twice: %d events, want 1", got)
	}
	r.Emit(db, Evicted, "its node goes")
	r.EmitOf("drift", web, Evicted, "its node is drifted")
	r.Emit(web, Disrupted, "its node goes")
	if got := drain(sink.Events); got != 3 {
		t.Errorf("another object, cause or reason: %d events, want 3", got)
	}
	clock.Step(Evicted.Every)
	r.Emit(web, Evicted, "its node goes")
	if got := drain(sink.Events); got != 1 {
		t.Errorf("after %s: %d events, want 1", Evicted.Every, got)
	}
}

// Sentences count nodes and quote prices, which change all the time.
func TestFiguresInASentenceDoNotMakeItNews(t *testing.T) {
	t.Parallel()
	for _, reason := range []*Reason{FailedScheduling, Nominated, Unconsolidatable, DisruptionBlocked, FailedDraining} {
		clock := clocktesting.NewFakeClock(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC))
		sink := record.NewFakeRecorder(100)
		r := NewRecorder(sink, clock)
		object := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "1"}}
		const every = 10 * time.Second
		passes := int(reason.Every/every) + 1
		for pass := range passes {
			r.Emitf(object, reason, "%d nodes have no room", pass)
			if pass < passes-1 {
				clock.Step(every)
			}
		}
		first, last := <-sink.Events, <-sink.Events
		if !strings.Contains(first, "0 nodes") || !strings.Contains(last, fmt.Sprintf("%d nodes", passes-1)) {
			t.Errorf(
				"%s said each %s for %s: heard %q and %q, want the first words at once and those of then when the "+
					"time is over",
				reason.Name,
				every,
				reason.Every,
				first,
				last,
			)
		}
		if more := drain(sink.Events); more != 0 {
			t.Errorf("%s said each %s for %s: %d events too many", reason.Name, every, reason.Every, more)
		}
	}
}

// counter is a sink that counts.
type counter struct {
	record.EventRecorder
	n int
}

func (c *counter) Event(runtime.Object, string, string, string) { c.n++ }

// A cluster whose limits are reached says the same of every pod of a large job, in every pass.
func TestRecorderRemembersALargeJob(t *testing.T) {
	t.Parallel()
	const pods = 60_000
	sink := &counter{}
	r := NewRecorder(sink, clocktesting.NewFakeClock(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)))
	for range 2 {
		for i := range pods {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "batch", Name: fmt.Sprintf("job-%d", i)}}
			r.Emit(pod, FailedScheduling, "limit reached")
		}
	}
	if sink.n != pods {
		t.Errorf("%d events about %d pods, want one of each", sink.n, pods)
	}
}

func TestRecorderLimitsNominations(t *testing.T) {
	t.Parallel()
	clock := clocktesting.NewFakeClock(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC))
	sink := record.NewFakeRecorder(100)
	r := NewRecorder(sink, clock)
	nominate := func(n int) {
		for i := range n {
			pod := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("web-%d", i), UID: types.UID(clock.Now().String())},
			}
			r.Emitf(pod, Nominated, "to node %d at %s", i, clock.Now())
		}
	}
	nominate(30)
	if got := drain(sink.Events); got != Nominated.Burst {
		t.Errorf("30 nominations at once: %d events, want %d", got, Nominated.Burst)
	}
	clock.Step(time.Second)
	nominate(30)
	if got := drain(sink.Events); got != int(Nominated.PerSecond) {
		t.Errorf("30 nominations a second later: %d events, want %v", got, Nominated.PerSecond)
	}
}

func TestTwoDaemonsInOneProcess(t *testing.T) {
	t.Parallel()
	a, b := NewMetrics(), NewMetrics()
	a.Claims.Created.WithLabelValues("provisioned", "general", "false").Inc()
	families, err := b.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "karpenter_nodeclaims_created_total" {
			t.Error("one daemon's count appears in another's metrics")
		}
	}
}

func TestEveryNameHasItsDocumentation(t *testing.T) {
	t.Parallel()
	for _, m := range NewMetrics().Table() {
		if m.Doc == "" {
			t.Errorf("metric %s has no documentation", m.Name)
		}
		if !slices.ContainsFunc(
			[]string{"karpenter_", "operator_", "aws_sdk_go_"},
			func(p string) bool { return strings.HasPrefix(m.Name, p) },
		) {
			t.Errorf("metric %s has a prefix of its own", m.Name)
		}
	}
	for _, r := range Reasons() {
		if r.Doc == "" || r.On == "" {
			t.Errorf("event %s is not documented", r.Name)
		}
	}
}
