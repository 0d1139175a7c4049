package translate

import (
	"cmp"
	"hash/maphash"
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// World is what else of a cluster the translation of a pod depends on.
type World struct {
	Namespaces     map[string]map[string]string // labels by name
	Claims         map[types.NamespacedName]*corev1.PersistentVolumeClaim
	Volumes        map[string]*corev1.PersistentVolume
	StorageClasses map[string]*storagev1.StorageClass
	LimitRanges    map[string]map[string]*corev1.LimitRange // by namespace and name

	// Defaults are the spread constraints that kube-scheduler puts on pods without any; see ReadDefaults. The other
	// two matter only with them.
	Defaults  []corev1.TopologySpreadConstraint
	Services  map[string]map[string]map[string]string // selectors by namespace and name
	Workloads map[Workload]*metav1.LabelSelector
}

// Interner turns pods into classes and nodes into profiles, equal ones into the same. It serves
// for many passes; it is not for use by several goroutines at once.
//
// A class holds the labels that some selector looks at, so every pod must be shown to Observe
// before any pod's Class is asked for, and when Observe reports something new, classes given
// out before are no longer right. The same holds after a change of World, for pods that
// depend on what changed: see Reset.
type Interner struct {
	world    *World
	observed map[string]struct{}
	keys     []string // of observed

	seed    maphash.Seed
	scratch []shape.Amount

	classes []*shape.Class
	known   []exemplar       // by class
	byHash  map[uint64]int32 // the newest class of each digest; older ones by exemplar.next
	byKin   map[uint64]int32 // a class by the digest of all but requests and volumes

	selectsNamespaces bool

	profiles  []*shape.Profile
	byProfile map[uint64][]int32
}

// exemplar is the pod that a class was made from, to compare others with.
type exemplar struct {
	sum       uint64 // digest
	namespace string
	labels    map[string]string
	observed  int // of labels
	virtual   bool
	spec      *corev1.PodSpec
	volumes   *volumeNeeds
	deduced   []shape.Requirement
	problem   error
	next      int32 // another class with the same digest, -1 for none
}

// NewInterner makes an Interner that looks things up in world, which its owner keeps up to date.
func NewInterner(world *World) *Interner {
	return &Interner{
		world:     world,
		observed:  map[string]struct{}{},
		seed:      maphash.MakeSeed(),
		byHash:    map[uint64]int32{},
		byKin:     map[uint64]int32{},
		byProfile: map[uint64][]int32{},
	}
}

// Classes is the table that class indexes point into. It only grows; entries never change.
func (in *Interner) Classes() []*shape.Class { return in.classes[:len(in.classes):len(in.classes)] }

// Profiles is the table that profile indexes point into. It only grows; entries never change.
func (in *Interner) Profiles() []*shape.Profile {
	return in.profiles[:len(in.profiles):len(in.profiles)]
}

// Reset forgets which pods make which class. Classes given out stay valid as values.
func (in *Interner) Reset() {
	clear(in.byHash)
	clear(in.byKin)
}

// SelectsNamespaces reports whether some class depends on the labels of namespaces.
func (in *Interner) SelectsNamespaces() bool { return in.selectsNamespaces }

// Observe notes which labels a pod's selectors look at, and reports whether any is new.
func (in *Interner) Observe(spec *corev1.PodSpec) (grew bool) {
	if len(spec.TopologySpreadConstraints) == 0 && spec.Affinity == nil {
		return false
	}
	before := len(in.observed)
	for i := range spec.TopologySpreadConstraints {
		c := &spec.TopologySpreadConstraints[i]
		in.observeSelector(c.LabelSelector)
		in.observeKeys(c.MatchLabelKeys)
	}
	if a := spec.Affinity; a != nil && a.PodAffinity != nil {
		in.observeTerms(a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution, a.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if a := spec.Affinity; a != nil && a.PodAntiAffinity != nil {
		in.observeTerms(a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution, a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if len(in.observed) == before {
		return false
	}
	in.Reset()
	return true
}

func (in *Interner) observeTerms(required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm) {
	for i := range required {
		in.observeTerm(&required[i])
	}
	for i := range preferred {
		in.observeTerm(&preferred[i].PodAffinityTerm)
	}
}

func (in *Interner) observeTerm(t *corev1.PodAffinityTerm) {
	in.observeSelector(t.LabelSelector)
	in.observeKeys(t.MatchLabelKeys)
	in.observeKeys(t.MismatchLabelKeys)
}

func (in *Interner) observeSelector(s *metav1.LabelSelector) {
	if s == nil {
		return
	}
	for key := range s.MatchLabels {
		in.observe(key)
	}
	for i := range s.MatchExpressions {
		in.observe(s.MatchExpressions[i].Key)
	}
}

func (in *Interner) observeKeys(keys []string) {
	for _, key := range keys {
		in.observe(key)
	}
}

func (in *Interner) observe(key string) {
	if _, known := in.observed[key]; !known {
		in.observed[key] = struct{}{}
		in.keys = append(in.keys, key)
	}
}

// Class is the index of a pod's class. The error names a field that no API server accepts;
// the class is then one that refuses new nodes.
func (in *Interner) Class(pod *corev1.Pod) (int32, error) {
	return in.class(pod, in.digestSpec(&pod.Spec))
}

func (in *Interner) digestSpec(spec *corev1.PodSpec) uint64 {
	d := digest{seed: in.seed}
	d.spec(spec)
	return d.sum
}

// class is Class for a pod whose spec has that digest.
func (in *Interner) class(pod *corev1.Pod, spec uint64) (int32, error) {
	requests := requestsOf(pod, in.scratch)
	in.scratch = requests.Extended[:0]
	e := exemplar{namespace: pod.Namespace, labels: pod.Labels, virtual: Virtual(pod), spec: &pod.Spec}
	e.volumes, e.problem = in.volumesOf(pod)
	e.deduced = in.deduced(pod)

	d := digest{seed: in.seed, sum: spec}
	d.text(pod.Namespace)
	e.observed = in.digestLabels(&d, pod.Labels)
	kin := d.sum
	d.vector(&requests)
	d.volumes(e.volumes)
	d.requirements(e.deduced)
	e.sum = d.sum

	if i := in.find(&e, &requests); i >= 0 {
		return i, in.known[i].problem
	}
	requests.Extended = slices.Clone(requests.Extended)
	if len(requests.Extended) == 0 {
		requests.Extended = nil
	}
	c := in.likeKin(kin, pod, requests, &e)
	if c == nil {
		var err error
		c, err = in.newClass(pod, requests, in.labelsOf(pod.Labels, e.observed), e.volumes)
		if e.problem != nil {
			c.Refused = e.problem.Error()
		} else {
			e.problem = err
		}
		in.addDefaults(c, e.deduced)
		if e.plain() && c.Refused == "" {
			in.byKin[kin] = int32(len(in.classes))
		}
	}
	return in.add(c, e), e.problem
}

// plain exemplars make classes that differ in nothing but what digest.spec looks at, namespace, labels and requests.
func (e *exemplar) plain() bool {
	return e.problem == nil && e.volumes == nil && len(e.deduced) == 0
}

// likeKin makes a class from one that differs by its requests alone, with which it shares all else; nil if there is none.
func (in *Interner) likeKin(kin uint64, pod *corev1.Pod, requests shape.Vector, e *exemplar) *shape.Class {
	i, found := in.byKin[kin]
	if !found || !e.plain() || !in.related(i, e) || checkRequests(specPath, pod) != nil {
		return nil
	}
	c := *in.classes[i]
	c.Requests = requests
	return &c
}

// fewKeys is up to how many observed labels are looked up one by one, which is quicker than to go through a map.
const fewKeys = 8

// digestLabels adds up the observed labels and counts them.
func (in *Interner) digestLabels(d *digest, labels map[string]string) (count int) {
	if len(in.keys) == 0 {
		return 0
	}
	var all uint64
	if len(in.keys) <= fewKeys {
		for _, key := range in.keys {
			if value, ok := labels[key]; ok {
				all += d.pair(key, value)
				count++
			}
		}
	} else {
		for key, value := range labels {
			if _, ok := in.observed[key]; ok {
				all += d.pair(key, value)
				count++
			}
		}
	}
	d.word(all)
	return count
}

// labelsOf lists the observed ones among labels, so many, ascending.
func (in *Interner) labelsOf(labels map[string]string, count int) []shape.Label {
	if count == 0 {
		return nil
	}
	out := make([]shape.Label, 0, count)
	for key, value := range labels {
		if _, ok := in.observed[key]; ok {
			out = append(out, shape.Label{Key: key, Value: value})
		}
	}
	slices.SortFunc(out, func(a, b shape.Label) int { return cmp.Compare(a.Key, b.Key) })
	return out
}

// find is the class of pods like e, -1 if there is none yet.
func (in *Interner) find(e *exemplar, requests *shape.Vector) int32 {
	i, found := in.byHash[e.sum]
	if !found {
		return -1
	}
	for i >= 0 && !in.same(i, e, requests) {
		i = in.known[i].next
	}
	return i
}

func (in *Interner) same(i int32, e *exemplar, requests *shape.Vector) bool {
	k := &in.known[i]
	return sameVector(&in.classes[i].Requests, requests) && sameVolumes(k.volumes, e.volumes) && in.related(i, e) &&
		sameRequirements(k.deduced, e.deduced)
}

// related reports whether a class is that of pods like e, requests and volumes aside.
func (in *Interner) related(i int32, e *exemplar) bool {
	k := &in.known[i]
	if k.namespace != e.namespace || k.virtual != e.virtual || k.observed != e.observed {
		return false
	}
	for _, l := range in.classes[i].Labels {
		if value, ok := e.labels[l.Key]; !ok || value != l.Value {
			return false
		}
	}
	return sameSpec(k.spec, e.spec)
}

func sameVector(a, b *shape.Vector) bool {
	return a.CPU == b.CPU && a.Memory == b.Memory && a.Ephemeral == b.Ephemeral && a.Pods == b.Pods &&
		slices.Equal(a.Extended, b.Extended)
}

func sameVolumes(a, b *volumeNeeds) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.refused == b.refused && slices.Equal(a.attach, b.attach) && slices.EqualFunc(a.terms, b.terms, sameTerm)
}

// add gives a class that is like none before its index.
func (in *Interner) add(c *shape.Class, e exemplar) int32 {
	i := int32(len(in.classes))
	e.next = -1
	if older, found := in.byHash[e.sum]; found {
		e.next = older
	}
	in.classes = append(in.classes, c)
	in.known = append(in.known, e)
	in.byHash[e.sum] = i
	return i
}

// fork makes an Interner that looks at the same labels and knows no classes yet. Several forks may be at work at once,
// while in is left alone.
func (in *Interner) fork() *Interner {
	return &Interner{world: in.world, observed: in.observed, keys: in.keys, seed: in.seed, byHash: map[uint64]int32{}, byKin: map[uint64]int32{}}
}

// adopt takes over the classes of a fork and returns which of in's they are, by the fork's indexes.
func (in *Interner) adopt(fork *Interner) []int32 {
	out := make([]int32, len(fork.classes))
	for i, c := range fork.classes {
		e := &fork.known[i]
		if out[i] = in.find(e, &c.Requests); out[i] < 0 {
			out[i] = in.add(c, *e)
		}
	}
	in.selectsNamespaces = in.selectsNamespaces || fork.selectsNamespaces
	return out
}

// Profile is the index of the profile with these labels and taints. Both may come in any order;
// the hostname is left out.
func (in *Interner) Profile(labels map[string]string, taints []shape.Taint) int32 {
	d := digest{seed: in.seed}
	var all uint64
	count := 0
	for key, value := range labels {
		if key != shape.LabelHostname {
			all += d.pair(key, value)
			count++
		}
	}
	d.word(all)
	slices.SortFunc(taints, compareTaints)
	taints = slices.Compact(taints)
	for _, t := range taints {
		d.text(t.Key)
		d.text(t.Value)
		d.word(uint64(t.Effect))
	}
	for _, i := range in.byProfile[d.sum] {
		if p := in.profiles[i]; sameLabels(p.Labels, labels, count) && slices.Equal(p.Taints, taints) {
			return i
		}
	}
	p := &shape.Profile{Labels: make([]shape.Label, 0, count)}
	for _, l := range shape.LabelsOf(labels) {
		if l.Key != shape.LabelHostname {
			p.Labels = append(p.Labels, l)
		}
	}
	if len(taints) > 0 {
		p.Taints = slices.Clone(taints)
	}
	i := int32(len(in.profiles))
	in.profiles = append(in.profiles, p)
	in.byProfile[d.sum] = append(in.byProfile[d.sum], i)
	return i
}

func compareTaints(a, b shape.Taint) int {
	return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Value, b.Value), cmp.Compare(a.Effect, b.Effect))
}

func sameLabels(have []shape.Label, want map[string]string, count int) bool {
	if len(have) != count {
		return false
	}
	for _, l := range have {
		if value, ok := want[l.Key]; !ok || value != l.Value {
			return false
		}
	}
	return true
}
