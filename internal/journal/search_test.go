package journal_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/internal/journal"
)

func TestASearchComesBackAndIsMadeAgain(t *testing.T) {
	t.Parallel()
	s := journal.Search{
		At:       noon,
		Revision: 7,
		Snapshot: enginetest.Running(12, 60, 12),
		Policy:   refit.DefaultPolicy(),
		Allowed:  map[string]int{},
	}
	s.Policy.Pools = map[string]refit.PoolPolicy{}
	for _, pool := range s.Snapshot.Pools {
		s.Policy.Pools[pool.Name], s.Allowed[pool.Name] = refit.PoolPolicy{Mode: refit.WhenUnderutilized}, 2
	}
	if s.Result = s.Again(); len(s.Result.Moves) == 0 {
		t.Fatal("no move was found")
	}
	dir := t.TempDir()
	j, err := journal.New(journal.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []journal.Kept{record(1), s} {
		if err := j.Keep(r); err != nil {
			t.Fatal(err)
		}
	}
	files, err := journal.Files(dir)
	if err != nil || len(files) != 2 {
		t.Fatalf("files %v, %v; want two", files, err)
	}
	search := files[0] // noon: the plan was made a second later
	if journal.KindOf(search) != journal.Moves ||
		filepath.Base(search) != "20260102T120000.000-000002.moves.json.gz" {
		t.Errorf("the search is %s, of kind %s", search, journal.KindOf(search))
	}
	f, err := os.Open(search)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := journal.DecodeSearch(f)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff(s.Result, got.Again()); diff != "" {
		t.Errorf("again: -want +got\n%s", diff)
	}
	if last, err := j.Last(); err != nil || last.Revision != 1 {
		t.Errorf("the last plan is of revision %d, %v; a search is none", last.Revision, err)
	}
	if entries := j.Entries(); entries[1].Kind != journal.Moves || entries[1].Pods == 0 {
		t.Errorf("entry %+v", entries[1])
	}
}
