package journal

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/go-logr/logr"
)

// Options bound a Journal. Zero values mean the defaults.
type Options struct {
	Records int    // at most so many; default 256
	Bytes   int    // at most so many, compressed; default 32 MiB. One record that is larger is dropped.
	Dir     string // where records are written to as well; empty means nowhere. The same bounds hold there.
	Log     logr.Logger
}

const (
	defaultRecords = 256
	defaultBytes   = 32 << 20

	// waiting is how many plans may wait for being written before they are dropped.
	waiting = 16

	// suffix is that of the files of a journal's directory, after the kind.
	suffix = ".json.gz"
)

// ErrNotFound means that there is no such record, or not any more.
var ErrNotFound = errors.New("record not found")

// Journal is a bounded list of records.
type Journal struct {
	options Options
	queue   chan Kept

	mu      sync.Mutex // guards the fields below
	entries []Entry    // ascending by number
	texts   map[uint64][]byte
	bytes   int
	number  uint64
	dropped uint64

	last map[Kind]latest // of the goroutine that keeps records
}

// latest is the newest record of a kind.
type latest struct {
	entry    Entry
	digest   [sha256.Size]byte // of what makes two records the same
	repeated int
}

// New makes an empty Journal. The directory is made if need be; files of earlier journals in it count for its bounds.
func New(o Options) (*Journal, error) {
	if o.Records <= 0 {
		o.Records = defaultRecords
	}
	if o.Bytes <= 0 {
		o.Bytes = defaultBytes
	}
	if o.Dir != "" {
		if err := os.MkdirAll(o.Dir, 0o750); err != nil {
			return nil, fmt.Errorf("making the journal's directory: %w", err)
		}
	}
	return &Journal{options: o, queue: make(chan Kept, waiting), texts: map[uint64][]byte{},
		last: map[Kind]latest{}}, nil
}

// Add hands a record over. It returns at once; when too many wait already, the record is dropped.
func (j *Journal) Add(r Kept) {
	select {
	case j.queue <- r:
	default:
		j.drop()
	}
}

// Start writes records until the context ends.
func (j *Journal) Start(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case r := <-j.queue:
			if err := j.Keep(r); err != nil {
				j.options.Log.Error(err, "keeping a record in the journal")
			}
		}
	}
}

// NeedLeaderElection is false: the journal of a standby is empty, but ready.
func (j *Journal) NeedLeaderElection() bool { return false }

// Keep compresses a record and keeps it, before it returns. One that says the same as the newest of its kind takes that
// one's place, and counts how often. It is for one goroutine at a time.
func (j *Journal) Keep(r Kept) error {
	entry := r.entry()
	digest, err := digestOf(r.essence())
	if err != nil {
		j.drop()
		return fmt.Errorf("comparing %s of revision %d: %w", entry.Kind, entry.Revision, err)
	}
	before, again := j.last[entry.Kind]
	again = again && before.digest == digest
	now := latest{digest: digest}
	if again {
		now.repeated = before.repeated + 1
		r = r.again(now.repeated)
	}
	text, err := encode(r)
	if err != nil {
		j.drop()
		return fmt.Errorf("writing %s of revision %d: %w", entry.Kind, entry.Revision, err)
	}
	if len(text) > j.options.Bytes {
		j.drop()
		return fmt.Errorf(
			"%s of revision %d has %d bytes, the journal holds %d",
			entry.Kind,
			entry.Revision,
			len(text),
			j.options.Bytes,
		)
	}
	now.entry = j.append(entry, text)
	j.last[entry.Kind] = now
	if again {
		j.remove(before.entry.Number)
	}
	if j.options.Dir == "" {
		return nil
	}
	if err := j.writeFile(now.entry, text); err != nil {
		return err
	}
	if again {
		if err := os.Remove(j.fileOf(before.entry)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing a record that came again: %w", err)
		}
	}
	return j.sweep()
}

// writeFile writes a record at once, so that nobody reads half of it.
func (j *Journal) writeFile(entry Entry, text []byte) error {
	made, err := os.CreateTemp(j.options.Dir, ".record-*")
	if err != nil {
		return fmt.Errorf("writing the journal's file: %w", err)
	}
	defer os.Remove(made.Name())
	_, err = made.Write(text)
	if err = errors.Join(err, made.Chmod(0o640), made.Close()); err != nil {
		return fmt.Errorf("writing the journal's file: %w", err)
	}
	if err := os.Rename(made.Name(), j.fileOf(entry)); err != nil {
		return fmt.Errorf("writing the journal's file: %w", err)
	}
	return nil
}

func (j *Journal) fileOf(entry Entry) string {
	name := fmt.Sprintf(
		"%s-%06d.%s%s",
		entry.At.UTC().Format("20060102T150405.000"),
		entry.Number,
		entry.Kind,
		suffix,
	)
	return filepath.Join(j.options.Dir, name)
}

