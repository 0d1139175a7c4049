package mirror

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/utils/clock"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/eviction"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/devices"
	"github.com/dovetail-sh/dovetail/internal/mirror/cut"
	"github.com/dovetail-sh/dovetail/internal/mirror/objects"
	"github.com/dovetail-sh/dovetail/internal/mirror/promises"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// Mirror is the live picture of one cluster.
type Mirror struct {
	clock      clock.PassiveClock
	nomination time.Duration // for how long a pod's place on a ready node is kept

	watch watch
	bound func(Binding)

	mu sync.Mutex // guards the fields below
	picture
}

// picture joins facts and promises: it knows which pods hold room on which machines. All its methods need Mirror.mu
// held.
type picture struct {
	rev uint64 // +1 on every change

	facts   *objects.Store
	devices objects.Inventory
	pools   nodePools
	book    *promises.Book
	sheet   *cut.Sheet

	held  objects.Index[string, shape.PodID] // pods by the machine on which they hold room
	dirty map[string]struct{}                // machines that the sheet has not as they are now

	refused  refusals            // of the pods that wait for a place, and of those that were planned
	reserved map[string]struct{} // nodes with the taint that keeps them for a plan
	virtual  standIns            // among pods
	kept     bool                // somebody has said which buffers there are
	seated   bool                // and they were planned for since

	news []Binding // not told yet
}

// Options are what may be chosen.
type Options struct {
	Clock clock.PassiveClock // nil means the real one

	// Aliases are the cloud's other names of well-known labels; nil if it adds none to those of Kubernetes.
	Aliases karpenterv1.LabelAliases

	// Defaults are the spread constraints that kube-scheduler puts on pods without any. Services and what owns pods
	// are followed only when there are some.
	Defaults []corev1.TopologySpreadConstraint

	// OwnDeletionCosts is translate.World's.
	OwnDeletionCosts bool

	// Bound is called when a pod that was planned is bound; nil means nobody wants to know. It must be quick.
	Bound func(Binding)

	// Buffers says that somebody will say what buffers there are, with Keep. Until they were planned for, every node is
	// kept.
	Buffers bool

	// Devices says that claims for dynamic resources are planned, and Sold what a cloud knows of the devices of
	// instance types; see devices.Objects. Without Devices pods that claim any are refused.
	Devices bool
	Sold    func(instanceType string) []*resourcev1.ResourceSlice

	// Nomination is for how long a planned pod keeps its place on a node that is ready.
	// 0 means 20 s, twice the longest batch window.
	Nomination time.Duration
}

const (
	defaultNomination = 20 * time.Second

	// believeFor is how long a created claim counts that no informer has shown.
	believeFor = 2 * time.Minute
)

// New makes an empty Mirror.
func New(o Options) *Mirror { return newMirror(o, objects.CompactSlack) }

// newMirror is New with objects.NewStore's compactAt.
func newMirror(o Options, compactAt int) *Mirror {
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.Nomination == 0 {
		o.Nomination = defaultNomination
	}
	world := translate.WorldOf(
		translate.Objects{Defaults: o.Defaults, Aliases: o.Aliases, OwnDeletionCosts: o.OwnDeletionCosts},
	)
	m := &Mirror{clock: o.Clock, nomination: o.Nomination, bound: o.Bound}
	m.picture = picture{
		pools:    newNodePools(o.Aliases),
		book:     promises.NewBook(),
		sheet:    cut.NewSheet(),
		held:     objects.Index[string, shape.PodID]{},
		dirty:    map[string]struct{}{},
		refused:  newRefusals(),
		reserved: map[string]struct{}{},
		virtual:  standIns{},
		seated:   !o.Buffers,
	}
	if o.Devices {
		m.devices = objects.NewInventory(o.Sold)
		world.PlanDevices = true
	}
	m.facts = objects.NewStore(&world, compactAt)
	return m
}

// Snapshot cuts a Snapshot of the cluster as it is known now. Claims for devices are made amounts outside the lock.
func (m *Mirror) Snapshot() shape.Snapshot {
	now := m.clock.Now()
	m.mu.Lock()
	m.settle(now)
	nodes := m.sheet.Nodes()
	if !m.seated {
		nodes = heldBack(nodes)
	}
	pods := m.sheet.Pods()
	if !m.refused.any() {
		pods = pods[:0:0] // the others need no plan
	}
	pools, types := m.sheet.Pools()
	out := shape.Snapshot{
		Now:        now,
		Revision:   m.rev,
		Classes:    m.facts.Interner.Classes(),
		Profiles:   m.facts.Interner.Profiles(),
		Pods:       pods,
		Nodes:      nodes,
		Pools:      pools,
		Types:      types,
		DaemonSets: m.facts.Daemons,
	}
	world := m.devices.Known(nodes)
	m.mu.Unlock()
	if world == nil {
		return out
	}
	return world.Shape(out)
}

// Devices is what the last Snapshot was shaped by; nil if claims for devices are not planned.
func (m *Mirror) Devices() *devices.World {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.devices.Known(m.sheet.Nodes())
}

// Pod finds the object of a pod; nil if there is none. It must not be changed.
func (m *Mirror) Pod(id shape.PodID) *corev1.Pod {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.facts.Pods[id]; p != nil {
		return p.Object
	}
	return nil
}

// EvictionRank is a pod's place in the order in which drains evict, by the class that plans count it in: what a move
// was found to do is what the drain does.
func (m *Mirror) EvictionRank(pod *corev1.Pod) eviction.Rank {
	m.mu.Lock()
	defer m.mu.Unlock()
	rec, classes := m.facts.Pods[translate.IDOf(pod)], m.facts.Interner.Classes()
	if rec == nil || rec.Object.UID != pod.UID || int(rec.View.Class) >= len(classes) || rec.View.Class < 0 {
		return translate.EvictionRank(pod)
	}
	return eviction.RankOf(classes[rec.View.Class])
}
