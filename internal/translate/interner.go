package translate

import (
	"hash/maphash"
	"slices"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// World is what else of a cluster the translation of a pod depends on.
type World struct {
	// Aliases are the cloud's other names of well-known labels; nil if it adds none to those of Kubernetes.
	Aliases karpenterv1.LabelAliases

	Namespaces     map[string]map[string]string // labels by name
	Claims         map[types.NamespacedName]*corev1.PersistentVolumeClaim
	Volumes        map[string]*corev1.PersistentVolume
	StorageClasses map[string]*storagev1.StorageClass

	// Kept are the volumes, by name, that are for one claim alone; see PutVolume. Users counts the pods that use a
	// claim, those that have finished left out.
	Kept  map[types.NamespacedName]map[string]struct{}
	Users map[types.NamespacedName]int

	// Disks counts the volumes that stand for a disk, nearly always one; see PutVolume.
	Disks map[Disk]int

	LimitRanges    map[string]map[string]*corev1.LimitRange // by namespace and name
	RuntimeClasses map[string]*nodev1.RuntimeClass

	// OwnDeletionCosts says that the controller itself writes pod-deletion-cost, which then tells nothing of how dear
	// an eviction is.
	OwnDeletionCosts bool

	// PlanDevices says that pods' claims for devices are planned, by whoever knows the devices; else such pods are refused.
	PlanDevices bool

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

	specs  []kindred
	bySpec index
	forms  []form
	byForm index

	classes []*shape.Class
	known   []exemplar // by class
	byHash  index
	byKin   map[uint64]int32 // a class by the digest of all but requests and volumes

	selectsNamespaces bool

	profiles  []*shape.Profile
	byProfile map[uint64][]int32
}

// exemplar is what a class was made from, to compare others with.
type exemplar struct {
	sum     uint64 // digest of the other fields and the observed labels, which are the class's
	form    int32
	deduced []shape.Requirement
	problem error
}

// NewInterner makes an Interner that looks things up in world, which its owner keeps up to date.
func NewInterner(world *World) *Interner {
	return &Interner{
		world:     world,
		observed:  map[string]struct{}{},
		seed:      maphash.MakeSeed(),
		bySpec:    newIndex(),
		byForm:    newIndex(),
		byHash:    newIndex(),
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
	in.byHash.forget()
	clear(in.byKin)
}

// SelectsNamespaces reports whether some class depends on the labels of namespaces.
func (in *Interner) SelectsNamespaces() bool { return in.selectsNamespaces }

// Class is the index of a pod's class. The error names a field that no API server accepts;
// the class is then one that refuses new nodes.
func (in *Interner) Class(pod *corev1.Pod) (int32, error) { return in.class(pod, in.formOf(pod)) }

// class is Class for a pod of that form.
func (in *Interner) class(pod *corev1.Pod, form int32) (int32, error) {
	labels, observed := in.digestLabels(pod.Labels)
	e := exemplar{form: form, deduced: in.deduced(pod)}
	d := digest{seed: in.seed, sum: in.forms[form].sum}
	d.word(labels)
	d.requirements(e.deduced)
	e.sum = d.sum
	for i := in.byHash.first(e.sum); i >= 0; i = in.byHash.next(i) {
		if in.known[i].like(&e) && hasLabels(in.classes[i].Labels, pod.Labels, observed) {
			return i, in.known[i].problem
		}
	}
	kin := digest{seed: in.seed, sum: in.forms[form].kin}
	kin.word(labels)
	c := in.likeKin(kin.sum, &e, pod.Labels, observed)
	if c == nil {
		c, e.problem = in.newClass(pod, &in.forms[form], in.labelsOf(pod.Labels, observed))
		in.addDefaults(c, e.deduced)
		if in.plain(&e) && c.Refused == "" {
			in.byKin[kin.sum] = int32(len(in.classes))
		}
	}
	return in.add(c, e), e.problem
}

// plain exemplars make classes that differ in nothing but spec, namespace, labels and requests.
func (in *Interner) plain(e *exemplar) bool {
	f := &in.forms[e.form]
	return f.unclear == nil && f.negative == nil && f.volumes == nil && len(e.deduced) == 0
}

// likeKin makes a class from one that differs by its requests alone, with which it shares all else; nil if there is
// none.
func (in *Interner) likeKin(kin uint64, e *exemplar, labels map[string]string, observed int) *shape.Class {
	i, found := in.byKin[kin]
	if !found || !in.plain(e) || !hasLabels(in.classes[i].Labels, labels, observed) {
		return nil
	}
	own, other := &in.forms[e.form], &in.forms[in.known[i].form]
	if own.spec != other.spec || own.namespace != other.namespace || own.virtual != other.virtual {
		return nil
	}
	c := *in.classes[i]
	c.Requests = own.requests
	return &c
}

// like compares all but the labels.
func (e *exemplar) like(other *exemplar) bool {
	return e.form == other.form && sameRequirements(e.deduced, other.deduced)
}

// add gives a class that is like none before its index.
func (in *Interner) add(c *shape.Class, e exemplar) int32 {
	in.classes = append(in.classes, c)
	in.known = append(in.known, e)
	return in.byHash.add(e.sum)
}

// fork makes an Interner that knows no forms yet. Forks may tell forms beside each other.
func (in *Interner) fork() *Interner {
	return &Interner{world: in.world, seed: in.seed, bySpec: newIndex(), byForm: newIndex()}
}

// follow makes a fork tell classes, none of which it knows yet, of in's forms by the labels that in observes. Neither
// may change while it does.
func (fork *Interner) follow(in *Interner) {
	fork.observed, fork.keys, fork.specs, fork.forms = in.observed, in.keys, in.specs, in.forms
	fork.byHash, fork.byKin = newIndex(), map[uint64]int32{}
}

// adopt takes over the classes of a fork and returns which of in's they are, by the fork's indexes.
func (in *Interner) adopt(fork *Interner) []int32 {
	out := make([]int32, len(fork.classes))
	for i, c := range fork.classes {
		e := &fork.known[i]
		k := in.byHash.first(e.sum)
		for k >= 0 && !(in.known[k].like(e) && slices.Equal(in.classes[k].Labels, c.Labels)) {
			k = in.byHash.next(k)
		}
		if k < 0 {
			k = in.add(c, *e)
		}
		out[i] = k
	}
	in.selectsNamespaces = in.selectsNamespaces || fork.selectsNamespaces
	return out
}
