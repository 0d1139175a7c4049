// Package queue is a message queue with SQS's rules: at-least-once delivery,
// a visibility timeout, receipts, long polling and retention. It knows no
// protocol.
package queue

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// Message is one delivery.
type Message struct {
	ID, Body string
	Receipt  string // of this delivery; deletes the message
	Sent     time.Time
	First    time.Time // first received
	Receives int
}

// MD5 is the checksum that SQS sends with a body.
func MD5(body string) string {
	sum := md5.Sum([]byte(body))
	return hex.EncodeToString(sum[:])
}

// Queue holds messages in the order they were sent.
type Queue struct {
	Name      string
	Created   time.Time
	Retention time.Duration
	Visible   time.Duration // default visibility timeout

	clock clock.Clock

	mu       sync.Mutex // guards the fields below
	messages []*stored
	next     uint64
	arrived  chan struct{} // closed and replaced whenever a message may be ready
}

type stored struct {
	Message
	number    uint64
	visibleAt time.Time
}

// New makes an empty queue.
func New(name string, c clock.Clock, retention, visible time.Duration) *Queue {
	return &Queue{
		Name:      name,
		Created:   c.Now(),
		Retention: retention,
		Visible:   visible,
		clock:     c,
		arrived:   make(chan struct{}),
	}
}

// Send appends a message, to be seen after delay, and returns its id.
func (q *Queue) Send(body string, delay time.Duration) string {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.next++
	now := q.clock.Now()
	m := &stored{
		Message:   Message{ID: fmt.Sprintf("%08x-0000-4000-8000-%012x", q.next>>32, q.next), Body: body, Sent: now},
		number:    q.next,
		visibleAt: now.Add(delay),
	}
	q.messages = append(q.messages, m)
	q.ringLocked()
	return m.ID
}

// ringLocked wakes all receivers. q.mu is held.
func (q *Queue) ringLocked() {
	close(q.arrived)
	q.arrived = make(chan struct{})
}

// Receive returns up to most messages, hiding them for visible. It waits up
// to wait for the first one, or until ctx ends.
func (q *Queue) Receive(ctx context.Context, most int, visible, wait time.Duration) []Message {
	deadline := q.clock.Now().Add(wait)
	for {
		got, arrived, until := q.take(most, visible)
		now := q.clock.Now()
		if len(got) > 0 || !now.Before(deadline) {
			return got
		}
		if until.IsZero() || until.After(deadline) {
			until = deadline
		}
		timer := q.clock.NewTimer(until.Sub(now))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-arrived:
		case <-timer.C():
		}
		timer.Stop()
	}
}

// take hides and returns what is visible. When nothing is, until says when
// the next hidden message will be.
func (q *Queue) take(most int, visible time.Duration) (got []Message, arrived <-chan struct{}, until time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.clock.Now()
	q.expireLocked(now)
	for _, m := range q.messages {
		if len(got) == most {
			break
		}
		if m.visibleAt.After(now) {
			if until.IsZero() || m.visibleAt.Before(until) {
				until = m.visibleAt
			}
			continue
		}
		m.visibleAt = now.Add(visible)
		m.Receives++
		if m.Receives == 1 {
			m.First = now
		}
		m.Receipt = strconv.FormatUint(m.number, 10) + "." + strconv.Itoa(m.Receives)
		got = append(got, m.Message)
	}
	return got, q.arrived, until
}

// expireLocked drops what is older than the retention. q.mu is held.
func (q *Queue) expireLocked(now time.Time) {
	old := 0
	for old < len(q.messages) && now.Sub(q.messages[old].Sent) >= q.Retention {
		old++
	}
	q.messages = q.messages[old:]
}

// Delete removes the message that a receipt belongs to. A receipt of a message
// that is gone is fine; one that never was is false.
func (q *Queue) Delete(receipt string) bool {
	number, ok := parseReceipt(receipt)
	if !ok {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := q.indexLocked(number); i >= 0 {
		q.messages = slices.Delete(q.messages, i, i+1)
	}
	return true
}

// Hide changes until when a received message stays hidden; false when there is
// no such message.
func (q *Queue) Hide(receipt string, visible time.Duration) bool {
	number, ok := parseReceipt(receipt)
	if !ok {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	i := q.indexLocked(number)
	if i < 0 {
		return false
	}
	q.messages[i].visibleAt = q.clock.Now().Add(visible)
	q.ringLocked()
	return true
}

// parseReceipt reads the message's number out of a receipt, "12.1".
func parseReceipt(receipt string) (uint64, bool) {
	text, _, found := strings.Cut(receipt, ".")
	number, err := strconv.ParseUint(text, 10, 64)
	return number, found && err == nil
}

func (q *Queue) indexLocked(number uint64) int {
	// Messages are numbered in the order in which they come.
	i, found := slices.BinarySearchFunc(
		q.messages,
		number,
		func(m *stored, n uint64) int { return cmp.Compare(m.number, n) },
	)
	if !found {
		return -1
	}
	return i
}

// Purge drops all messages.
func (q *Queue) Purge() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.messages = nil
}

// Counts returns how many messages can be received now, are hidden after a
// receive, and are delayed.
func (q *Queue) Counts() (ready, hidden, delayed int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.clock.Now()
	q.expireLocked(now)
	for _, m := range q.messages {
		switch {
		case !m.visibleAt.After(now):
			ready++
		case m.Receives > 0:
			hidden++
		default:
			delayed++
		}
	}
	return ready, hidden, delayed
}
