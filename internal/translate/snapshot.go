package translate

import (
	"cmp"
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/devices"
)

// Objects is a whole cluster.
type Objects struct {
	Pods           []*corev1.Pod
	Nodes          []*corev1.Node
	NodeClaims     []*karpenterv1.NodeClaim
	NodePools      []*karpenterv1.NodePool
	DaemonSets     []*appsv1.DaemonSet
	Namespaces     []*corev1.Namespace
	Claims         []*corev1.PersistentVolumeClaim
	Volumes        []*corev1.PersistentVolume
	StorageClasses []*storagev1.StorageClass
	CSINodes       []*storagev1.CSINode
	LimitRanges    []*corev1.LimitRange
	RuntimeClasses []*nodev1.RuntimeClass

	// Aliases are the cloud's other names of well-known labels; nil if it adds none to those of Kubernetes.
	Aliases karpenterv1.LabelAliases

	// Defaults are kube-scheduler's default spread constraints. Services and Workloads (ReplicaSets, StatefulSets,
	// ReplicationControllers) matter only with them.
	Defaults  []corev1.TopologySpreadConstraint
	Services  []*corev1.Service
	Workloads []runtime.Object

	// OwnDeletionCosts is World's.
	OwnDeletionCosts bool

	// Devices are the cluster's dynamic resources; nil if pods that claim any are refused.
	Devices *devices.World

	// Offers by NodePool. A pool without one cannot launch anything.
	Offers map[string]*Offer

	// Nominated says which unbound pods are planned onto which Node or NodeClaim.
	Nominated map[shape.PodID]string

	// TrustPools takes NodePools as ready that nobody has looked at, as in manifests
	// that were never applied, and all unbound pods as provisionable.
	TrustPools bool
}

// Problem is an object that an API server cannot have accepted, and the field.
type Problem struct {
	Object string // "Pod default/web-1"
	Err    error
}

// Error is the object and what is wrong with it.
func (p Problem) Error() string { return p.Object + ": " + p.Err.Error() }

// Snapshot translates a whole cluster at once, with an Interner of its own.
func Snapshot(o Objects, now time.Time) (shape.Snapshot, []Problem) {
	world := WorldOf(o)
	in := NewInterner(&world)
	return in.Snapshot(o, now)
}

// WorldOf indexes what pods' translation depends on.
func WorldOf(o Objects) World {
	w := World{
		Aliases:        o.Aliases,
		Namespaces:     make(map[string]map[string]string, len(o.Namespaces)),
		Claims:         make(map[types.NamespacedName]*corev1.PersistentVolumeClaim, len(o.Claims)),
		Volumes:        make(map[string]*corev1.PersistentVolume, len(o.Volumes)),
		StorageClasses: make(map[string]*storagev1.StorageClass, len(o.StorageClasses)),
		Kept:           map[types.NamespacedName]map[string]struct{}{},
		Users:          map[types.NamespacedName]int{},
		Disks:          map[Disk]int{},
		LimitRanges:    map[string]map[string]*corev1.LimitRange{},
		RuntimeClasses: make(map[string]*nodev1.RuntimeClass, len(o.RuntimeClasses)),
		Defaults:       o.Defaults,

		OwnDeletionCosts: o.OwnDeletionCosts,
		PlanDevices:      o.Devices != nil,

		Services:  map[string]map[string]map[string]string{},
		Workloads: map[Workload]*metav1.LabelSelector{},
	}
	for _, s := range o.Services {
		w.PutService(s)
	}
	for _, object := range o.Workloads {
		if name, selector, ok := WorkloadOf(object); ok {
			w.Workloads[name] = selector
		}
	}
	for _, l := range o.LimitRanges {
		w.PutLimitRange(l)
	}
	for _, c := range o.RuntimeClasses {
		w.PutRuntimeClass(c)
	}
	for _, n := range o.Namespaces {
		w.Namespaces[n.Name] = n.Labels
	}
	for _, c := range o.Claims {
		w.Claims[types.NamespacedName{Namespace: c.Namespace, Name: c.Name}] = c
	}
	for _, v := range o.Volumes {
		w.PutVolume(v)
	}
	for _, pod := range o.Pods {
		if !Finished(pod) {
			for _, claim := range VolumeClaims(pod) {
				w.Users[types.NamespacedName{Namespace: pod.Namespace, Name: claim}]++
			}
		}
	}
	for _, c := range o.StorageClasses {
		w.StorageClasses[c.Name] = c
	}
	return w
}

