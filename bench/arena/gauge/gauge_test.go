package gauge

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// newWatcher watches nothing: tests tell it what it sees.
func newWatcher() *Watcher {
	now := time.Now()
	return &Watcher{
		rates: Rates{
			Core:  0.025,
			GB:    0.001,
			Share: 1,
		}, began: now, pods: map[types.UID]*pod{}, nodes: map[types.UID]*node{},
		price: func(labels map[string]string) (float64, bool) { return 3.6, labels["type"] == "large" },
		sums:  integral{at: now},
	}
}

func newPod(i int, phase corev1.PodPhase) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: types.UID(fmt.Sprint(i))}}
	p.Spec.Containers = []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("2"), corev1.ResourceMemory: resource.MustParse("2G"),
	}}}}
	p.Status.Phase = phase
	return p
}

// A run of four pods, by the clock: each figure follows from what was seen and when.
func TestMeasures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := fourPodsOnOneNode(t)
		got := []any{
			m.Pods, m.HalfRun, m.MostRun, m.AllRun, m.PendingP50, m.PendingP95, m.PendingP99, m.Launched, m.GivenUp,
			m.PeakRate, m.EndRate, m.PodsAtEnd, m.RunAtEnd,
			fmt.Sprintf("%.4f", m.Dollars), // 100 s of $3.60 an hour
		}
		want := "[4 2 4 4 2 4 4 1 1 3.6 0 3 3 0.1000]"
		if fmt.Sprint(got) != want {
			t.Errorf("measured %v, want %s", got, want)
		}
		rate := 2*0.025 + 2*0.001 // of a pod; they began to run one second after the other
		near(t, "the bound in dollars", m.Bound, rate*(1+2+3+6*4+90*3)/3600)
		near(t, "pod days", m.PodDays, (1+2+3+6*4+90*3.0)/86400)
	})
}

// fourPodsOnOneNode begin to run a second apart; one of them leaves after 6 s, and the node after 90 s more.
func fourPodsOnOneNode(t *testing.T) Measures {
	t.Helper()
	w := newWatcher()
	w.Expect(4)
	for i := range 4 {
		w.seePod(newPod(i, corev1.PodPending))
	}
	large := &corev1.Node{ObjectMeta: metav1.ObjectMeta{UID: "n", Labels: map[string]string{"type": "large"}}}
	w.seeNode(large)
	w.seeNode(large)
	for i := range 4 {
		after(t, time.Second)
		w.seePod(newPod(i, corev1.PodRunning))
	}
	timeline := []Point{w.Look()}
	after(t, 6*time.Second)
	leaving := newPod(3, corev1.PodRunning)
	leaving.DeletionTimestamp = &metav1.Time{Time: time.Now()}
	w.seePod(leaving)
	w.losePod(leaving)
	after(t, 90*time.Second)
	w.loseNode(large)
	return w.Measures(timeline)
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if got < want*0.999 || got > want*1.001 {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// after lets time go by.
func after(t *testing.T, d time.Duration) {
	t.Helper()
	<-time.After(d)
}

func TestRefusedPodsAndStrangeNodesAreSeen(t *testing.T) {
	t.Parallel()
	w := newWatcher()
	for range 2 {
		w.seePod(newPod(1, corev1.PodFailed))
	}
	w.seeNode(&corev1.Node{ObjectMeta: metav1.ObjectMeta{UID: "x", Name: "odd"}})
	if m := w.Measures(nil); m.Refused != 1 || m.PodsAtEnd != 0 {
		t.Errorf("%d refused, %d wanted", m.Refused, m.PodsAtEnd)
	}
	if got := w.Strange(); len(got) != 1 || got[0] != "odd" {
		t.Errorf("strange nodes: %v", got)
	}
}

func TestSum(t *testing.T) {
	t.Parallel()
	page := `# TYPE apiserver_request_total counter
apiserver_request_total{code="201",resource="pods",subresource="eviction"} 7
apiserver_request_total{code="429",resource="pods",subresource="eviction"} 5
apiserver_request_total{code="201",resource="pods",subresource="binding"} 3
`
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for want, labels := range map[int]map[string]string{
		7: {"subresource": "eviction", "code": "201"}, 15: nil, 0: {"subresource": "scale"},
	} {
		if got := sum(families["apiserver_request_total"], labels); got != want {
			t.Errorf("%v: %v, want %v", labels, got, want)
		}
	}
	if got := sum(families["unknown"], nil); got != 0 {
		t.Errorf("of a counter that is not there: %v", got)
	}
}

func TestParseProcess(t *testing.T) {
	t.Parallel()
	stat := "7 (a (b) c) S 1 7 7 0 -1 4194560 1 2 3 4 250 50 0 0 20 0 1 0 5 6 7"
	got, err := parseProcess([]byte(stat), []byte("Name:\ta\nVmPeak:\t 1 kB\nVmHWM:\t    2048 kB\n"))
	if want := (Process{CPU: 3, PeakMemory: 2 << 20}); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	if _, err := parseProcess([]byte("nothing"), nil); err == nil {
		t.Error("nonsense was read")
	}
	if _, err := os.Stat("/proc/self/stat"); err == nil {
		if p, err := OfProcess(os.Getpid()); err != nil || p.PeakMemory == 0 {
			t.Errorf("of this process: %+v, %v", p, err)
		}
	}
}
