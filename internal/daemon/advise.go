package daemon

import (
	"context"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/engine/remedy"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/journal"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

const (
	// adviseEvery is how long the same pod is not advised again.
	adviseEvery = 15 * time.Minute
	// adviseKinds is for how many kinds of pods of one plan changes are looked for: each takes a few dozen plans.
	adviseKinds = 5
	// adviseAtMost is how many pods hear of it at once.
	adviseAtMost = 50
)

// adviser says on pods without a place what the smallest change is that would give them one. It works beside the
// planner: what comes while it is busy is passed over.
type adviser struct {
	next   *journal.Journal // where plans go besides
	reader client.Reader
	events *observe.Recorder
	clock  clock.PassiveClock
	queue  chan journal.Record
	told   map[shape.PodID]time.Time // of Start alone
}

func newAdviser(k *kit, next *journal.Journal) *adviser {
	return &adviser{
		next:   next,
		reader: k.client,
		events: k.events,
		clock:  k.clock,
		queue:  make(chan journal.Record, 1),
		told:   map[shape.PodID]time.Time{},
	}
}

// Add takes a plan over, at once.
func (a *adviser) Add(k journal.Kept) {
	a.next.Add(k)
	if r, ok := k.(journal.Record); ok && len(r.Decision.Unplaced) > 0 {
		select {
		case a.queue <- r:
		default:
		}
	}
}

// Start advises until the context ends.
func (a *adviser) Start(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case r := <-a.queue:
			a.advise(ctx, &r)
		}
	}
}

// NeedLeaderElection is true: who plans advises.
func (a *adviser) NeedLeaderElection() bool { return true }

func (a *adviser) advise(ctx context.Context, r *journal.Record) {
	classes := map[shape.PodID]int32{}
	for _, p := range r.Snapshot.Pods {
		classes[p.ID] = p.Class
	}
	now := a.clock.Now()
	for pod, at := range a.told {
		if now.Sub(at) > adviseEvery {
			delete(a.told, pod)
		}
	}
	sentences, heard := map[int32]string{}, 0
	for i := range r.Decision.Unplaced {
		pod := r.Decision.Unplaced[i].Pod
		class, known := classes[pod]
		if _, told := a.told[pod]; told || !known || r.Snapshot.Classes[class].Buffer || heard >= adviseAtMost {
			continue
		}
		sentence, found := sentences[class]
		if !found && len(sentences) < adviseKinds {
			if rem, ok := remedy.Find(r.Snapshot, r.Policy, pod); ok {
				sentence = "Smallest change: " + rem.Sentence() + "."
			}
			sentences[class] = sentence
		}
		if sentence != "" {
			a.tell(ctx, pod, sentence)
			heard++
		}
		a.told[pod] = now
	}
}

func (a *adviser) tell(ctx context.Context, id shape.PodID, sentence string) {
	namespace, name, _ := strings.Cut(string(id), "/")
	pod := &corev1.Pod{}
	if a.reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, pod) == nil {
		a.events.Emit(pod, observe.SmallestChange, sentence)
	}
}
