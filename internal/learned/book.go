package learned

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// atMost is how many nodes of a type are remembered, the newest: one that was wrong by chance is forgotten in the end.
const atMost = 8

// Book is what is known of the room on nodes, by node class and instance type. It is safe for use by many goroutines.
type Book struct {
	mu      sync.Mutex // guards the fields below
	seen    map[subject][]sighting
	changes uint64
	answers map[karpenterv1.NodeClassReference]answer
}

// subject is what a fact is about.
type subject struct {
	class        karpenterv1.NodeClassReference
	instanceType string
}

// sighting is one node.
type sighting struct {
	claim   types.UID
	created time.Time
	image   string
	stamp   map[string]string // the claim's annotations
	room    room
}

// room is what a node has, of those resources that it has told.
type room struct{ capacity, allocatable shape.Vector }

// answer is what Apply made of a list of types.
type answer struct {
	changes uint64
	stamp   map[string]string
	given   []*shape.InstanceType
	out     []*shape.InstanceType
}

// NewBook makes an empty Book.
func NewBook() *Book {
	return &Book{seen: map[subject][]sighting{}, answers: map[karpenterv1.NodeClassReference]answer{}}
}

// Note takes down what the node of a claim has. It may be called as often as the node changes: the last word counts. It
// does nothing before the node has told its allocatable, and returns whether anything is known now that was not.
func (b *Book) Note(claim *karpenterv1.NodeClaim, node *corev1.Node) bool {
	ref, instanceType := claim.Spec.NodeClassRef, claim.Labels[corev1.LabelInstanceTypeStable]
	have := room{translate.Offered(node.Status.Capacity), translate.Offered(node.Status.Allocatable)}
	if ref == nil || instanceType == "" || have.allocatable.CPU <= 0 || have.allocatable.Memory <= 0 {
		return false
	}
	s := sighting{
		claim:   claim.UID,
		created: claim.CreationTimestamp.Time,
		image:   claim.Status.ImageID,
		stamp:   stampOf(claim),
		room:    have,
	}
	of := subject{*ref, instanceType}
	b.mu.Lock()
	defer b.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(b.seen[of]), func(o sighting) bool { return o.claim == s.claim })
	list = append(list, s)
	slices.SortFunc(
		list,
		func(a, b sighting) int { return cmp.Or(b.created.Compare(a.created), cmp.Compare(a.claim, b.claim)) },
	)
	newest := list[0]
	list = slices.DeleteFunc(
		list,
		func(o sighting) bool { return o.image != newest.image || !maps.Equal(o.stamp, newest.stamp) },
	)
	list = list[:min(len(list), atMost)]
	if slices.EqualFunc(list, b.seen[of], sighting.same) {
		return false
	}
	b.seen[of] = list
	b.changes++
	return true
}

func (s sighting) same(o sighting) bool {
	return s.claim == o.claim && s.image == o.image && maps.Equal(s.stamp, o.stamp) &&
		equal(s.room.capacity, o.room.capacity) &&
		equal(s.room.allocatable, o.room.allocatable)
}

func equal(a, b shape.Vector) bool { return a.Sub(b).IsZero() }

// stampOf is what a claim was stamped with at its launch: hashes of the settings that its machine has.
func stampOf(claim *karpenterv1.NodeClaim) map[string]string {
	out := map[string]string{}
	for key, value := range claim.Annotations {
		if strings.Contains(key, "nodeclass-hash") {
			out[key] = value
		}
	}
	return out
}

// Apply is a cloud's list of types for a node class, in which each has no more room than the least of the last nodes
// had. Facts from machines with other settings than the class's stamp say count for nothing, for theirs may be what was
// mended. The list given is not changed, and the same list gives the same answer until something is learned.
func (b *Book) Apply(
	ref karpenterv1.NodeClassReference,
	stamp map[string]string,
	list []*shape.InstanceType,
) []*shape.InstanceType {
	b.mu.Lock()
	defer b.mu.Unlock()
	if known, ok := b.answers[ref]; ok && known.changes == b.changes && maps.Equal(known.stamp, stamp) &&
		identical(known.given, list) {
		return known.out
	}
	out := list
	for i, it := range list {
		lesser := b.lessen(ref, stamp, it)
		if lesser == it {
			continue
		}
		if identical(out, list) {
			out = slices.Clone(list)
		}
		out[i] = lesser
	}
	b.answers[ref] = answer{b.changes, maps.Clone(stamp), list, out}
	return out
}

func identical(a, b []*shape.InstanceType) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// lessen is the type as its nodes turned out, or the same one if that is how they did. b.mu is held.
func (b *Book) lessen(
	ref karpenterv1.NodeClassReference,
	stamp map[string]string,
	it *shape.InstanceType,
) *shape.InstanceType {
	out := it
	for _, s := range b.seen[subject{ref, it.Name}] {
		if !current(s.stamp, stamp) {
			continue
		}
		capacity, allocatable := least(out.Capacity, s.room.capacity), least(out.Allocatable, s.room.allocatable)
		lesser := *out
		lesser.Capacity, lesser.Allocatable = capacity, allocatable
		lesser.Offerings = slices.Clone(out.Offerings)
		changed := !equal(capacity, out.Capacity) || !equal(allocatable, out.Allocatable)
		for i := range lesser.Offerings {
			if own := lesser.Offerings[i].Allocatable; own != nil {
				v := least(*own, s.room.allocatable)
				changed = changed || !equal(v, *own)
				lesser.Offerings[i].Allocatable = &v
			}
		}
		if changed {
			out = &lesser
		}
	}
	return out
}

// current reports whether a machine was launched with the settings that hold now.
func current(had, now map[string]string) bool {
	for key, value := range had {
		if want, ok := now[key]; ok && want != value {
			return false
		}
	}
	return true
}

// least is what was planned, or what there is where that is less. Of resources that a node does not tell nothing is
// learned: their device plugin may not run where nobody asks for them.
func least(planned, have shape.Vector) shape.Vector {
	less := func(name string, value int64) int64 {
		if told := have.Get(name); told > 0 && told < value {
			return told
		}
		return value
	}
	out := shape.Vector{
		CPU: less(shape.CPU, planned.CPU), Memory: less(shape.Memory, planned.Memory),
		Ephemeral: less(shape.Ephemeral, planned.Ephemeral), Pods: less(shape.Pods, planned.Pods),
	}
	for _, a := range planned.Extended {
		out.Extended = append(out.Extended, shape.Amount{Resource: a.Resource, Value: less(a.Resource, a.Value)})
	}
	return out
}
