package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/internal/journal"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// replayMoves shows a search for nodes to give up, and makes it again.
func replayMoves(cmd *cobra.Command, search journal.Search, output, policy string) (same bool, err error) {
	if policy != "" {
		other := search
		if err := changed(policy, &other.Policy.Plan, &other.Policy); err != nil {
			return false, err
		}
		d := view.MovesDifference(search.Result, other.Again(), []string{"policy " + policy})
		d.At = search.At
		return !d.Totals.Changes(), printDifference(cmd, d, output)
	}
	progress := newProgress(cmd.ErrOrStderr())
	progress.say(fmt.Sprintf("looking at %d nodes", len(search.Snapshot.Nodes)))
	again := search.Again()
	progress.end()
	same, verdict, err := compareMoves(search.Result, again)
	if err != nil {
		return false, err
	}
	m := view.MovesOf(
		search.Result,
		[]string{fmt.Sprintf("searched at %s; %s", search.At.UTC().Format(time.RFC3339Nano), verdict)},
	)
	return same, write(cmd.OutOrStdout(), output, m, m.Table)
}

func compareMoves(then, now refit.Result) (same bool, verdict string, err error) {
	if same, err := alike(then, now); same || err != nil {
		return same, "searching again gives the same", err
	}
	return false, fmt.Sprintf("this version of dovetail moves otherwise: %d moves that save $%.4f/h", len(now.Moves),
		(now.Before - now.After).Float()), nil
}

// readSearch reads a search of the controller's journal.
func readSearch(file string) (journal.Search, error) {
	search, err := read(file, journal.DecodeSearch)
	if err == nil && search.At.IsZero() {
		err = usage("%s has no moves of the controller's journal; want a file that --journal-dir has", file)
	}
	return search, err
}
