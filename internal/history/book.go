package history

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/dovetail-sh/dovetail/internal/view"
)

// File is the name of the history in a journal's directory.
const File = "history.jsonl"

const (
	// mostLives is how many claims are remembered; of those beyond, the oldest that are gone are forgotten.
	mostLives = 50_000

	// keptLives is how many are left then: a tenth fewer, so that not every further claim has all of them sorted.
	keptLives = mostLives * 9 / 10

	// rewriteAt is the size in bytes past which the file is written anew with one line for each claim.
	rewriteAt = 32 << 20
)

// book is what is known of all claims, in memory and in a file.
type book struct {
	file  string // empty for memory alone
	size  int64
	limit int64 // of size, at which the file is written anew
	lives map[string]view.Life
}

// openBook reads what earlier processes wrote.
func openBook(dir string) (*book, error) {
	b := &book{lives: map[string]view.Life{}, limit: rewriteAt}
	if dir == "" {
		return b, nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("making the journal's directory: %w", err)
	}
	b.file = filepath.Join(dir, File)
	lives, size, err := readFile(b.file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if lives != nil {
		b.lives, b.size = lives, size
	}
	return b, nil
}

// readFile reads a history. A line that is cut off, as one is that a process died on, is left out.
func readFile(name string) (map[string]view.Life, int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, fmt.Errorf("reading the history: %w", err)
	}
	defer f.Close()
	lives, size := map[string]view.Life{}, int64(0)
	for in := bufio.NewReader(f); ; {
		line, err := in.ReadBytes('\n')
		size += int64(len(line))
		var l view.Life
		if json.Unmarshal(line, &l) == nil && l.UID != "" {
			lives[l.UID] = over(lives[l.UID], l)
		}
		if errors.Is(err, io.EOF) {
			return lives, size, nil
		}
		if err != nil {
			return nil, 0, fmt.Errorf("reading the history: %w", err)
		}
	}
}

// write adds what is new of a claim.
func (b *book) write(l view.Life) error {
	b.lives[l.UID] = over(b.lives[l.UID], l)
	if b.file == "" {
		b.forget()
		return nil
	}
	text, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("writing the history of NodeClaim %s: %w", l.Claim, err)
	}
	f, err := os.OpenFile(b.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("writing the history: %w", err)
	}
	// The line begins on one of its own, whatever a process that died has left.
	n, err := f.Write(slices.Concat([]byte("\n"), text, []byte("\n")))
	b.size += int64(n)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing the history: %w", err)
	}
	if b.size > b.limit {
		return b.rewrite()
	}
	return nil
}

// forget drops the oldest claims that are gone, once there are too many.
func (b *book) forget() {
	if len(b.lives) <= mostLives {
		return
	}
	for _, l := range ordered(b.lives) {
		if len(b.lives) <= keptLives {
			return
		}
		if !l.Gone.IsZero() {
			delete(b.lives, l.UID)
		}
	}
}

// rewrite writes one line for each claim. Whoever reads meanwhile sees the old file or the new one.
func (b *book) rewrite() error {
	b.forget()
	var text bytes.Buffer
	for _, l := range ordered(b.lives) {
		line, err := json.Marshal(l)
		if err != nil {
			return fmt.Errorf("writing the history of NodeClaim %s: %w", l.Claim, err)
		}
		text.Write(append(line, '\n'))
	}
	next := b.file + ".next"
	if err := errors.Join(os.WriteFile(next, text.Bytes(), 0o640), os.Rename(next, b.file)); err != nil {
		return fmt.Errorf("writing the history anew: %w", err)
	}
	b.size = int64(text.Len())
	b.limit = max(rewriteAt, 2*b.size)
	return nil
}

// ordered are lives, oldest first.
func ordered(lives map[string]view.Life) []view.Life {
	return slices.SortedFunc(maps.Values(lives), func(a, b view.Life) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Claim, b.Claim), cmp.Compare(a.UID, b.UID))
	})
}

// Read is the history in a journal's directory, oldest claims first.
func Read(dir string) ([]view.Life, error) {
	lives, _, err := readFile(filepath.Join(dir, File))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has no %s; want the directory of --journal-dir", dir, File)
	}
	return ordered(lives), err
}

// Ordered are lives, one for each claim, oldest first.
func Ordered(lives []view.Life) []view.Life {
	byUID := map[string]view.Life{}
	for _, l := range lives {
		byUID[l.UID] = over(byUID[l.UID], l)
	}
	return ordered(byUID)
}
