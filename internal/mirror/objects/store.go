package objects

import (
	"maps"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	storagev1 "k8s.io/api/storage/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// CompactSlack is how many classes that no pod has are put up with, beside as many as are in use: a table of classes
// is made anew in time that grows with all pods, so it should happen seldom, and one that is never made anew grows with
// every rollout.
const CompactSlack = 4096

// Store holds objects of all kinds but NodePools. Its exported fields are for reading.
type Store struct {
	*Machines
	Pods     map[shape.PodID]*Pod
	CSINodes map[string]*storagev1.CSINode
	World    *translate.World

	Interner    *translate.Interner
	Daemons     []shape.DaemonSet // ascending by name, as of the last Settle
	DaemonIndex map[types.NamespacedName]int32

	daemonSets     map[types.NamespacedName]*appsv1.DaemonSet
	names          podIndex
	claimsByVolume Index[string, types.NamespacedName]

	stale     stale
	changed   map[shape.PodID]struct{} // pods whose view is new, until Changed
	holds     holds
	compactAt int // with how many classes the table is made anew
}

// stale says which parts must be made anew by Settle.
type stale struct {
	classes bool                              // all pods' classes
	volumes bool                              // the classes of pods with volume claims
	users   map[types.NamespacedName]struct{} // claims whose users' classes are
	daemons bool
}

// NewStore makes an empty Store. The world is its own from then on. With more than compactAt classes their table is
// made anew; see CompactSlack.
func NewStore(world *translate.World, compactAt int) *Store {
	return &Store{
		Machines: NewMachines(),
		Pods:     map[shape.PodID]*Pod{},
		CSINodes: map[string]*storagev1.CSINode{},
		World:    world,

		Interner:    translate.NewInterner(world),
		DaemonIndex: map[types.NamespacedName]int32{},

		daemonSets: map[types.NamespacedName]*appsv1.DaemonSet{},
		names: podIndex{
			byNode:  Index[string, shape.PodID]{},
			byClaim: Index[types.NamespacedName, shape.PodID]{},
		},
		claimsByVolume: Index[string, types.NamespacedName]{},

		stale:     stale{users: map[types.NamespacedName]struct{}{}},
		changed:   map[shape.PodID]struct{}{},
		holds:     holds{until: map[shape.PodID]time.Time{}},
		compactAt: compactAt,
	}
}

// Class is the class of a pod.
func (s *Store) Class(pod *Pod) *shape.Class { return s.Interner.Classes()[pod.View.Class] }

// Put notes an object that classes follow from: all kinds but those of machines and pods. It reports whether the kind
// is one of those.
func (s *Store) Put(object client.Object) (Change, bool) {
	switch o := object.(type) {
	case *appsv1.DaemonSet:
		s.putDaemonSet(o)
		return Room, true
	case *corev1.Namespace:
		return s.putNamespace(o.Name, o.Labels, true), true
	case *corev1.LimitRange:
		s.World.PutLimitRange(o)
		s.stale.daemons = true
	case *nodev1.RuntimeClass:
		s.World.PutRuntimeClass(o)
		s.stale.daemons = true
	case *corev1.PersistentVolumeClaim:
		s.putVolumeClaim(keyOf(o), o)
		return Room, true
	case *corev1.PersistentVolume:
		s.putVolume(o.Name, o)
		return Room, true
	case *storagev1.StorageClass:
		s.World.StorageClasses[o.Name] = o
		s.stale.volumes = true
		return Room, true
	case *corev1.Service:
		s.putService(o)
	case *appsv1.ReplicaSet, *appsv1.StatefulSet, *corev1.ReplicationController:
		s.putWorkload(o)
	default:
		return 0, false
	}
	return 0, true
}

// Drop notes that such an object is gone.
func (s *Store) Drop(object client.Object) (Change, bool) {
	switch o := object.(type) {
	case *appsv1.DaemonSet:
		delete(s.daemonSets, keyOf(o))
		s.stale.daemons = true
		return Room, true
	case *corev1.Namespace:
		return s.putNamespace(o.Name, nil, false), true
	case *corev1.LimitRange:
		delete(s.World.LimitRanges[o.Namespace], o.Name)
		s.stale.daemons = true
	case *nodev1.RuntimeClass:
		delete(s.World.RuntimeClasses, o.Name)
		s.stale.daemons = true
	case *corev1.PersistentVolumeClaim:
		s.putVolumeClaim(keyOf(o), nil)
	case *corev1.PersistentVolume:
		s.putVolume(o.Name, nil)
	case *storagev1.StorageClass:
		delete(s.World.StorageClasses, o.Name)
		s.stale.volumes = true
	case *corev1.Service:
		delete(s.World.Services[o.Namespace], o.Name)
		s.spreadsAnew()
	case *appsv1.ReplicaSet, *appsv1.StatefulSet, *corev1.ReplicationController:
		if name, _, ok := translate.WorkloadOf(o); ok {
			delete(s.World.Workloads, name)
			s.spreadsAnew()
		}
	default:
		return 0, false
	}
	return 0, true
}

func (s *Store) putDaemonSet(ds *appsv1.DaemonSet) {
	key := keyOf(ds)
	old := s.daemonSets[key]
	s.daemonSets[key] = ds
	if old != nil && old.Generation == ds.Generation && old.Generation != 0 {
		return // only counts in its status
	}
	if s.Interner.Observe(&ds.Spec.Template.Spec) {
		s.stale.classes = true
	}
	s.stale.daemons = true
}

func (s *Store) putNamespace(name string, labels map[string]string, exists bool) Change {
	old, known := s.World.Namespaces[name]
	if known == exists && maps.Equal(old, labels) {
		return 0
	}
	if exists {
		s.World.Namespaces[name] = labels
	} else {
		delete(s.World.Namespaces, name)
	}
	if s.Interner.SelectsNamespaces() {
		s.Interner.Reset()
		s.stale.classes = true
	}
	return Room
}

func (s *Store) putService(o *corev1.Service) {
	old, known := s.World.Services[o.Namespace][o.Name]
	s.World.PutService(o)
	if !known || !maps.Equal(old, o.Spec.Selector) {
		s.respread(&metav1.LabelSelector{MatchLabels: o.Spec.Selector})
	}
}

func (s *Store) putWorkload(o client.Object) {
	name, selector, ok := translate.WorkloadOf(o)
	if !ok {
		return
	}
	old, known := s.World.Workloads[name]
	s.World.Workloads[name] = selector
	if !known || !apiequality.Semantic.DeepEqual(old, selector) {
		s.respread(selector)
	}
}

// respread notes that default spread constraints may follow from another selector now.
func (s *Store) respread(selector *metav1.LabelSelector) {
	if len(s.World.Defaults) > 0 {
		s.Interner.ObserveDefaults(selector)
	}
	s.spreadsAnew()
}

// spreadsAnew has all classes made anew if there are default spread constraints.
func (s *Store) spreadsAnew() { s.stale.classes = s.stale.classes || len(s.World.Defaults) > 0 }

// PutCSINode notes what is known of a node's volume drivers, nil for nothing, and reports whether that is news.
func (s *Store) PutCSINode(name string, csi *storagev1.CSINode) bool {
	old := s.CSINodes[name]
	if csi == nil {
		delete(s.CSINodes, name)
	} else {
		s.CSINodes[name] = csi
	}
	return old == nil || csi == nil || !apiequality.Semantic.DeepEqual(old.Spec, csi.Spec)
}

func keyOf(o client.Object) types.NamespacedName {
	return types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}
}
