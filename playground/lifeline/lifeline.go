// Package lifeline makes a process end when the one that started it ends.
//
// The starter holds the write end of a pipe and the started process reads the
// other end: whatever kills the starter, SIGKILL included, the kernel closes
// the pipe. It works the same on Linux and macOS, which PR_SET_PDEATHSIG does
// not. This package owns that pipe and its environment variable; what to do
// when the line is cut is the caller's choice.
package lifeline

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// Variable names the environment variable that carries the number of the file
// descriptor to read.
const Variable = "PLAYGROUND_LIFELINE"

// Attach gives cmd a lifeline and returns the end to hold. The process of cmd
// sees the line cut when the returned file is closed or this process is gone.
// Call it before cmd.Start; close the second file after it.
func Attach(cmd *exec.Cmd) (hold, handedOver *os.File, err error) {
	handedOver, hold, err = os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("making a lifeline for %s: %w", cmd.Path, err)
	}
	cmd.ExtraFiles = append(cmd.ExtraFiles, handedOver)
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	// ExtraFiles start at descriptor 3.
	cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", Variable, 2+len(cmd.ExtraFiles)))
	return hold, handedOver, nil
}

// Watch calls cut once when this process's lifeline is cut. Without a lifeline
// it does nothing. It must be called early, before the variable is inherited.
func Watch(cut func()) error {
	value, ok := os.LookupEnv(Variable)
	if !ok {
		return nil
	}
	fd, err := strconv.Atoi(value)
	if err != nil || fd < 3 {
		return fmt.Errorf("%s is %q, must be the number of an open file descriptor above 2", Variable, value)
	}
	if err := os.Unsetenv(Variable); err != nil {
		return fmt.Errorf("clearing %s: %w", Variable, err)
	}
	syscall.CloseOnExec(fd)
	line := os.NewFile(uintptr(fd), "lifeline")
	go func() {
		var buffer [1]byte
		for {
			if _, err := line.Read(buffer[:]); err != nil {
				cut()
				return
			}
		}
	}()
	return nil
}
