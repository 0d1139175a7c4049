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
func replayMoves(cmd *cobra.Command, file, output string) error {
	search, err := readSearch(file)
	if err != nil {
		return err
	}
	progress := newProgress(cmd.ErrOrStderr())
	progress.say(fmt.Sprintf("looking at %d nodes", len(search.Snapshot.Nodes)))
	again := search.Again()
	progress.end()
	verdict, err := compareMoves(search.Result, again)
	if err != nil {
		return err
	}
	m := view.MovesOf(search.Result, []string{fmt.Sprintf("searched at %s; %s", search.At.UTC().Format(time.RFC3339Nano), verdict)})
	if output == "json" {
		return writeJSON(cmd.OutOrStdout(), m)
	}
	return m.Table(cmd.OutOrStdout())
}

func compareMoves(then, now refit.Result) (string, error) {
	if same, err := alike(then, now); same || err != nil {
		return "searching again gives the same", err
	}
	return fmt.Sprintf("this version of dovetail moves otherwise: %d moves that save %.4f $/h", len(now.Moves), (now.Before - now.After).Float()), nil
}

// readSearch reads a search of the controller's journal.
func readSearch(file string) (journal.Search, error) {
	search, err := read(file, journal.DecodeSearch)
	if err == nil && search.At.IsZero() {
		err = fmt.Errorf("%s has no moves of the controller's journal; want a file that --journal-dir has", file)
	}
	return search, err
}
