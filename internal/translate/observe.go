package translate

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

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
		in.observeTerms(
			a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution,
			a.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution,
		)
	}
	if a := spec.Affinity; a != nil && a.PodAntiAffinity != nil {
		in.observeTerms(
			a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution,
			a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution,
		)
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

// fewKeys is up to how many observed labels are looked up one by one, which is quicker than to go through a map.
const fewKeys = 8

// digestLabels sums up the observed labels and counts them.
func (in *Interner) digestLabels(labels map[string]string) (sum uint64, count int) {
	if len(in.keys) == 0 {
		return 0, 0
	}
	d := digest{seed: in.seed}
	if len(in.keys) <= fewKeys {
		for _, key := range in.keys {
			if value, ok := labels[key]; ok {
				sum += d.pair(key, value)
				count++
			}
		}
	} else {
		for key, value := range labels {
			if _, ok := in.observed[key]; ok {
				sum += d.pair(key, value)
				count++
			}
		}
	}
	return sum, count
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
