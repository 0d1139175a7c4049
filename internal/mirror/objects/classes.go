package objects

import (
	"cmp"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// Settle brings the classes of pods and the list of DaemonSets up to date. It reports whether every machine must be
// made anew: the numbers of classes or of DaemonSets have changed.
func (s *Store) Settle() (all bool) {
	if len(s.Interner.Classes()) > s.compactAt {
		s.compact()
		all = true
	}
	switch {
	case s.stale.classes:
		s.retranslateAll()
		s.stale.daemons = true
	case s.stale.volumes:
		for claim := range s.names.byClaim {
			s.retranslateUsers(claim)
		}
	default:
		for claim := range s.stale.users {
			s.retranslateUsers(claim)
		}
	}
	if s.stale.daemons {
		all = s.settleDaemons() || all
	}
	s.stale.classes, s.stale.volumes, s.stale.daemons = false, false, false
	clear(s.stale.users)
	return all
}

// compact begins a new table of classes, without those that no pod has any more.
func (s *Store) compact() {
	s.Interner = translate.NewInterner(s.World)
	for _, pod := range s.Pods {
		s.Interner.Observe(&pod.Object.Spec)
	}
	for _, ds := range s.daemonSets {
		s.Interner.Observe(&ds.Spec.Template.Spec)
	}
	for _, services := range s.World.Services {
		for _, selector := range services {
			s.Interner.ObserveDefaults(&metav1.LabelSelector{MatchLabels: selector})
		}
	}
	for _, selector := range s.World.Workloads {
		s.Interner.ObserveDefaults(selector)
	}
	s.retranslateAll()
	s.stale.daemons, s.stale.classes = true, false
	s.compactAt = 2*len(s.Interner.Classes()) + CompactSlack
}

// settleDaemons reports whether the indexes of DaemonSets have changed.
func (s *Store) settleDaemons() bool {
	sorted := slices.SortedFunc(maps.Values(s.daemonSets), func(a, b *appsv1.DaemonSet) int {
		return cmp.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	index := make(map[types.NamespacedName]int32, len(sorted))
	s.Daemons = make([]shape.DaemonSet, 0, len(sorted))
	for _, ds := range sorted {
		pod, err := s.World.DaemonPod(ds)
		if err != nil {
			continue // it has no pods: the server refuses them
		}
		class, _ := s.Interner.Class(pod) // an error is in the class
		index[keyOf(ds)] = int32(len(s.Daemons))
		s.Daemons = append(s.Daemons, shape.DaemonSet{Name: ds.Namespace + "/" + ds.Name, Class: class})
	}
	if maps.Equal(index, s.DaemonIndex) {
		return false
	}
	s.DaemonIndex = index
	return true
}
