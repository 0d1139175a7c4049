package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
)

// Exit codes. 128 and a signal's number is what shells give what a signal ended.
const (
	exitFailed = 1 // no valid answer
	exitUsage  = 2 // a flag, a file or a manifest is wrong; nothing was contacted or changed
	exitFound  = 3 // a valid answer, asked for with --exit-code, and it is yes
	exitGuard  = 4 // a valid answer that crosses what a flag allows
	exitSignal = 128
)

// Stopped is why a context has ended: a signal told the program to.
type Stopped struct{ Signal os.Signal }

func (s Stopped) Error() string {
	if s.Signal == os.Interrupt {
		return "interrupted"
	}
	return "ended by a signal: " + s.Signal.String()
}

// errUsage marks what its user can mend by writing the command, or a file that it names, otherwise.
type errUsage struct{ error }

func (e errUsage) Unwrap() error { return e.error }

// usage is an error of how a command was called.
func usage(format string, args ...any) error { return errUsage{fmt.Errorf(format, args...)} }

// asUsage marks an error, if it is one, as one of what a command was given.
func asUsage(err error) error {
	if err == nil {
		return nil
	}
	return errUsage{err}
}

// grace is how long a command may take to end by itself once it is told to: planning cannot be broken off. One that has
// the terminal to give back gets longer, on however busy a machine.
const (
	grace         = 2 * time.Second
	graceOfScreen = 20 * time.Second
)

// onScreen marks commands that draw on the whole terminal.
const onScreen = "onScreen"

// stays marks commands that end in their own time once they are told to.
const stays = "stays"

// quiet has libraries log nothing; the controller has them log again. It is done once and before anything runs, since
// libraries read what is set without a lock.
var quiet = sync.OnceFunc(func() { setGlobalLog(logr.Discard()) })

// execute runs a command until it ends or is ended.
func execute(ctx context.Context, root *cobra.Command, args []string) error {
	quiet()
	cmd, _, err := root.Find(args)
	inItsOwnTime := err == nil && cmd.Annotations[stays] != ""
	done := make(chan error, 1)
	go func() { done <- sound(inItsOwnTime, func() error { return helped(ctx, root) }) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	if inItsOwnTime {
		return <-done
	}
	most := grace
	if err == nil && cmd.Annotations[onScreen] != "" {
		most = graceOfScreen
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return context.Cause(ctx)
	}
}

// sound runs a command and makes an error of a fault of ours: its user needs no stack, but to know what to send. The
// controller's own log keeps the stack.
func sound(controller bool, run func() error) (err error) {
	if controller {
		return run()
	}
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("a fault of dovetail's own: %s (%s); please report it, with the file that "+
				"`dovetail record --redact` writes", oneLine(fmt.Errorf("%v", fault)), origin())
		}
	}()
	return run()
}

// origin is where a panic that is being recovered came from.
func origin() string {
	callers := make([]uintptr, 64)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	for panicked := false; ; {
		f, more := frames.Next()
		inRuntime := strings.HasPrefix(f.Function, "runtime.") || strings.HasPrefix(f.Function, "internal/runtime/")
		if panicked && !inRuntime || !more {
			return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
		}
		panicked = panicked || f.Function == "runtime.gopanic"
	}
}

// codeOf says an error to its user, in full and once, and is the exit code.
func codeOf(ctx context.Context, err error, stderr io.Writer) int {
	if err == nil {
		return 0
	}
	if errors.Is(err, errFound) {
		return exitFound
	}
	var stopped Stopped
	if errors.As(context.Cause(ctx), &stopped) || errors.As(err, &stopped) {
		fmt.Fprintf(stderr, "dovetail: %v\n", stopped)
		if number, ok := stopped.Signal.(syscall.Signal); ok {
			return exitSignal + int(number)
		}
		return exitFailed
	}
	fmt.Fprintf(stderr, "dovetail: %s\n", strings.TrimSpace(err.Error()))
	var wrong errUsage
	switch {
	case errors.Is(err, errGuard):
		return exitGuard
	case errors.As(err, &wrong):
		return exitUsage
	}
	return exitFailed
}
