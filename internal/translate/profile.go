package translate

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

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
		if p := in.profiles[i]; hasLabels(p.Labels, labels, count) && slices.Equal(p.Taints, taints) {
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

// hasLabels reports whether all of have, which are as many as count, are among some labels.
func hasLabels(have []shape.Label, labels map[string]string, count int) bool {
	if len(have) != count {
		return false
	}
	for _, l := range have {
		if value, ok := labels[l.Key]; !ok || value != l.Value {
			return false
		}
	}
	return true
}
