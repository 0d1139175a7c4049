package compare

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/dovetail-sh/dovetail/bench/workload"
)

// inputs are the workloads, in the order of the table. An absent trace is said, not an error.
func inputs(o Options, out io.Writer) ([]workload.Workload, error) {
	var all []workload.Workload
	for _, n := range []int{100, 1_000, 5_000, 20_000} {
		all = append(all, workload.Diverse(n))
	}
	all = append(all, workload.Preferences(4_000, false), workload.Preferences(4_000, true))
	for _, n := range []int{500, 2_000, 4_000} {
		w, err := workload.Trace(o.Trace, workload.FirstCut(n))
		if errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(out, "Traces are skipped: there is no file %s (-trace FILE).\n", o.Trace)
			break
		}
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	wanted := all[:0]
	for _, w := range all {
		if o.Only.MatchString(w.Name) {
			wanted = append(wanted, w)
		}
	}
	return wanted, nil
}
