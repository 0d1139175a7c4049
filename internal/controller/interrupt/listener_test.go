package interrupt

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/record"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// queue is a cloud that hands out batches of notices, one each call, and then has its reader wait.
type queue struct {
	mu      sync.Mutex // guards the fields below
	batches [][]provider.Notice
	fail    error // of the first call
	done    []string
	scarce  []string
	drained chan struct{} // closed when all notices that come are done
	expect  int
}

func (q *queue) Notices(ctx context.Context) ([]provider.Notice, error) {
	q.mu.Lock()
	if err := q.fail; err != nil {
		q.fail = nil
		q.mu.Unlock()
		return nil, err
	}
	if len(q.batches) > 0 {
		out := q.batches[0]
		q.batches = q.batches[1:]
		q.mu.Unlock()
		return out, nil
	}
	q.mu.Unlock()
	<-ctx.Done()
	return nil, ctx.Err()
}

func (q *queue) Done(_ context.Context, n provider.Notice) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.done = append(q.done, n.ID)
	if len(q.done) == q.expect {
		close(q.drained)
	}
	return nil
}

func (q *queue) Scarce(labels map[string]string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.scarce = append(
		q.scarce,
		labels[karpenterv1.CapacityTypeLabelKey]+"/"+labels[corev1.LabelInstanceTypeStable]+"/"+labels[corev1.LabelTopologyZone],
	)
}

// bench is a Listener on a small cluster.
type bench struct {
	*Listener
	queue   *queue
	clock   *testclock.FakeClock
	events  *record.FakeRecorder
	metrics *observe.Metrics

	mu      sync.Mutex // guards the fields below
	deleted []string
	refuse  error // of the next deletion

	neverJoined []string // pools that were said to

	failed, everFailed []string // work whose last outcome, or any, was an error
}

func newBench(t testing.TB, objects ...client.Object) *bench {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, storagev1.AddToScheme,
		karpenterv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	kube := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...)
	for _, i := range lookup.Indexes() {
		kube.WithIndex(i.Object, i.Field, i.Values)
	}
	b := &bench{
		queue: &queue{drained: make(chan struct{})}, clock: testclock.NewFakeClock(noon),
		events: record.NewFakeRecorder(100), metrics: observe.NewMetrics(),
	}
	b.Listener = &Listener{Deps{
		Client: kube.Build(), Cloud: b.queue, Clock: b.clock, Events: observe.NewRecorder(b.events, b.clock),
		Metrics: b.metrics.Notices, Log: logr.Discard(), Outcome: b.outcome, Delete: b.retire,
		NeverJoined: func(pool string) { b.neverJoined = append(b.neverJoined, pool) },
	}}
	return b
}

