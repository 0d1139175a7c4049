package mirror

import (
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// standIns are pods that stand for the room of buffers. No scheduler sees them.
type standIns map[shape.PodID]struct{}

func (s standIns) has(id shape.PodID) bool {
	_, ok := s[id]
	return ok
}

// Buffer is room that is to be kept free.
type Buffer struct {
	Name     types.NamespacedName // of the CapacityBuffer
	Created  metav1.Time
	Template *corev1.PodTemplateSpec // what one pod looks like; must not be changed afterwards
	Pods     int                     // for how many

	// Set is the StatefulSet of which the pods would be the next ones, the first of them with ordinal Next; empty for
	// none.
	Set  string
	Next int
}

// Keep replaces all buffers. Their pods count as pods that wait for a place until Seat gives them one.
func (m *Mirror) Keep(buffers []Buffer) {
	m.mu.Lock()
	var change Change
	wanted := map[shape.PodID]*corev1.Pod{}
	for _, b := range buffers {
		pod := translate.VirtualPod(b.Name, b.Template)
		pod.CreationTimestamp = b.Created
		_ = m.facts.World.Admit(pod) // room is kept for what was asked for, whether or not such a pod may come today
		for i := range b.Pods {
			one := *pod
			one.Name = translate.VirtualName(b.Name.Name, i)
			if b.Set != "" {
				translate.StandFor(&one, b.Set, b.Next+i)
			}
			wanted[translate.IDOf(&one)] = &one
		}
	}
	for _, id := range slices.Sorted(maps.Keys(m.virtual)) {
		if wanted[id] == nil {
			change |= m.dropPod(id)
			delete(m.virtual, id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(wanted)) {
		if m.virtual.has(id) && sameVirtual(m.facts.Pods[id].Object, wanted[id]) {
			continue
		}
		m.virtual[id] = struct{}{}
		change |= m.putPod(wanted[id]) | Wanted
	}
	m.kept = true
	m.rev++
	m.mu.Unlock()
	m.watch.tell(change)
}

func sameVirtual(a, b *corev1.Pod) bool {
	return maps.Equal(a.Labels, b.Labels) && maps.Equal(a.Annotations, b.Annotations) &&
		apiequality.Semantic.DeepEqual(a.Spec, b.Spec)
}

// Seat notes where the last plan has the buffers' pods, by node. Those that are not named wait for a place again.
func (m *Mirror) Seat(where map[shape.PodID]string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seated = m.seated || m.kept
	moved := false
	for id := range m.virtual {
		target := where[id]
		if now, _ := m.book.Target(id); now == target && (target == "" || m.facts.Pods[id].Place != "") {
			continue
		}
		moved = true
		m.cancel(id)
		if target != "" {
			m.nominate(target, []shape.PodID{id}, time.Time{})
		}
	}
	if moved {
		m.rev++
	}
}

// Buffered reports whether there are buffers to be planned for, or may be: nobody has said yet.
func (m *Mirror) Buffered() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.virtual) > 0 || !m.seated
}

// heldBack are the nodes while nobody knows which of them buffers need: none may be given up.
func heldBack(nodes []*shape.Node) []*shape.Node {
	out := make([]*shape.Node, len(nodes))
	for i, n := range nodes {
		held := *n
		if held.Kept == "" {
			held.Kept = "CapacityBuffers have not been planned for yet"
		}
		out[i] = &held
	}
	return out
}
