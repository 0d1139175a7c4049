package mirror

import (
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/eviction"
	"github.com/dovetail-sh/dovetail/engine/shape"
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

// picture is the state. All its methods need Mirror.mu held.
type picture struct {
	rev uint64 // +1 on every change

	// The objects, as they were last seen.
	pods       map[shape.PodID]*pod
	nodes      map[string]*corev1.Node
	claims     map[string]*karpenterv1.NodeClaim
	pools      map[string]*pool
	daemonSets map[types.NamespacedName]*appsv1.DaemonSet
	csiNodes   map[string]*storagev1.CSINode
	world      translate.World

	// Indexes over them.
	nodesByID      map[string]names
	claimsByID     map[string]names
	refs           map[string]map[shape.PodID]struct{} // pods by the nodes and claims that they name
	users          map[types.NamespacedName]map[shape.PodID]struct{}
	claimsByVolume map[string]map[types.NamespacedName]struct{}

	devices inventory

	// What was made of them.
	in      *translate.Interner
	slots   map[string]*slot  // by shape.Node.Name
	slotOf  map[string]string // claim to slot
	used    map[string]use    // by pool
	daemons []shape.DaemonSet // ascending by name
	daemon  map[types.NamespacedName]int32

	virtual map[shape.PodID]struct{} // stand-ins of buffers, among pods
	kept    bool                     // somebody has said which buffers there are
	seated  bool                     // and they were planned for since

	nominated map[shape.PodID]nomination
	promised  map[shape.PodID]promise
	reserved  map[string]struct{}  // nodes with the taint that keeps them for a plan
	expected  map[string]time.Time // claims that no informer has shown yet, and until when they are believed
	timed     map[shape.PodID]struct{}
	nextTimer time.Time // the earliest at which something ends by itself; zero for never

	stale      stale
	news       []Binding // not told yet
	dirtySlots map[string]struct{}
	loose      map[shape.PodID]shape.Pod // to be placed
	refused    refusals                  // of loose and of those that were planned
	dirtyLoose map[shape.PodID]struct{}
	compactAt  int

	// What the last Snapshot was cut from; shared with it.
	cutPods  []shape.Pod
	cutNodes []*shape.Node
	cutPools []*shape.Pool
	cutTypes []*shape.InstanceType
}

// stale says which parts must be made anew before the next Snapshot.
type stale struct {
	everything bool                              // the interner with all that came of it
	classes    bool                              // all pods' classes
	volumes    bool                              // the classes of pods with volume claims
	users      map[types.NamespacedName]struct{} // claims whose users' classes are
	daemons    bool
	pools      bool
	types      bool
}

// pod is one pod and what was made of it.
type pod struct {
	object *corev1.Pod
	view   translate.PodView
	slot   string // where it holds room, empty for nowhere
}

// pool is one NodePool and what was made of it.
type pool struct {
	object *karpenterv1.NodePool
	offer  *translate.Offer
	shape  *shape.Pool
	types  []int32
}

// slot is one shape.Node and what it is made from.
type slot struct {
	node  *corev1.Node
	claim *karpenterv1.NodeClaim
	pods  map[shape.PodID]struct{}
	view  translate.NodeView
}

// use is what the nodes of a pool have together.
type use struct {
	nodes int64
	sum   shape.Vector
}

type nomination struct {
	target string    // a node or a claim
	until  time.Time // zero while the target is not ready, and for stand-ins of buffers
}

// names is a set of object names.
type names map[string]struct{}

// first is the least name, empty if there is none.
func (n names) first() string {
	least := ""
	for name := range n {
		if least == "" || name < least {
			least = name
		}
	}
	return least
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

	// compactSlack is how many classes that no pod has are put up with.
	compactSlack = 4096
)

// New makes an empty Mirror.
func New(o Options) *Mirror {
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.Nomination == 0 {
		o.Nomination = defaultNomination
	}
	m := &Mirror{clock: o.Clock, nomination: o.Nomination, bound: o.Bound}
	m.picture = picture{
		pods:       map[shape.PodID]*pod{},
		nodes:      map[string]*corev1.Node{},
		claims:     map[string]*karpenterv1.NodeClaim{},
		pools:      map[string]*pool{},
		daemonSets: map[types.NamespacedName]*appsv1.DaemonSet{},
		csiNodes:   map[string]*storagev1.CSINode{},
		world: translate.WorldOf(
			translate.Objects{Defaults: o.Defaults, Aliases: o.Aliases, OwnDeletionCosts: o.OwnDeletionCosts},
		),

		nodesByID:      map[string]names{},
		claimsByID:     map[string]names{},
		refs:           map[string]map[shape.PodID]struct{}{},
		users:          map[types.NamespacedName]map[shape.PodID]struct{}{},
		claimsByVolume: map[string]map[types.NamespacedName]struct{}{},

		slots:  map[string]*slot{},
		slotOf: map[string]string{},
		used:   map[string]use{},
		daemon: map[types.NamespacedName]int32{},

		virtual:   map[shape.PodID]struct{}{},
		seated:    !o.Buffers,
		nominated: map[shape.PodID]nomination{},
		promised:  map[shape.PodID]promise{},
		reserved:  map[string]struct{}{},
		expected:  map[string]time.Time{},
		timed:     map[shape.PodID]struct{}{},

		dirtySlots: map[string]struct{}{},
		loose:      map[shape.PodID]shape.Pod{},
		refused:    newRefusals(),
		dirtyLoose: map[shape.PodID]struct{}{},
		compactAt:  compactSlack,
	}
	if o.Devices {
		m.devices = newInventory(o.Sold)
		m.world.PlanDevices = true
	}
	m.in = translate.NewInterner(&m.world)
	return m
}

// Snapshot cuts a Snapshot of the cluster as it is known now. Claims for devices are made amounts outside the lock.
func (m *Mirror) Snapshot() shape.Snapshot {
	now := m.clock.Now()
	m.mu.Lock()
	m.settle(now, m.nomination)
	pods := m.cutPods
	if !m.refused.any() {
		pods = pods[:0:0] // the others need no plan
	}
	nodes := m.cutNodes
	if !m.seated {
		nodes = m.heldBack()
	}
	out := shape.Snapshot{
		Now:        now,
		Revision:   m.rev,
		Classes:    m.in.Classes(),
		Profiles:   m.in.Profiles(),
		Pods:       pods,
		Nodes:      nodes,
		Pools:      m.cutPools,
		Types:      m.cutTypes,
		DaemonSets: m.daemons,
	}
	world := m.devices.known(nodes)
	m.mu.Unlock()
	if world == nil {
		return out
	}
	return world.Shape(out)
}

// Revision grows with every change.
func (m *Mirror) Revision() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rev
}

