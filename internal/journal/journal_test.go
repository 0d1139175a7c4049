package journal

import (
	"context"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

func record(revision uint64) Record {
	s := shape.Snapshot{
		Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Revision: revision,
		Classes: []*shape.Class{{Namespace: "default", Requests: shape.Vector{CPU: 1000, Pods: 1}}},
		Pods:    []shape.Pod{{ID: "default/a"}},
	}
	return Record{At: s.Now, Snapshot: s, Policy: engine.DefaultPolicy(), Decision: engine.Plan(s, engine.DefaultPolicy())}
}

func TestARecordCanBeReplayed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j, err := New(Options{})
		if err != nil {
			t.Fatal(err)
		}
		run(t, j)
		j.Add(record(7))
		synctest.Wait()
		got, ok, err := j.Load(1)
		if err != nil || !ok {
			t.Fatalf("loading the record: %v, %v", ok, err)
		}
		again := engine.Plan(got.Snapshot, got.Policy)
		if diff := cmp.Diff(got.Decision, again, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("planning again: -recorded +again\n%s", diff)
		}
	})
}

func TestTheOldestGoFirstInMemoryAndOnDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		j, err := New(Options{MaxRecords: 2, Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		run(t, j)
		for revision := range uint64(4) {
			j.Add(record(revision))
			synctest.Wait()
		}
		var revisions []uint64
		for _, e := range j.Entries() {
			revisions = append(revisions, e.Revision)
		}
		if diff := cmp.Diff([]uint64{2, 3}, revisions); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		if files, _ := os.ReadDir(dir); len(files) != 2 {
			t.Errorf("%d files are left, want 2", len(files))
		}
	})
}

func TestAddNeverWaits(t *testing.T) {
	t.Parallel()
	j, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 { // nobody runs it
		j.Add(record(1))
	}
	if got := j.Dropped(); got != 4 {
		t.Errorf("%d records were dropped, want 4: one waits", got)
	}
}

func run(t *testing.T, j *Journal) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- j.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("running the journal: %v", err)
		}
	})
}