// Snapshot translates a whole cluster with the classes that the Interner has. Its World must be
// that of o.
func (in *Interner) Snapshot(o Objects, now time.Time) (shape.Snapshot, []Problem) {
	b := builder{
		in:      in,
		objects: &o,
		now:     now,
		daemons: make(
			map[types.NamespacedName]int32,
			len(o.DaemonSets),
		),
		nodes: map[string]*NodeParts{},
		pods:  map[string][]PodView{},
	}
	b.join()
	b.readPods()
	for _, ds := range o.DaemonSets {
		in.Observe(&ds.Spec.Template.Spec)
	}
	for _, s := range o.Services {
		in.ObserveDefaults(&metav1.LabelSelector{MatchLabels: s.Spec.Selector})
	}
	for _, selector := range in.world.Workloads {
		in.ObserveDefaults(selector)
	}
	b.addDaemonSets()
	b.addPods()
	b.addNodes()
	b.addWaiting()
	b.addPools()
	slices.SortFunc(b.out.Pods, comparePods)
	b.out.Now = now
	b.out.Classes, b.out.Profiles = in.Classes(), in.Profiles()
	if o.Devices != nil {
		b.out = o.Devices.Shape(b.out)
	}
	return b.out, b.problems
}

// builder holds a one-shot translation while it is under way.
type builder struct {
	in      *Interner
	objects *Objects
	now     time.Time

	daemons map[types.NamespacedName]int32 // index into out.DaemonSets
	nodes   map[string]*NodeParts          // by Name
	target  map[string]string              // a Node's or NodeClaim's name to NodeParts.Name
	pods    map[string][]PodView           // by NodeParts.Name
	used    map[string]shape.Vector
	count   map[string]int64

	parts   []part // of Objects.Pods
	waiting []*corev1.Pod

	out      shape.Snapshot
	problems []Problem
}

func (b *builder) problem(object string, err error) {
	if err != nil {
		b.problems = append(b.problems, Problem{object, err})
	}
}

func (b *builder) addDaemonSets() {
	sorted := slices.SortedFunc(slices.Values(b.objects.DaemonSets), func(x, y *appsv1.DaemonSet) int {
		return cmp.Compare(x.Namespace+"/"+x.Name, y.Namespace+"/"+y.Name)
	})
	for _, ds := range sorted {
		name := ds.Namespace + "/" + ds.Name
		pod, err := b.in.world.DaemonPod(ds)
		if err != nil {
			b.problem("DaemonSet "+name, err)
			continue
		}
		class, err := b.in.Class(pod)
		b.problem("DaemonSet "+name, err)
		b.daemons[types.NamespacedName{Namespace: ds.Namespace, Name: ds.Name}] = int32(len(b.out.DaemonSets))
		b.out.DaemonSets = append(b.out.DaemonSets, shape.DaemonSet{Name: name, Class: class})
	}
}

// join finds out which Node is which NodeClaim's.
func (b *builder) join() {
	csi := map[string]*storagev1.CSINode{}
	for _, c := range b.objects.CSINodes {
		csi[c.Name] = c
	}
	b.target = map[string]string{}
	byID := map[string]*NodeParts{}
	nodes := slices.SortedFunc(
		slices.Values(b.objects.Nodes),
		func(x, y *corev1.Node) int { return cmp.Compare(x.Name, y.Name) },
	)
	for _, n := range nodes {
		p := &NodeParts{Name: n.Name, Node: n, CSI: csi[n.Name], Daemons: b.daemons}
		b.nodes[n.Name] = p
		if id := n.Spec.ProviderID; id != "" && byID[id] == nil {
			byID[id] = p
		}
	}
	claims := slices.SortedFunc(
		slices.Values(b.objects.NodeClaims),
		func(x, y *karpenterv1.NodeClaim) int { return cmp.Compare(x.Name, y.Name) },
	)
	for _, c := range claims {
		p := byID[c.Status.ProviderID]
		if c.Status.ProviderID == "" || p == nil || p.Claim != nil {
			p = &NodeParts{Name: c.Name, Daemons: b.daemons}
			if b.nodes[c.Name] != nil {
				p.Name = ClaimOnlyName(c.Name)
			}
			b.nodes[p.Name] = p
		}
		p.Claim = c
		p.Offer = b.objects.Offers[c.Labels[karpenterv1.NodePoolLabelKey]]
		b.target[c.Name] = p.Name
	}
	for name := range b.nodes {
		if _, taken := b.target[name]; !taken || b.nodes[name].Node != nil {
			b.target[name] = name
		}
	}
}

