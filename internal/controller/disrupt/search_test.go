package disrupt

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/journal"
)

// A search that found moves can be made again from what is kept of it, also beside moves that are under way.
func TestASearchCanBeMadeAgain(t *testing.T) {
	t.Parallel()
	f := newFleet().
		node("a", 4, []int{4}, drifted, marked("Drifted", time.Minute)).
		node("b", 4, nil, launching).    // a move under way, and its new node
		node("c", 4, []int{4}, drifted). // the next one
		node("d", 4, []int{2}).node("e", 4, []int{2}).node("f", 8, []int{1, 1})
	m := newMemory()
	begun := &move{
		reason:  karpenterv1.DisruptionReasonDrifted,
		members: []types.UID{"a"},
		began:   noon.Add(-time.Minute),
		opened:  true,
		opens:   1,
	}
	begun.settle("default/a-0", "b")
	m.moves["a"] = begun
	out := f.pass(&m, noon)
	if out.search == nil || len(out.found.Moves) == 0 {
		t.Fatalf("nothing was found, or it was not kept: %v", words(out))
	}
	text, err := json.Marshal(out.search)
	if err != nil {
		t.Fatal(err)
	}
	begun.settle("default/a-0", "elsewhere") // moves go on while the journal writes
	var kept journal.Search
	if err := json.Unmarshal(text, &kept); err != nil {
		t.Fatal(err)
	}
	if len(kept.Followed) < 2 {
		t.Errorf("%d moves were asked after before the search, want those of a and c", len(kept.Followed))
	}
	if diff := cmp.Diff(*out.found, kept.Again()); diff != "" {
		t.Errorf("-then +again\n%s", diff)
	}
	if got := out.search.Courses[0].Homes["default/a-0"]; got != "b" {
		t.Errorf("what is kept of a move changed with it: its pod goes to %s", got)
	}
}

func TestASearchThatFindsNothingIsNotKept(t *testing.T) {
	t.Parallel()
	out := newFleet().node("a", 4, []int{4}).pass(fresh(), noon)
	if out.found == nil || out.search != nil {
		t.Errorf("found %v, kept %v; want a search without moves, and nothing kept", out.found, out.search)
	}
}

func fresh() *memory {
	m := newMemory()
	return &m
}
