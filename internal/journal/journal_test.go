package journal_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/journal"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func record(revision uint64) journal.Record {
	return journal.Record{
		At: noon.Add(time.Duration(revision) * time.Second), Revision: revision,
		Snapshot: shape.Snapshot{
			Now: noon, Revision: revision,
			Classes:    []*shape.Class{{Namespace: "default", Requests: shape.Vector{CPU: 100, Pods: 1}}},
			Profiles:   []*shape.Profile{},
			Pods:       []shape.Pod{{ID: "default/a", Created: noon}},
			Nodes:      []*shape.Node{},
			Pools:      []*shape.Pool{},
			Types:      []*shape.InstanceType{},
			DaemonSets: []shape.DaemonSet{},
		},
		Policy:   engine.DefaultPolicy(),
		Decision: engine.Decision{Open: []engine.NewNode{{ID: "n1", Pool: "p"}}},
	}
}

func TestARecordComesBackAsItWas(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, err := journal.New(journal.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Keep(record(7)); err != nil {
		t.Fatal(err)
	}
	got, err := j.Last()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(record(7), got); diff != "" {
		t.Errorf("from memory: -want +got\n%s", diff)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.plan.json.gz"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, %v; want one", files, err)
	}
	f, err := os.Open(files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err = journal.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(record(7), got); diff != "" {
		t.Errorf("from the file: -want +got\n%s", diff)
	}
}

func TestTheOldestGoWhenThereAreTooMany(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, err := journal.New(journal.Options{Records: 3, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for i := uint64(1); i <= 5; i++ {
		r := record(i)
		r.Decision.Open[0].Pool = fmt.Sprint(i)
		if err := j.Keep(r); err != nil {
			t.Fatal(err)
		}
	}
	var kept []uint64
	for _, e := range j.Entries() {
		kept = append(kept, e.Revision)
	}
	if diff := cmp.Diff([]uint64{3, 4, 5}, kept); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if _, err := j.Read(1); !errors.Is(err, journal.ErrNotFound) {
		t.Errorf("reading a record that is gone: %v", err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 3 {
		t.Errorf("files %v, %v; want three", files, err)
	}
}

// A pod that stays stuck is planned every ten seconds: that is one record, the newest, which counts.
func TestEqualPlansAreOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, err := journal.New(journal.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	other := record(5)
	other.Decision.Open[0].Pool = "q"
	for _, r := range []journal.Record{record(1), record(2), record(3), record(4), other, record(6)} {
		r.Snapshot.Pods[0].ID = "default/a"
		if err := j.Keep(r); err != nil {
			t.Fatal(err)
		}
	}
	var kept []uint64
	for _, e := range j.Entries() {
		kept = append(kept, e.Revision)
	}
	if diff := cmp.Diff([]uint64{4, 5, 6}, kept); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	files, err := journal.Files(dir)
	if err != nil || len(files) != 3 {
		t.Fatalf("files %v, %v; want three", files, err)
	}
	f, err := os.Open(files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if first, err := journal.Decode(f); err != nil || first.Repeated != 3 || first.Revision != 4 {
		t.Errorf("revision %d, repeated %d, %v; want the fourth, which came three times before", first.Revision,
			first.Repeated, err)
	}
}

func TestBytesAreBounded(t *testing.T) {
	t.Parallel()
	j, err := journal.New(journal.Options{Bytes: 10})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Keep(record(1)); err == nil {
		t.Error("a record larger than the journal was kept")
	}
	if len(j.Entries()) != 0 || j.Dropped() != 1 {
		t.Errorf("%d entries, %d dropped; want none and one", len(j.Entries()), j.Dropped())
	}
}

func TestAddNeverBlocks(t *testing.T) {
	t.Parallel()
	j, err := journal.New(journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(1000) { // nobody reads
		j.Add(record(i))
	}
	if j.Dropped() == 0 {
		t.Error("nothing was dropped although nobody writes")
	}
}
