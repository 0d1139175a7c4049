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

	seed    maphash.Seed
	scratch []shape.Amount

	classes []*shape.Class
	known   []exemplar       // by class
	byHash  map[uint64]int32 // the newest class of each digest; older ones by exemplar.next

	selectsNamespaces bool

	profiles  []*shape.Profile
	byProfile map[uint64][]int32
}

// exemplar is the pod that a class was made from, to compare others with.
type exemplar struct {
	namespace string
	labels    map[string]string
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
func (in *Interner) Reset() { clear(in.byHash) }

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
		in.observed[key] = struct{}{}
	}
	for i := range s.MatchExpressions {
		in.observed[s.MatchExpressions[i].Key] = struct{}{}
	}
}

func (in *Interner) observeKeys(keys []string) {
	for _, key := range keys {
		in.observed[key] = struct{}{}
	}
}

// Class is the index of a pod's class. The error names a field that no API server accepts;
// the class is then one that refuses new nodes.
func (in *Interner) Class(pod *corev1.Pod) (int32, error) {
	requests := requestsOf(pod, in.scratch)
	in.scratch = requests.Extended[:0]
	volumes, problem := in.volumesOf(pod)
	deduced := in.deduced(pod)

	d := digest{seed: in.seed}
	d.text(pod.Namespace)
	labels := in.digestLabels(&d, pod.Labels)
	d.vector(&requests)
	d.spec(&pod.Spec)
	d.volumes(volumes)
	d.requirements(deduced)

	head, found := in.byHash[d.sum]
	if !found {
		head = -1
	}
	for i := head; i >= 0; i = in.known[i].next {
		if in.same(i, pod, labels, &requests, volumes) && sameRequirements(in.known[i].deduced, deduced) {
			return i, in.known[i].problem
		}
	}
	return in.add(d.sum, pod, requests, exemplar{pod.Namespace, pod.Labels, &pod.Spec, volumes, deduced, problem, head})
}

// digestLabels adds up the observed labels and counts them.
func (in *Interner) digestLabels(d *digest, labels map[string]string) (count int) {
	if len(in.observed) == 0 {
		return 0
	}
	var all uint64
	for key, value := range labels {
		if _, ok := in.observed[key]; ok {
			all += d.pair(key, value)
			count++
		}
	}
	d.word(all)
	return count
}

func (in *Interner) same(i int32, pod *corev1.Pod, labels int, requests *shape.Vector, volumes *volumeNeeds) bool {
	c, e := in.classes[i], &in.known[i]
	if e.namespace != pod.Namespace || c.Buffer != Virtual(pod) || labels != len(c.Labels) || !sameVector(&c.Requests, requests) {
		return false
	}
	for _, l := range c.Labels {
		if value, ok := pod.Labels[l.Key]; !ok || value != l.Value {
			return false
		}
	}
	return sameVolumes(e.volumes, volumes) && sameSpec(e.spec, &pod.Spec)
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

// add makes a class of a pod that is like none before.
func (in *Interner) add(sum uint64, pod *corev1.Pod, requests shape.Vector, e exemplar) (int32, error) {
	requests.Extended = slices.Clone(requests.Extended)
	if len(requests.Extended) == 0 {
		requests.Extended = nil
	}
	var labels []shape.Label
	for key, value := range pod.Labels {
		if _, ok := in.observed[key]; ok {
			labels = append(labels, shape.Label{Key: key, Value: value})
		}
	}
	slices.SortFunc(labels, func(a, b shape.Label) int { return cmp.Compare(a.Key, b.Key) })
	c, err := in.newClass(pod, requests, labels, e.volumes)
	if e.problem != nil {
		c.Refused = e.problem.Error()
	} else {
		e.problem = err
	}
	in.addDefaults(c, e.deduced)
	i := int32(len(in.classes))
	in.classes = append(in.classes, c)
	in.known = append(in.known, e)
	in.byHash[sum] = i
	return i, e.problem
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