func (b *bench) outcome(ctx context.Context, work string, err error) {
	if ctx.Err() != nil {
		return // it stops
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed = slices.DeleteFunc(b.failed, func(w string) bool { return w == work })
	if err != nil {
		b.failed = append(b.failed, work)
		b.everFailed = append(b.everFailed, work)
	}
}

func (b *bench) retire(_ context.Context, claim *karpenterv1.NodeClaim, reason string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.refuse; err != nil {
		b.refuse = nil
		return err
	}
	b.deleted = append(b.deleted, claim.Name+" "+reason)
	return nil
}

func (b *bench) told() []string {
	var out []string
	for len(b.events.Events) > 0 {
		out = append(out, strings.Fields(<-b.events.Events)[1])
	}
	return out
}

// spot is a claim on machine i-NAME, with its node.
func spot(name string, change ...func(*karpenterv1.NodeClaim)) []client.Object {
	claim := &karpenterv1.NodeClaim{}
	claim.Name, claim.Status.NodeName = name, "node-"+name
	claim.Status.ProviderID = "aws:///us-east-1a/i-" + name
	claim.Labels = map[string]string{
		karpenterv1.CapacityTypeLabelKey: karpenterv1.CapacityTypeSpot,
		corev1.LabelInstanceTypeStable:   "m5.large", corev1.LabelTopologyZone: "us-east-1a",
	}
	for _, c := range change {
		c(claim)
	}
	node := &corev1.Node{}
	node.Name, node.Spec.ProviderID = claim.Status.NodeName, claim.Status.ProviderID
	return []client.Object{claim, node}
}

func leaving(claim *karpenterv1.NodeClaim) {
	claim.DeletionTimestamp, claim.Finalizers = &metav1.Time{Time: noon}, []string{karpenterv1.TerminationFinalizer}
}

func onDemand(claim *karpenterv1.NodeClaim) {
	claim.Labels[karpenterv1.CapacityTypeLabelKey] = karpenterv1.CapacityTypeOnDemand
}

func reserved(claim *karpenterv1.NodeClaim) {
	claim.Labels[karpenterv1.CapacityTypeLabelKey] = karpenterv1.CapacityTypeReserved
}

func TestWhatBecomesOfAMachine(t *testing.T) {
	t.Parallel()
	const ending = "TerminatingOnInterruption"
	rested := []string{"spot/m5.large/us-east-1a"}
	twice := func(reasons ...string) []string { // for the claim and for its node
		var out []string
		for _, r := range reasons {
			out = append(out, r, r)
		}
		return out
	}
	cases := map[string]struct {
		why     string
		kind    provider.NoticeKind
		machine string
		change  func(*karpenterv1.NodeClaim)
		deleted []string
		told    []string
		scarce  []string
	}{
		"Spot": {
			"It goes at once and is not bought again at once.",
			provider.SpotInterrupted,
			"i-a",
			nil,
			[]string{"a spot_interrupted"},
			twice("SpotInterrupted", ending),
			rested,
		},
		"SpotLeaving": {
			"A claim that goes already is left alone, but the offering is scarce all the same.",
			provider.SpotInterrupted,
			"i-a",
			leaving,
			nil,
			nil,
			rested,
		},
		"Rebalance": {
			"A risk is told, nothing more.",
			provider.RebalanceRecommendation,
			"i-a",
			nil,
			nil,
			twice("SpotRebalanceRecommendation"),
			nil,
		},
		"Stopped": {
			"A stopped machine is replaced.",
			provider.InstanceStopped,
			"i-a",
			nil,
			[]string{"a instance_stopped"},
			twice("InstanceStopping", ending),
			nil,
		},
		"Terminated": {
			"So is a terminated one.",
			provider.InstanceTerminated,
			"i-a",
			onDemand,
			[]string{"a instance_terminated"},
			twice("InstanceTerminating", ending),
			nil,
		},
		"TerminatedLeaving": {
			"Every machine that we end is reported: that is no news.",
			provider.InstanceTerminated,
			"i-a",
			leaving,
			nil,
			nil,
			nil,
		},
		"Reservation": {
			"The reservation's owner wants it back: there is nothing left for others.",
			provider.CapacityReservationInterrupted,
			"i-a",
			reserved,
			[]string{"a capacity_reservation_interrupted"},
			twice("CapacityReservationInstanceInterrupted", ending),
			[]string{"reserved/m5.large/us-east-1a"},
		},
		"NotOurs": {
			"Machines without a claim are none of ours.",
			provider.SpotInterrupted,
			"i-other",
			nil,
			nil,
			nil,
			nil,
		},
		"NotOursAlike": {"The whole ID counts.", provider.SpotInterrupted, "a", nil, nil, nil, nil},
		"PlannedUnknown": {
			"Maintenance at no known time may be now.",
			provider.ScheduledChange,
			"i-a",
			nil,
			[]string{"a scheduled_change"},
			twice("InstanceUnhealthy", ending),
			nil,
		},
		"NoOp": {"Nothing is asked.", provider.NoOp, "i-a", nil, nil, nil, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.change == nil {
				tc.change = func(*karpenterv1.NodeClaim) {}
			}
			b := newBench(t, spot("a", tc.change)...)
			b.take(
				t.Context(),
				provider.Notice{ID: "1", Kind: tc.kind, Machines: []string{tc.machine}, Sent: noon.Add(-seenWithin)},
			)
			for what, diff := range map[string]string{
				"deleted": cmp.Diff(tc.deleted, b.deleted), "events": cmp.Diff(tc.told, b.told()),
				"scarce": cmp.Diff(tc.scarce, b.queue.scarce), "done": cmp.Diff([]string{"1"}, b.queue.done),
			} {
				if diff != "" {
					t.Errorf("%s\n%s: -want +got\n%s", tc.why, what, diff)
				}
			}
			if got := testutil.ToFloat64(b.metrics.Notices.Received.WithLabelValues(string(tc.kind))); got != 1 {
				t.Errorf("%v messages of kind %s counted, want 1", got, tc.kind)
			}
		})
	}
}

// A machine may be taken back before the cache shows whose it is. Its notice is the only word that comes in time.
func TestANoticeForAMachineThatTheCacheDoesNotShowComesAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	n := provider.Notice{ID: "1", Kind: provider.SpotInterrupted, Machines: []string{"i-a"}, Sent: noon}
	b.take(t.Context(), n)
	if b.queue.done != nil {
		t.Fatalf("the notice was thrown away: %v", b.queue.done)
	}
	for _, o := range spot("a") {
		if err := b.Client.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	b.clock.Step(20 * time.Second) // SQS shows it again
	b.take(t.Context(), n)
	if diff := cmp.Diff([]string{"a spot_interrupted"}, b.deleted); diff != "" || len(b.queue.done) != 1 {
		t.Errorf("the second time: done %v, deleted -want +got\n%s", b.queue.done, diff)
	}
}

