package provider

import (
	"errors"
	"fmt"
)

var (
	// ErrNoCapacity means that the cloud had none of the candidates just now. The claim is
	// given up and its pods are planned again.
	ErrNoCapacity = errors.New("no capacity")

	// ErrNotFound means that the machine is gone.
	ErrNotFound = errors.New("machine not found")

	// ErrRebootRefused means that the cloud will not reboot the machine, however often it is asked.
	ErrRebootRefused = errors.New("reboot refused")

	// ErrClassNotFound means that the NodeClass does not exist.
	ErrClassNotFound = errors.New("node class not found")

	// ErrClassNotReady means that the NodeClass exists and cannot launch anything yet.
	ErrClassNotReady = errors.New("node class not ready")

	// ErrClassUndecided is an ErrClassNotReady of the moment: nobody has looked at the NodeClass since it was made or
	// changed, or since the daemon started. Claims wait for the answer, and are not given up.
	ErrClassUndecided = fmt.Errorf("%w yet", ErrClassNotReady)
)

// LaunchError is a failure to launch that is worth another attempt, in words for the
// claim's Launched condition.
type LaunchError struct {
	Reason  string // CamelCase, from a fixed set for each cloud
	Message string // one sentence that holds still while nothing changes
	Err     error
}

// Error is the message and its cause.
func (e *LaunchError) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return fmt.Sprintf("%s: %v", e.Message, e.Err)
}

// Unwrap is the cause.
func (e *LaunchError) Unwrap() error { return e.Err }
