package agreement

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/journal"
)

// plans is what the journal says was decided.
type plans struct {
	count int         // that had something to buy
	first shape.Money // what the first of them bought, an hour
	all   shape.Money // what all of them bought
	bound shape.Money // of the first
}

// readPlans reads a journal's directory, oldest record first.
func readPlans(dir string) (plans, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*."+string(journal.Plan)+".*"))
	if err != nil {
		return plans{}, fmt.Errorf("listing the journal's records: %w", err)
	}
	var out plans
	for _, file := range files {
		record, err := readRecord(file)
		if err != nil {
			return plans{}, err
		}
		if len(record.Decision.Open) == 0 {
			continue
		}
		if out.count == 0 {
			out.first, out.bound = record.Decision.Price, record.Decision.Bound
		}
		out.count++
		out.all += record.Decision.Price
	}
	return out, nil
}

func readRecord(file string) (journal.Record, error) {
	f, err := os.Open(file)
	if err != nil {
		return journal.Record{}, fmt.Errorf("opening a record of the journal: %w", err)
	}
	defer f.Close()
	record, err := journal.Decode(f)
	if err != nil {
		return journal.Record{}, fmt.Errorf("reading %s: %w", file, err)
	}
	return record, nil
}
