package binder

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/mirror"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

const (
	// atOnce is how many bindings are sent in parallel, of all nodes.
	atOnce = 50

	// lookEvery is how often nodes that are kept are looked at.
	lookEvery = 50 * time.Millisecond
)

// plans is the part of the mirror that is needed here.
type plans interface {
	Reserved() (nodes []mirror.Reserved, coming, pending int)
	Awaited(claim string) (planned, blocked bool)
	Planned(claim string) []*corev1.Pod
	Bound(want map[string][]shape.PodID) (s shape.Snapshot, seen map[string]*shape.Node, crowded bool)
	Promise(node string, seen *shape.Node, pods []shape.PodID) []shape.PodID
	PromisedTo(pod shape.PodID) string
	Withdraw(pod shape.PodID)
	GiveUp(pod shape.PodID)
	Revision() uint64
	Hear(f func(mirror.Change))
}

// Deps are what a Keeper needs. All but Scheduler are required.
type Deps struct {
	Client client.Client // writes; not held up by a limit of requests
	Live   client.Reader // what the API server has now
	Plans  plans
	Clock  clock.Clock
	Log    logr.Logger

	// Metrics count bindings by their outcome, and how long nodes are kept.
	Metrics observe.PodMetrics

	// Keep is whether nodes are kept for their plans, Bind whether pods are bound to them. With neither only those
	// nodes are seen to that another process has kept.
	Keep, Bind bool

	// HoldAtMost is how long a node that is ready for pods is kept for those that come late, and while pods planned
	// onto other nodes could take its room.
	HoldAtMost time.Duration

	// Scheduler is told where pods are planned that are left to it; nil if it is not.
	Scheduler teller
}

// teller is the part of a nominate.Nominator that is needed here.
type teller interface {
	Open(pod *corev1.Pod) bool
	Tell(ctx context.Context, pods []*corev1.Pod, node string) error
}

// Keeper keeps nodes for plans, and binds pods.
type Keeper struct {
	Deps

	slots chan struct{} // one for each binding that is on its way
	wake  chan struct{} // holds one
	group sync.WaitGroup

	sent sent

	mu  sync.Mutex           // guards own
	own map[string]time.Time // claims whose nodes are kept by this process, and since when

	// Of the one goroutine that looks:
	rooms map[types.UID]*room // of nodes
	moved time.Time           // when a binding was last seen; zero before
	last  asked
}

// asked is when it was last asked who may be bound.
type asked struct {
	at       time.Time
	revision uint64 // of the mirror
	waiting  int    // how many pods might not be bound
}

// New checks that nothing is missing.
func New(d Deps) (*Keeper, error) {
	if d.Client == nil || d.Live == nil || d.Plans == nil || d.Clock == nil {
		return nil, errors.New("keeper: a dependency is missing")
	}
	return &Keeper{
		Deps: d, slots: make(chan struct{}, atOnce), wake: make(chan struct{}, 1),
		own: map[string]time.Time{}, rooms: map[types.UID]*room{}, sent: sent{under: map[shape.PodID]*underway{}},
	}, nil
}

// Hold reports whether a claim's node that is about to be open is to be kept for its plan. The caller puts the taint on
// it in the same write.
func (k *Keeper) Hold(claim string) bool {
	if !k.Keep {
		return false
	}
	planned, blocked := k.Plans.Awaited(claim)
	if !planned || blocked || !k.Bind && len(k.Plans.Planned(claim)) == 0 {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.own[claim] = k.Clock.Now()
	return true
}

// NeedLeaderElection is true: only the leader plans.
func (k *Keeper) NeedLeaderElection() bool { return true }

// Start looks after nodes until the context ends. Bindings that are on their way then end first.
func (k *Keeper) Start(ctx context.Context) error {
	k.Plans.Hear(func(mirror.Change) {
		select {
		case k.wake <- struct{}{}:
		default:
		}
	})
	defer k.group.Wait()
	for {
		var again <-chan time.Time // never, while no node is kept
		if k.Round(ctx) {
			again = k.Clock.After(lookEvery)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-again:
			continue
		case <-k.wake:
		}
		select { // news come in swarms
		case <-ctx.Done():
			return nil
		case <-k.Clock.After(lookEvery / 2):
		}
	}
}

// forget drops what is known of claims and nodes that are not kept any more. A claim's node may not have been seen kept
// yet.
func (k *Keeper) forget(kept map[types.UID]bool, claims map[string]bool, now time.Time) {
	for uid := range k.rooms {
		if !kept[uid] {
			delete(k.rooms, uid)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for claim, since := range k.own {
		if !claims[claim] && now.Sub(since) > ownFor {
			delete(k.own, claim)
		}
	}
}

// ownFor is how long it may take until the watch shows that a node is kept.
const ownFor = time.Minute

func (k *Keeper) owns(claim string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.own[claim]
	return ok
}