// remove drops a record that another has taken the place of.
func (j *Journal) remove(number uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if i := slices.IndexFunc(j.entries, func(e Entry) bool { return e.Number == number }); i >= 0 {
		j.bytes -= j.entries[i].Bytes
		j.entries = slices.Delete(j.entries, i, i+1)
	}
	delete(j.texts, number)
}

func digestOf(essence any) ([sha256.Size]byte, error) {
	h := sha256.New()
	if err := json.NewEncoder(h).Encode(essence); err != nil {
		return [sha256.Size]byte{}, err
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

func (j *Journal) append(entry Entry, text []byte) Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.number++
	entry.Number, entry.Bytes = j.number, len(text)
	j.entries = append(j.entries, entry)
	j.texts[entry.Number] = text
	j.bytes += len(text)
	for len(j.entries) > j.options.Records || j.bytes > j.options.Bytes {
		oldest := j.entries[0]
		j.entries = slices.Delete(j.entries, 0, 1)
		j.bytes -= oldest.Bytes
		delete(j.texts, oldest.Number)
	}
	return entry
}

// sweep removes the oldest files until the rest is within bounds.
func (j *Journal) sweep() error {
	list, err := os.ReadDir(j.options.Dir) // ascending by name, which is by time
	if err != nil {
		return fmt.Errorf("listing the journal's directory: %w", err)
	}
	type file struct {
		name string
		size int
	}
	var files []file
	total := 0
	for _, e := range list {
		info, err := e.Info()
		if err != nil || !strings.HasSuffix(e.Name(), suffix) {
			continue // gone meanwhile, or not ours
		}
		files = append(files, file{e.Name(), int(info.Size())})
		total += int(info.Size())
	}
	for len(files) > j.options.Records || total > j.options.Bytes {
		if err := os.Remove(
			filepath.Join(j.options.Dir, files[0].name),
		); err != nil &&
			!errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the journal's oldest file: %w", err)
		}
		total -= files[0].size
		files = files[1:]
	}
	return nil
}

func (j *Journal) drop() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.dropped++
}

// Dropped is how many records could not be kept.
func (j *Journal) Dropped() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.dropped
}

// Entries lists what the journal holds, oldest first.
func (j *Journal) Entries() []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.entries)
}

// Read reads one plan. ErrNotFound if it is not there any more, or is none.
func (j *Journal) Read(number uint64) (Record, error) {
	j.mu.Lock()
	i := slices.IndexFunc(j.entries, func(e Entry) bool { return e.Number == number && e.Kind == Plan })
	text := j.texts[number]
	j.mu.Unlock()
	if i < 0 {
		return Record{}, fmt.Errorf("reading plan %d of the journal: %w", number, ErrNotFound)
	}
	return Decode(bytes.NewReader(text))
}

// Last reads the newest plan. ErrNotFound if there is none.
func (j *Journal) Last() (Record, error) {
	number := uint64(0)
	for _, e := range j.Entries() {
		if e.Kind == Plan {
			number = e.Number
		}
	}
	return j.Read(number)
}

func encode(r Kept) ([]byte, error) {
	var out bytes.Buffer
	// The best compression would take a large cluster's plan longer than making it.
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if err := json.NewEncoder(z).Encode(r); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Files are the records in a journal's directory, oldest first.
func Files(dir string) ([]string, error) {
	list, err := os.ReadDir(dir) // ascending by name, which is by time
	if err != nil {
		return nil, fmt.Errorf("listing the journal's directory: %w", err)
	}
	var out []string
	for _, e := range list {
		if strings.HasSuffix(e.Name(), suffix) {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	return out, nil
}

// KindOf is what a file of a journal's directory is a record of, by its name.
func KindOf(file string) Kind {
	if strings.HasSuffix(file, "."+string(Moves)+suffix) {
		return Moves
	}
	return Plan
}

// Decode reads a plan as a file of the journal holds it, or as plain JSON.
func Decode(from io.Reader) (Record, error) { return decode[Record](from) }

func decode[R Kept](from io.Reader) (r R, err error) {
	text, err := io.ReadAll(from)
	if err != nil {
		return r, fmt.Errorf("reading a record of the journal: %w", err)
	}
	var source io.Reader = bytes.NewReader(text)
	if bytes.HasPrefix(text, []byte{0x1f, 0x8b}) {
		if source, err = gzip.NewReader(source); err != nil {
			return r, fmt.Errorf("unpacking a record of the journal: %w", err)
		}
	}
	if err := json.NewDecoder(source).Decode(&r); err != nil {
		return r, fmt.Errorf("reading a record of the journal: %w", err)
	}
	return r, nil
}
