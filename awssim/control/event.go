package control

import (
	"context"
	"net/http"

	"github.com/dovetail-sh/dovetail/awssim/fault"
)

// Target names an instance, by its id or its node's name.
type Target struct {
	Instance string `json:"instance,omitempty"`
	Node     string `json:"node,omitempty"`
}

// EventKind is what befalls an instance.
type EventKind string

const (
	// Rebalance recommends to give up a spot instance.
	Rebalance EventKind = "rebalance"
	// ScheduledChange announces work on the instance's host: Code says which,
	// After when it begins.
	ScheduledChange EventKind = "scheduled-change"
	// Reclaim takes back an instance of an interruptible capacity reservation,
	// after two minutes' notice.
	Reclaim EventKind = "reclaim"
	// Impaired has a status check fail, and Healed pass again: Code says which,
	// "instance" or "system".
	Impaired EventKind = "impaired"
	Healed   EventKind = "healed"
	// Silence stops the node's heartbeats; the instance goes on.
	Silence EventKind = "silence"
	// Message puts Body into the queue as it is, about no instance.
	Message EventKind = "message"
)

// EventKinds lists all kinds.
func EventKinds() []EventKind {
	return []EventKind{Rebalance, ScheduledChange, Reclaim, Impaired, Healed, Silence, Message}
}

// Event is one thing that befalls an instance.
type Event struct {
	Kind EventKind `json:"kind"`
	Target
	Code  string         `json:"code,omitempty"`
	After fault.Duration `json:"after,omitempty"`
	Body  string         `json:"body,omitempty"`
}

// Interrupt gives a spot instance its two minutes' notice.
func (c *Client) Interrupt(ctx context.Context, target Target) error {
	return c.call(ctx, http.MethodPost, "interrupt", target, nil)
}

// Befall has something befall an instance.
func (c *Client) Befall(ctx context.Context, e Event) error {
	return c.call(ctx, http.MethodPost, "event", e, nil)
}
