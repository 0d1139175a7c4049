package journal

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Record is one plan with all that it was made from. Planning its Snapshot under its Policy again gives its Decision.
type Record struct {
	At       time.Time       `json:"at"`
	Snapshot shape.Snapshot  `json:"snapshot"`
	Policy   engine.Policy   `json:"policy"`
	Decision engine.Decision `json:"decision"`
}

// Entry is what can be known of a Record without unpacking it.
type Entry struct {
	Number   int // ascending from 1 in the life of the daemon
	At       time.Time
	Revision uint64
	Pods     int // that were to be placed
	Opened   int
	Unplaced int
	Bytes    int // packed
}

// Options bound a Journal. Zero fields take their defaults.
type Options struct {
	MaxRecords int    // 64
	MaxBytes   int    // of packed records, 64 MiB
	Dir        string // also written here, one file a record, as many as are remembered; empty for nowhere
}

// Journal remembers Records.
type Journal struct {
	options Options
	inbox   chan Record

	mu      sync.Mutex // guards the fields below
	entries []packed   // oldest first
	bytes   int
	number  int
	dropped int
}

type packed struct {
	Entry
	data []byte
	file string
}

// New makes an empty journal. Run must be running for Records to be kept.
func New(o Options) (*Journal, error) {
	if o.MaxRecords <= 0 {
		o.MaxRecords = 64
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 64 << 20
	}
	if o.Dir != "" {
		if err := os.MkdirAll(o.Dir, 0o750); err != nil {
			return nil, fmt.Errorf("making the journal's directory: %w", err)
		}
	}
	return &Journal{options: o, inbox: make(chan Record, 1)}, nil
}

// Add hands over a Record, which must not change any more. It never waits: while an earlier one is still being packed and another
// one is queued, the Record is dropped and counted.
func (j *Journal) Add(r Record) {
	select {
	case j.inbox <- r:
	default:
		j.mu.Lock()
		j.dropped++
		j.mu.Unlock()
	}
}

// Run packs Records until the context ends.
func (j *Journal) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case r := <-j.inbox:
			if err := j.keep(r); err != nil {
				return err
			}
		}
	}
}

// Dropped is how many Records came too fast to be kept.
func (j *Journal) Dropped() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.dropped
}

// Entries lists what is remembered, oldest first.
func (j *Journal) Entries() []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]Entry, 0, len(j.entries))
	for _, p := range j.entries {
		out = append(out, p.Entry)
	}
	return out
}

// Load unpacks one Record. ok is false if it is not remembered any more.
func (j *Journal) Load(number int) (r Record, ok bool, err error) {
	j.mu.Lock()
	i := slices.IndexFunc(j.entries, func(p packed) bool { return p.Number == number })
	var data []byte
	if i >= 0 {
		data = j.entries[i].data
	}
	j.mu.Unlock()
	if i < 0 {
		return Record{}, false, nil
	}
	r, err = Read(bytes.NewReader(data))
	return r, true, err
}

// Read unpacks a Record, such as a file of a journal's directory.
func Read(from io.Reader) (Record, error) {
	unzipped, err := gzip.NewReader(from)
	if err != nil {
		return Record{}, fmt.Errorf("unpacking a journal record: %w", err)
	}
	var r Record
	if err := json.NewDecoder(unzipped).Decode(&r); err != nil {
		return Record{}, fmt.Errorf("reading a journal record: %w", err)
	}
	return r, nil
}

func (j *Journal) keep(r Record) error {
	var buffer bytes.Buffer
	zipped := gzip.NewWriter(&buffer)
	if err := json.NewEncoder(zipped).Encode(r); err != nil {
		return fmt.Errorf("packing a journal record: %w", err)
	}
	if err := zipped.Close(); err != nil {
		return fmt.Errorf("packing a journal record: %w", err)
	}
	p := packed{data: buffer.Bytes(), Entry: Entry{
		At: r.At, Revision: r.Snapshot.Revision, Pods: len(r.Snapshot.Pods),
		Opened: len(r.Decision.Open), Unplaced: len(r.Decision.Unplaced), Bytes: buffer.Len(),
	}}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.number++
	p.Number = j.number
	if j.options.Dir != "" {
		p.file = filepath.Join(j.options.Dir, fmt.Sprintf("%s-%06d.json.gz", r.At.UTC().Format("20060102T150405Z"), p.Number))
		if err := os.WriteFile(p.file, p.data, 0o600); err != nil {
			return fmt.Errorf("writing a journal record: %w", err)
		}
	}
	j.entries, j.bytes = append(j.entries, p), j.bytes+p.Bytes
	return j.forgetLocked()
}

// forgetLocked drops the oldest Records beyond the bounds, but never the newest. j.mu is held.
func (j *Journal) forgetLocked() error {
	for len(j.entries) > 1 && (len(j.entries) > j.options.MaxRecords || j.bytes > j.options.MaxBytes) {
		oldest := j.entries[0]
		j.entries, j.bytes = slices.Delete(j.entries, 0, 1), j.bytes-oldest.Bytes
		if oldest.file == "" {
			continue
		}
		if err := os.Remove(oldest.file); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("removing an old journal record: %w", err)
		}
	}
	return nil
}