// Pod finds the object of a pod; nil if there is none. It must not be changed.
func (m *Mirror) Pod(id shape.PodID) *corev1.Pod {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.pods[id]; p != nil {
		return p.object
	}
	return nil
}

// EvictionRank is a pod's place in the order in which drains evict, by the class that plans count it in: what a move
// was found to do is what the drain does.
func (m *Mirror) EvictionRank(pod *corev1.Pod) eviction.Rank {
	m.mu.Lock()
	defer m.mu.Unlock()
	rec, classes := m.pods[translate.IDOf(pod)], m.in.Classes()
	if rec == nil || rec.object.UID != pod.UID || int(rec.view.Class) >= len(classes) || rec.view.Class < 0 {
		return translate.EvictionRank(pod)
	}
	return eviction.RankOf(classes[rec.view.Class])
}

// Pool finds the object of a NodePool; nil if there is none. It must not be changed.
func (m *Mirror) Pool(name string) *karpenterv1.NodePool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.pools[name]; p != nil {
		return p.object
	}
	return nil
}

// Pools lists all NodePools. They must not be changed.
func (m *Mirror) Pools() []*karpenterv1.NodePool {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]*karpenterv1.NodePool, 0, len(m.pools))
	for _, p := range m.pools {
		if p.object != nil {
			out = append(out, p.object)
		}
	}
	return out
}

// Offered is what a cloud last offered to a pool; nil if nobody has asked.
func (m *Mirror) Offered(pool string) *translate.Offer {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.pools[pool]; p != nil {
		return p.offer
	}
	return nil
}