// EC2 sells machines that end within seconds: the key of their disks may not be used, a quota is full. The next one
// would too, so the pool hears of it.
func TestAMachineThatEndsBeforeItsNodeJoinsIsToldOfItsPool(t *testing.T) {
	t.Parallel()
	ofPool := func(c *karpenterv1.NodeClaim) { c.Labels[karpenterv1.NodePoolLabelKey] = "general" }
	young := func(c *karpenterv1.NodeClaim) { ofPool(c); c.Status.NodeName = "" }
	cases := map[string]struct {
		why    string
		kind   provider.NoticeKind
		change func(*karpenterv1.NodeClaim)
		want   []string
	}{
		"Terminated": {"It never joined.", provider.InstanceTerminated, young, []string{"general"}},
		"Stopped":    {"Nor did it.", provider.InstanceStopped, young, []string{"general"}},
		"TakenBack":  {"The market says nothing of the pool.", provider.SpotInterrupted, young, nil},
		"Joined":     {"What ends a node later is another matter.", provider.InstanceTerminated, ofPool, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, spot("a", tc.change)[0])
			b.take(t.Context(), provider.Notice{ID: "1", Kind: tc.kind, Machines: []string{"i-a"}, Sent: noon})
			if diff := cmp.Diff(tc.want, b.neverJoined); diff != "" || len(b.deleted) != 1 {
				t.Errorf("%s\ndeleted %v; pools that were told: -want +got\n%s", tc.why, b.deleted, diff)
			}
		})
	}
}

func TestANoticeThatFailsComesAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, spot("a")...)
	b.refuse = errors.New("the API server is away")
	n := provider.Notice{ID: "1", Kind: provider.SpotInterrupted, Machines: []string{"i-a"}}
	b.take(t.Context(), n)
	if b.queue.done != nil || testutil.ToFloat64(b.metrics.Notices.Deleted.WithLabelValues()) != 0 {
		t.Errorf("a notice that failed was deleted: %v", b.queue.done)
	}
	if slices.Contains(b.told(), "TerminatingOnInterruption") {
		t.Error("the claim's end was told although it was not deleted")
	}
	b.take(t.Context(), n)
	if diff := cmp.Diff([]string{"a spot_interrupted"}, b.deleted); diff != "" || len(b.queue.done) != 1 {
		t.Errorf("the second time: done %v, deleted -want +got\n%s", b.queue.done, diff)
	}
}

func TestListeningGoesOnAfterAQueueThatDidNotAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t, append(spot("a"), spot("b")...)...)
	b.queue.fail, b.queue.expect = errors.New("throttled"), 3
	b.queue.batches = [][]provider.Notice{
		{
			{ID: "1", Kind: provider.SpotInterrupted, Machines: []string{"i-a"}},
			{ID: "2", Kind: provider.NoOp, Problem: "rubbish"},
		},
		{{ID: "3", Kind: provider.InstanceStopped, Machines: []string{"i-b"}}},
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- b.Start(ctx) }()
	for waiting := true; waiting; {
		select {
		case <-b.queue.drained:
			waiting = false
		case <-time.After(time.Millisecond):
			b.clock.Step(firstPause)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("listening ended with %v", err)
	}
	if diff := cmp.Diff([]string{"Reading the interruption queue"}, b.everFailed); diff != "" || len(b.failed) > 0 {
		t.Errorf("outcomes that were told: still failing %q; failed once: -want +got\n%s", b.failed, diff)
	}
	slices.Sort(b.deleted)
	if diff := cmp.Diff([]string{"a spot_interrupted", "b instance_stopped"}, b.deleted); diff != "" {
		t.Errorf("deleted: -want +got\n%s", diff)
	}
}

func (b *bench) reconcile(t *testing.T, name string) reconcile.Result {
	t.Helper()
	got, err := b.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKey{Name: name}})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (b *bench) noted(t *testing.T, name string) string {
	t.Helper()
	claim := &karpenterv1.NodeClaim{}
	if err := b.Client.Get(t.Context(), client.ObjectKey{Name: name}, claim); err != nil {
		t.Fatal(err)
	}
	return claim.Annotations[AnnotationScheduledChange]
}

func TestMaintenanceInTwoWeeksDrainsInTwoWeeks(t *testing.T) {
	t.Parallel()
	b := newBench(t, spot("a")...)
	start := noon.Add(14 * 24 * time.Hour)
	b.take(
		t.Context(),
		provider.Notice{ID: "1", Kind: provider.ScheduledChange, Machines: []string{"i-a"}, Start: start},
	)
	if b.deleted != nil || len(b.queue.done) != 1 {
		t.Fatalf("two weeks ahead: deleted %v, done %v; want it noted and the message gone", b.deleted, b.queue.done)
	}
	if got := b.reconcile(t, "a").RequeueAfter; got != 14*24*time.Hour-lead {
		t.Errorf("comes back after %s, want an hour before it starts", got)
	}
	b.clock.SetTime(start.Add(-lead))
	b.reconcile(t, "a") // all that is known is on the claim: this may be another daemon
	if diff := cmp.Diff([]string{"a scheduled_change"}, b.deleted); diff != "" {
		t.Errorf("deleted: -want +got\n%s", diff)
	}
}

