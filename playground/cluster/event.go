package cluster

import (
	"fmt"
	"time"
)

// Kind says what happened to a part.
type Kind string

// What can happen to a part.
const (
	Started   Kind = "started"
	Died      Kind = "died"      // without being asked to; it is started again
	Restarted Kind = "restarted" // after it died
	Killed    Kind = "killed"    // it was asked to end and did not
)

// Event is something that happened to a part.
type Event struct {
	At     time.Time
	Part   string
	Kind   Kind
	Detail string
}

// String is one line for people, without the time.
func (e Event) String() string { return fmt.Sprintf("%s %s: %s", e.Part, e.Kind, e.Detail) }