// ClaimOnlyName names a claim that has no Node while a Node of another claim has its name.
func ClaimOnlyName(claim string) string { return "nodeclaim/" + claim }

// addWaiting adds the pods that kube-scheduler has still to try: only when some pod needs a place for certain.
func (b *builder) addWaiting() {
	if len(b.out.Pods) == 0 {
		return
	}
	for _, pod := range b.waiting {
		view, err := b.in.Pod(pod, b.now)
		if err != nil {
			b.problem("Pod "+string(view.ID), err)
		}
		view.Role = shape.Movable
		b.out.Pods = append(b.out.Pods, view.Pod)
	}
}

func (b *builder) wanted(pod *corev1.Pod) bool {
	if b.objects.TrustPools && pod.Spec.NodeName == "" && len(pod.Status.Conditions) == 0 {
		return pod.DeletionTimestamp == nil && len(pod.Spec.SchedulingGates) == 0
	}
	return Provisionable(pod)
}

// placeOf is the NodeParts.Name on which a pod holds room, empty for none.
func (b *builder) placeOf(pod *corev1.Pod) string {
	if pod.Spec.NodeName != "" {
		if b.nodes[pod.Spec.NodeName] == nil || b.nodes[pod.Spec.NodeName].Node == nil {
			return ""
		}
		return pod.Spec.NodeName
	}
	if pod.DeletionTimestamp != nil || pod.Status.NominatedNodeName == "" && len(b.objects.Nominated) == 0 {
		return ""
	}
	for _, name := range []string{pod.Status.NominatedNodeName, b.objects.Nominated[IDOf(pod)]} {
		if p := b.nodes[b.target[name]]; name != "" && p != nil && stageOf(*p) != shape.Leaving {
			return p.Name
		}
	}
	return ""
}

func (b *builder) addNodes() {
	b.used, b.count = map[string]shape.Vector{}, map[string]int64{}
	b.out.Nodes = make([]*shape.Node, 0, len(b.nodes))
	for _, name := range slices.Sorted(maps.Keys(b.nodes)) {
		p := b.nodes[name]
		p.Pods = b.pods[name]
		view := b.in.Node(*p)
		b.out.Nodes = append(b.out.Nodes, view.Node)
		b.out.Pods = append(b.out.Pods, view.Displaced...)
		if view.CountsIn != "" {
			b.used[view.CountsIn] = b.used[view.CountsIn].Add(view.Capacity)
			b.count[view.CountsIn]++
		}
	}
}

func (b *builder) addPools() {
	pools := slices.SortedFunc(
		slices.Values(b.objects.NodePools),
		func(x, y *karpenterv1.NodePool) int { return cmp.Compare(x.Name, y.Name) },
	)
	var table TypeTable
	for _, np := range pools {
		p, err := Pool(np, b.objects.Aliases)
		if err != nil {
			b.problem("NodePool "+np.Name, err)
		}
		offer := b.objects.Offers[np.Name]
		why := NotReady(np)
		if b.objects.TrustPools && len(np.Status.Conditions) == 0 {
			why = unfit(np)
		}
		p.NotReady = cmp.Or(p.NotReady, why, offer.Trouble())
		b.out.Pools = append(b.out.Pools, WithUse(p, b.count[np.Name], b.used[np.Name], table.Add(offer)))
	}
	b.out.Types = table.Types
}

// Trouble is why nothing can be launched; empty if it can. A nil Offer is one nobody has asked for.
func (o *Offer) Trouble() string {
	if o == nil {
		return "its instance types are not known yet"
	}
	return o.NotReady
}

// TypeTable collects the instance types of several pools, each once.
type TypeTable struct {
	Types []*shape.InstanceType

	index map[*shape.InstanceType]int32
}

// Add returns the indexes of an offer's types, ascending.
func (t *TypeTable) Add(o *Offer) []int32 {
	if o == nil || len(o.Types) == 0 {
		return nil
	}
	if t.index == nil {
		t.index = make(map[*shape.InstanceType]int32, len(o.Types))
	}
	out := make([]int32, 0, len(o.Types))
	for _, it := range o.Types {
		i, ok := t.index[it]
		if !ok {
			i = int32(len(t.Types))
			t.Types = append(t.Types, it)
			t.index[it] = i
		}
		out = append(out, i)
	}
	slices.Sort(out)
	return out
}
