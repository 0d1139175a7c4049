package shape

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func vectors() *rapid.Generator[Vector] {
	return rapid.Custom(func(t *rapid.T) Vector {
		small := rapid.Int64Range(0, 9)
		v := Vector{CPU: small.Draw(t, "cpu"), Memory: small.Draw(t, "memory"), Pods: small.Draw(t, "pods")}
		for _, name := range []string{"a/gpu", "b/nic", "hugepages-2Mi"} {
			if n := small.Draw(t, name); n > 0 {
				v.Extended = append(v.Extended, Amount{name, n})
			}
		}
		return v
	})
}

func TestSubUndoesAdd(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v, w := vectors().Draw(t, "v"), vectors().Draw(t, "w")
		if diff := cmp.Diff(v, v.Add(w).Sub(w), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("v+w-w is not v: -want +got\n%s", diff)
		}
	})
}

func TestAVectorFitsExactlyWhereNothingIsShort(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		need, room := vectors().Draw(t, "need"), vectors().Draw(t, "room")
		want := true
		need.Each(func(name string, n int64) { want = want && n <= room.Get(name) })
		if got := need.Fits(room); got != want {
			t.Fatalf("%+v fits %+v: got %v, want %v", need, room, got, want)
		}
		if name, short := need.Short(room); short && need.Get(name) <= room.Get(name) {
			t.Fatalf("%s is called short, but %d of %d are wanted", name, need.Get(name), room.Get(name))
		}
	})
}

func TestOvercommittedResourceDoesNotConcernPodsThatWantNoneOfIt(t *testing.T) {
	t.Parallel()
	if !(Vector{CPU: 1, Pods: 1}).Fits(Vector{CPU: 5, Memory: -3, Pods: 2}) {
		t.Error("a pod without a memory request must fit a node whose memory is overcommitted")
	}
}
