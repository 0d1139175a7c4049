package objects

import (
	"time"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// holds are the pods whose annotations hold them for a while, and until when.
type holds struct {
	until map[shape.PodID]time.Time
	next  time.Time // no hold ends before; zero if none ends
}

// put notes until when a pod is held; the zero time means that no hold of it ends by itself.
func (h *holds) put(id shape.PodID, until time.Time) {
	if until.IsZero() {
		h.drop(id)
		return
	}
	h.until[id] = until
	h.wake(until)
}

func (h *holds) drop(id shape.PodID) { delete(h.until, id) }

// end ends the holds that are over by now, and lists them.
func (h *holds) end(now time.Time) (ended []shape.PodID) {
	if h.next.IsZero() || now.Before(h.next) {
		return nil
	}
	h.next = time.Time{}
	for id, until := range h.until {
		if now.Before(until) {
			h.wake(until)
			continue
		}
		delete(h.until, id)
		ended = append(ended, id)
	}
	return ended
}

func (h *holds) wake(until time.Time) {
	if h.next.IsZero() || until.Before(h.next) {
		h.next = until
	}
}
