package disrupt

import (
	"maps"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// own is what was written and is not in the cache yet. Without it a pass right after another would not see the nodes
// which that one chose, and choose others beyond the budget.
type own[T client.Object] map[types.UID]T

// keep remembers an object as the API server answered.
func (o own[T]) keep(written T) { o[written.GetUID()] = written }

// newer is the newer one of what the cache shows and what was written.
func (o own[T]) newer(cached T) T {
	written, ok := o[cached.GetUID()]
	if !ok {
		return cached
	}
	if order, err := resourceversion.CompareResourceVersion(
		cached.GetResourceVersion(),
		written.GetResourceVersion(),
	); err != nil ||
		order >= 0 {
		delete(o, cached.GetUID())
		return cached
	}
	return written.DeepCopyObject().(T) // the caller may change it and fail to write it
}

// forget drops what the cache does not list any more.
func (o own[T]) forget(listed sets.Set[types.UID]) {
	maps.DeleteFunc(o, func(uid types.UID, _ T) bool { return !listed.Has(uid) })
}
