package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"

	"github.com/dovetail-sh/dovetail/internal/daemon"
	"github.com/dovetail-sh/dovetail/internal/feed"
	"github.com/dovetail-sh/dovetail/internal/journal"
	"github.com/dovetail-sh/dovetail/internal/lookout"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/roster"
	"github.com/dovetail-sh/dovetail/internal/screen"
)

// topLive shows the fleet on a terminal until its user leaves.
func topLive(cmd *cobra.Command, f *topFlags) error {
	if err := f.check(cmd.Flags()); err != nil {
		return err
	}
	past, err := pastOf(f.journal)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(cmd.Context())
	defer stop()
	from, input, err := f.follow(ctx, cmd)
	if err != nil {
		return err
	}
	model := screen.New(0, 0, past)
	key, descending := strings.CutPrefix(f.sort, "-")
	model.Choose(f.filter, key, descending)
	program := tea.NewProgram(
		model,
		tea.WithContext(ctx),
		// Signals end the context. The program's own handler would wait for ever to tell it of one once it has ended.
		tea.WithoutSignalHandler(),
		tea.WithInput(cmd.InOrStdin()),
		tea.WithOutput(cmd.OutOrStdout()),
		tea.WithColorProfile(profile(os.LookupEnv)),
	)
	looking := feed.Feed{
		Origin: from, Input: input, Trouble: func(text string) { program.Send(screen.TroubleMsg(text)) },
		Frame: func(f feed.Frame) { program.Send(screen.FrameMsg{Fleet: &f.Fleet, Ask: f.Thoughts.Explain}) },
		Idle: func() {
			if !f.offline() {
				program.Send(screen.NowMsg(time.Now()))
			}
		},
	}
	go looking.Run(ctx)
	_, err = program.Run()
	if errors.Is(err, tea.ErrProgramPanic) {
		return errors.New("the screen failed; please report it with the output of: dovetail top --once -o json")
	}
	if errors.Is(err, tea.ErrInterrupted) {
		return Stopped{os.Interrupt}
	}
	if err := cmd.Context().Err(); err != nil {
		return err
	}
	if ctx.Err() != nil || err == nil {
		return nil
	}
	return fmt.Errorf("drawing the screen: %w", err)
}

// profile is how many colours a terminal is given: none if NO_COLOR is anything but empty, or the terminal is dumb.
func profile(lookup func(string) (string, bool)) colorprofile.Profile {
	if text, _ := lookup("NO_COLOR"); text != "" {
		return colorprofile.ASCII
	}
	if term, _ := lookup("TERM"); term == "dumb" {
		return colorprofile.NoTTY
	}
	return colorprofile.Env(os.Environ())
}

// completing says of what was read of a cluster all that planning needs.
type completing = func(*manifest.Set, []string) (roster.Input, error)

// follow begins to follow a cluster, or reads files, which do not change.
func (f *planFlags) follow(ctx context.Context, cmd *cobra.Command) (feed.Origin, completing, error) {
	if f.offline() {
		in, err := f.standing(cmd)
		return feed.Still{Input: in}, func(*manifest.Set, []string) (roster.Input, error) { return in, nil }, err
	}
	kube, err := f.cluster.reach()
	if err != nil {
		return nil, nil, err
	}
	progress := newProgress(cmd.ErrOrStderr())
	defer progress.end()
	progress.say("reading " + kube.Host)
	l, err := f.first(ctx, kube)
	if err != nil {
		return nil, nil, f.cluster.unanswered(kube, err)
	}
	return l, func(set *manifest.Set, missing []string) (in roster.Input, err error) {
		in.Source, in.Missing = kube.Host, missing
		in.Input, err = f.input(set, time.Now())
		return in, err
	}, nil
}

// first follows a cluster once a first copy of it is there, which may take so long as --timeout says.
func (f *planFlags) first(ctx context.Context, kube *rest.Config) (*lookout.Lookout, error) {
	ctx, end := context.WithCancelCause(ctx) // it ends with the screen
	if f.cluster.timeout > 0 {
		timer := time.AfterFunc(f.cluster.timeout, func() { end(context.DeadlineExceeded) })
		defer timer.Stop()
	}
	l, err := lookout.Start(ctx, kube, daemon.Scheme(), f.cluster.namespace())
	if err != nil {
		end(err)
	}
	context.AfterFunc(ctx, func() { end(nil) })
	return l, err
}

// pastOf is the journal in a directory; nil for none.
func pastOf(dir string) (screen.Past, error) {
	if dir == "" {
		return nil, nil
	}
	files, err := journal.Files(dir)
	if err != nil {
		return nil, asUsage(err)
	}
	if len(files) == 0 {
		return nil, usage("%s has no plan of the controller's journal; want the directory of --journal-dir", dir)
	}
	return past(files), nil
}

// past are files of a journal, oldest first.
type past []string

func (p past) Len() int { return len(p) }

// Read reads a record as a screen shows it.
func (p past) Read(i int) (screen.Frame, error) {
	name := filepath.Base(p[i])
	out := screen.Frame{Past: fmt.Sprintf("%d of %d in the journal", i+1, len(p))}
	if journal.KindOf(p[i]) == journal.Moves {
		s, err := readSearch(p[i])
		if err != nil {
			return out, err
		}
		fleet := roster.OfSearch(s, name)
		out.Fleet = &fleet
		return out, nil
	}
	r, err := readRecord(p[i])
	if err != nil {
		return out, err
	}
	fleet := roster.OfPlan(r, name)
	out.Fleet, out.Ask = &fleet, roster.Recall(r).Explain
	return out, nil
}
