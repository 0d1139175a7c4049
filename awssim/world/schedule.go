package world

import (
	"container/heap"
	"time"
)

// moment is something that happens at a time.
type moment struct {
	at  time.Time
	seq uint64 // equal times keep the order they were put in
	do  func()
}

// schedule is a heap of moments, soonest first.
type schedule struct {
	heap    []moment
	seq     uint64
	changed bool // since Run last looked
}

func (q *schedule) Len() int { return len(q.heap) }
func (q *schedule) Less(i, j int) bool {
	a, b := q.heap[i], q.heap[j]
	if !a.at.Equal(b.at) {
		return a.at.Before(b.at)
	}
	return a.seq < b.seq
}
func (q *schedule) Swap(i, j int) { q.heap[i], q.heap[j] = q.heap[j], q.heap[i] }
func (q *schedule) Push(x any)    { q.heap = append(q.heap, x.(moment)) }
func (q *schedule) Pop() any {
	last := q.heap[len(q.heap)-1]
	q.heap[len(q.heap)-1] = moment{}
	q.heap = q.heap[:len(q.heap)-1]
	return last
}

// next returns when the soonest moment is.
func (q *schedule) next() (time.Time, bool) {
	if len(q.heap) == 0 {
		return time.Time{}, false
	}
	return q.heap[0].at, true
}

// after has do run when d has passed.
func (s *State) after(d time.Duration, do func()) {
	s.events.seq++
	s.events.changed = true
	heap.Push(&s.events, moment{at: s.Now.Add(d), seq: s.events.seq, do: do})
}

// advance runs all moments that are due. Each sees its own time as Now.
func (s *State) advance(now time.Time) {
	for {
		at, ok := s.events.next()
		if !ok || at.After(now) {
			break
		}
		m := heap.Pop(&s.events).(moment)
		s.Now = m.at
		m.do()
	}
	s.Now = now
}
