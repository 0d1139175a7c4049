package translate

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// kindred is a spec as far as digest.spec looks at it; pods of many sizes share one.
type kindred struct {
	sum  uint64
	spec *corev1.PodSpec // of the first pod
}

// form is all of a pod that makes its class, but for its labels: which of those count is known only when every pod has
// been looked at. Forms can be told before, so that each pod is read once: most of the time goes into waiting for
// memory.
type form struct {
	sum uint64 // digest of all fields
	kin uint64 // digest of spec and namespace

	spec      int32 // index into Interner.specs
	virtual   bool
	namespace string
	requests  shape.Vector
	volumes   *volumeNeeds

	unclear  error // what is wrong with the volumes
	negative error // what is wrong with the requests of the first pod
}

// specOf is the index of specs like a pod's.
func (in *Interner) specOf(spec *corev1.PodSpec) int32 {
	d := digest{seed: in.seed}
	d.spec(spec)
	return in.internSpec(kindred{d.sum, spec})
}

func (in *Interner) internSpec(k kindred) int32 {
	for i := in.bySpec.first(k.sum); i >= 0; i = in.bySpec.next(i) {
		if sameSpec(in.specs[i].spec, k.spec) {
			return i
		}
	}
	in.specs = append(in.specs, k)
	return in.bySpec.add(k.sum)
}

// formOf is the index of a pod's form.
func (in *Interner) formOf(pod *corev1.Pod) int32 {
	f := form{spec: in.specOf(&pod.Spec), virtual: Virtual(pod), namespace: pod.Namespace}
	f.requests = requestsOf(pod, in.scratch)
	in.scratch = f.requests.Extended[:0]
	f.volumes, f.unclear = in.volumesOf(pod)

	d := digest{seed: in.seed, sum: in.specs[f.spec].sum}
	d.text(f.namespace)
	f.kin = d.sum
	d.vector(&f.requests)
	d.volumes(f.volumes)
	f.sum = d.sum
	if i := in.findForm(&f); i >= 0 {
		return i
	}
	f.requests.Extended = slices.Clone(f.requests.Extended)
	if len(f.requests.Extended) == 0 {
		f.requests.Extended = nil
	}
	f.negative = checkRequests(specPath, pod)
	return in.addForm(f)
}

// findForm is the index of a form, -1 if there is none like it yet.
func (in *Interner) findForm(f *form) int32 {
	for i := in.byForm.first(f.sum); i >= 0; i = in.byForm.next(i) {
		k := &in.forms[i]
		if k.spec == f.spec && k.virtual == f.virtual && k.namespace == f.namespace &&
			sameVector(
				&k.requests,
				&f.requests,
			) && sameVolumes(k.volumes, f.volumes) && sameError(k.unclear, f.unclear) {
			return i
		}
	}
	return -1
}

func (in *Interner) addForm(f form) int32 {
	in.forms = append(in.forms, f)
	return in.byForm.add(f.sum)
}

// adoptForms takes over the forms of another Interner with the same seed and returns which of in's they are, by the
// other's indexes.
func (in *Interner) adoptForms(other *Interner) []int32 {
	specs := make([]int32, len(other.specs))
	for i, k := range other.specs {
		specs[i] = in.internSpec(k)
	}
	out := make([]int32, len(other.forms))
	for i, f := range other.forms {
		f.spec = specs[f.spec]
		if out[i] = in.findForm(&f); out[i] < 0 {
			out[i] = in.addForm(f)
		}
	}
	return out
}

func sameVector(a, b *shape.Vector) bool {
	return a.CPU == b.CPU && a.Memory == b.Memory && a.Ephemeral == b.Ephemeral && a.Pods == b.Pods &&
		slices.Equal(a.Extended, b.Extended)
}

func sameVolumes(a, b *volumeNeeds) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.refused == b.refused && slices.Equal(a.attach, b.attach) &&
		slices.EqualFunc(a.terms, b.terms, require.SameTerm) &&
		slices.EqualFunc(a.bindings, b.bindings, sameBinding)
}

func sameBinding(a, b shape.Binding) bool {
	sameSlot := func(x, y shape.Slot) bool {
		return x.Volume == y.Volume && slices.EqualFunc(x.Terms, y.Terms, require.SameTerm)
	}
	return a.Claim == b.Claim && a.Once == b.Once && a.Made == b.Made && a.Key == b.Key &&
		slices.EqualFunc(a.Slots, b.Slots, sameSlot) && slices.EqualFunc(a.Terms, b.Terms, require.SameTerm)
}

func sameError(a, b error) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.Error() == b.Error()
}
