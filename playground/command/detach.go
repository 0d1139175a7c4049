package command

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/dovetail-sh/dovetail/playground/cluster"
)

// detach runs `up` in a process of its own that outlives this one and the
// terminal, and returns when its cluster is ready.
func detach(ctx context.Context, flags upFlags, out io.Writer) error {
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding the running program: %w", err)
	}
	if flags.dir == "" {
		if err := os.MkdirAll(cluster.DefaultRoot(), 0o700); err != nil {
			return fmt.Errorf("making the playgrounds' directory: %w", err)
		}
		if flags.dir, err = os.MkdirTemp(cluster.DefaultRoot(), ""); err != nil {
			return fmt.Errorf("making the playground's directory: %w", err)
		}
	}
	if flags.dir, err = filepath.Abs(flags.dir); err != nil {
		return fmt.Errorf("finding the playground's directory: %w", err)
	}
	return superviseDetached(ctx, exec.Command(binary, upArgs(flags)...), flags, out)
}

// upArgs are the arguments of the process in the background.
func upArgs(flags upFlags) []string {
	args := []string{"up", "--output=json", "--dir=" + flags.dir}
	if len(flags.parts) > 0 {
		args = append(args, "--parts="+strings.Join(flags.parts, ","))
	}
	if len(flags.with) > 0 {
		args = append(args, "--with="+strings.Join(flags.with, ","))
	}
	if flags.keep {
		args = append(args, "--keep")
	}
	return args
}

func superviseDetached(ctx context.Context, cmd *exec.Cmd, flags upFlags, out io.Writer) error {
	logPath := filepath.Join(flags.dir, "logs", "playground.log")
	if err := os.MkdirAll(filepath.Dir(logPath), 0o700); err != nil {
		return fmt.Errorf("making the playground's directory: %w", err)
	}
	log, err := os.Create(logPath)
	if err != nil {
		return fmt.Errorf("making the log of the process in the background: %w", err)
	}
	defer log.Close() // nothing of ours is buffered
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("making a pipe: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the cluster in the background: %w", err)
	}
	stopWaiting := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	defer stopWaiting()
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		// It ended before it was ready, and said why. The file is gone with the
		// directory, but not while we hold it open.
		_ = cmd.Wait()
		_, seekErr := log.Seek(0, io.SeekStart)
		said, readErr := io.ReadAll(log)
		return errors.Join(errors.New(complaint(string(said))), seekErr, readErr)
	}
	var state cluster.State
	if err := json.Unmarshal(line, &state); err != nil {
		return fmt.Errorf("reading the new cluster's state: %w", err)
	}
	return announce(out, state, flags)
}

// complaint is the error that Run printed at the end of what a process said.
func complaint(said string) string {
	if _, after, found := strings.Cut("\n"+said, "\n"+errorPrefix); found {
		said = after
	}
	return strings.TrimSpace(said)
}