func TestOfSeveralPlansTheFirstCounts(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return noon.Add(time.Duration(n) * 24 * time.Hour) }
	cases := map[string]struct {
		why     string
		notices []provider.Notice
		want    time.Time // zero for none
	}{
		"Later": {
			"A later one does not hide the first.",
			[]provider.Notice{{Start: day(3)}, {Start: day(9)}},
			day(3),
		},
		"Earlier": {"An earlier one counts.", []provider.Notice{{Start: day(9)}, {Start: day(3)}}, day(3)},
		"CalledOff": {
			"Called off: the node stays.",
			[]provider.Notice{{Start: day(3)}, {Start: day(3), Over: true}},
			time.Time{},
		},
		"OtherOff": {
			"Another one's end changes nothing.",
			[]provider.Notice{{Start: day(3)}, {Start: day(9), Over: true}},
			day(3),
		},
		"OnlyOver": {"What is over was never noted.", []provider.Notice{{Start: day(3), Over: true}}, time.Time{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, spot("a")...)
			for _, n := range tc.notices {
				n.Kind, n.Machines = provider.ScheduledChange, []string{"i-a"}
				b.take(t.Context(), n)
			}
			want := ""
			if !tc.want.IsZero() {
				want = tc.want.Format(time.RFC3339)
			}
			if got := b.noted(t, "a"); got != want || b.deleted != nil {
				t.Errorf("%s\nnoted %q, want %q; deleted %v", tc.why, got, want, b.deleted)
			}
		})
	}
}

func TestRemaining(t *testing.T) {
	t.Parallel()
	noted := func(value string, grace time.Duration) *karpenterv1.NodeClaim {
		c := &karpenterv1.NodeClaim{}
		c.Annotations = map[string]string{AnnotationScheduledChange: value}
		if grace > 0 {
			c.Spec.TerminationGracePeriod = &metav1.Duration{Duration: grace}
		}
		return c
	}
	going := noted(noon.Format(time.RFC3339), 0)
	leaving(going)
	inADay := noon.Add(24 * time.Hour).Format(time.RFC3339)
	cases := map[string]struct {
		why     string
		claim   *karpenterv1.NodeClaim
		left    time.Duration
		planned bool
		fails   bool
	}{
		"None": {"Nothing is planned.", &karpenterv1.NodeClaim{}, 0, false, false},
		"Day":  {"An hour before it begins.", noted(inADay, 0), 23 * time.Hour, true, false},
		"LongDrain": {
			"Nodes that may take longer to drain have that long.",
			noted(inADay, 5*time.Hour),
			19 * time.Hour,
			true,
			false,
		},
		"Begun":  {"It is due.", noted(noon.Add(-time.Hour).Format(time.RFC3339), 0), -2 * time.Hour, true, false},
		"Going":  {"It goes already, and has no longer than that.", going, -time.Hour, true, false},
		"NoTime": {"A slip of the pen must not cost a node.", noted("tomorrow", 0), 0, false, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, left, planned, err := remaining(tc.claim, noon)
			if left != tc.left || planned != tc.planned || (err != nil) != tc.fails {
				t.Errorf("%s\n%s, %v, %v; want %s, %v", tc.why, left, planned, err, tc.left, tc.planned)
			}
		})
	}
}

// crowd is a queue with messages for ever, each answer of which comes only when several readers wait for one.
type crowd struct {
	*queue
	readers int
	met     chan struct{} // closed when that many have waited at once
}

func (c *crowd) Notices(ctx context.Context) ([]provider.Notice, error) {
	c.mu.Lock()
	c.readers++
	switch c.readers {
	case 1: // alone: a full answer says that there are more
		c.mu.Unlock()
		return make([]provider.Notice, fullAnswer), nil
	case 3:
		close(c.met)
	}
	c.mu.Unlock()
	<-ctx.Done()
	return nil, ctx.Err()
}

// While messages pile up more than one reader takes them: each waits for its own answer of SQS.
func TestABacklogIsReadByMany(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := &crowd{queue: b.queue, met: make(chan struct{})}
	b.Cloud = c
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Start(ctx) }()
	select {
	case <-c.met:
	case <-time.After(time.Minute):
		t.Error("one reader alone takes the messages, though there are more than it was given")
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
