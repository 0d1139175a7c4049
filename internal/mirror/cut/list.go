package cut

import (
	"cmp"
	"maps"
	"slices"
)

// list holds elements by key. Its cut has them ascending by key, without those that were put or dropped since settle,
// which dirty names.
type list[K cmp.Ordered, V any] struct {
	now   map[K]V
	dirty map[K]struct{}
	cut   []V // shared with Snapshots
	key   func(*V) K
}

func newList[K cmp.Ordered, V any](key func(*V) K) list[K, V] {
	return list[K, V]{now: map[K]V{}, dirty: map[K]struct{}{}, cut: []V{}, key: key}
}

func (l *list[K, V]) put(k K, v V) {
	l.now[k] = v
	l.dirty[k] = struct{}{}
}

func (l *list[K, V]) drop(k K) {
	if _, ok := l.now[k]; ok {
		delete(l.now, k)
		l.dirty[k] = struct{}{}
	}
}

// settle is the elements as they are now, ascending by key. The slice must not be changed.
func (l *list[K, V]) settle() []V {
	if len(l.dirty) == 0 {
		return l.cut
	}
	base, out := l.cut, make([]V, 0, len(l.now))
	for _, k := range slices.Sorted(maps.Keys(l.dirty)) {
		at, found := slices.BinarySearchFunc(base, k, func(e V, k K) int { return cmp.Compare(l.key(&e), k) })
		out = append(out, base[:at]...)
		if found {
			at++
		}
		base = base[at:]
		if e, ok := l.now[k]; ok {
			out = append(out, e)
		}
	}
	clear(l.dirty)
	out = append(out, base...)
	l.cut = out
	return out
}
