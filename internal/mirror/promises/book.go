package promises

import (
	"iter"
	"maps"
	"time"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Book holds all promises. Its maps agree with each other: no pod is in both planned and sent, and toward[name] has
// exactly the pods that planned or sent has for that name.
type Book struct {
	planned map[shape.PodID]plan
	sent    map[shape.PodID]string // the node that a pod's binding was sent for
	toward  map[string]map[shape.PodID]struct{}
	coming  map[string]time.Time // claims, and until when each is believed to appear

	next time.Time // no promise ends by itself before; zero if none does
}

// plan is where a pod is planned.
type plan struct {
	target string    // a node or a claim
	until  time.Time // zero until Begin: it does not end by itself
}

// NewBook makes an empty Book.
func NewBook() *Book {
	return &Book{
		planned: map[shape.PodID]plan{},
		sent:    map[shape.PodID]string{},
		toward:  map[string]map[shape.PodID]struct{}{},
		coming:  map[string]time.Time{},
	}
}

// Plan notes that a pod is planned onto a node or claim, in place of what was promised before. The plan ends by itself
// at until; the zero time means that it does not, unless Begin is called.
func (b *Book) Plan(pod shape.PodID, target string, until time.Time) {
	b.Cancel(pod)
	b.planned[pod] = plan{target, until}
	b.add(pod, target)
	b.wake(until)
}

// Begin has a plan that does not end by itself end at until. It reports whether there was such a plan.
func (b *Book) Begin(pod shape.PodID, until time.Time) bool {
	p, ok := b.planned[pod]
	if !ok || !p.until.IsZero() {
		return false
	}
	b.planned[pod] = plan{p.target, until}
	b.wake(until)
	return true
}

// Send notes that a pod's binding to a node is on its way, in place of what was promised before. Only Plan and Cancel
// end that: whatever became of the binding, nobody else may use the room.
func (b *Book) Send(pod shape.PodID, node string) {
	b.Cancel(pod)
	b.sent[pod] = node
	b.add(pod, node)
}

// Cancel ends what was promised to a pod.
func (b *Book) Cancel(pod shape.PodID) {
	if p, ok := b.planned[pod]; ok {
		delete(b.planned, pod)
		b.remove(pod, p.target)
	}
	if node, ok := b.sent[pod]; ok {
		delete(b.sent, pod)
		b.remove(pod, node)
	}
}

// Swap has two planned pods change places.
func (b *Book) Swap(one, other shape.PodID) {
	p, q := b.planned[one], b.planned[other]
	b.Plan(one, q.target, q.until)
	b.Plan(other, p.target, p.until)
}

// Target is the node or claim that a pod is planned onto; false if it is not planned.
func (b *Book) Target(pod shape.PodID) (string, bool) {
	p, ok := b.planned[pod]
	return p.target, ok
}

// Sent is the node that a pod's binding was sent for; false if none was.
func (b *Book) Sent(pod shape.PodID) (string, bool) {
	node, ok := b.sent[pod]
	return node, ok
}

// Toward lists the pods that are planned onto, or were sent to, what has this name, in no particular order.
func (b *Book) Toward(name string) []shape.PodID {
	out := make([]shape.PodID, 0, len(b.toward[name]))
	for pod := range b.toward[name] {
		out = append(out, pod)
	}
	return out
}

// Plans are all planned pods with their targets, in no particular order.
func (b *Book) Plans() iter.Seq2[shape.PodID, string] {
	return func(yield func(shape.PodID, string) bool) {
		for pod, p := range b.planned {
			if !yield(pod, p.target) {
				return
			}
		}
	}
}

// Planned is how many pods are planned.
func (b *Book) Planned() int { return len(b.planned) }

// Expect notes that a claim is about to appear. Expire gives it up at until.
func (b *Book) Expect(claim string, until time.Time) {
	b.coming[claim] = until
	b.wake(until)
}

// Appeared notes that a claim is no longer to be expected, and reports whether it was.
func (b *Book) Appeared(claim string) bool {
	_, ok := b.coming[claim]
	delete(b.coming, claim)
	return ok
}

// Expected are the claims that are about to appear, in no particular order.
func (b *Book) Expected() iter.Seq[string] { return maps.Keys(b.coming) }

// Expire ends the promises whose time is over, and lists them: claims that have not appeared, and pods that were
// planned.
func (b *Book) Expire(now time.Time) (claims []string, pods []shape.PodID) {
	if b.next.IsZero() || now.Before(b.next) {
		return nil, nil
	}
	b.next = time.Time{}
	for claim, until := range b.coming {
		if now.Before(until) {
			b.wake(until)
			continue
		}
		claims = append(claims, claim)
	}
	for pod, p := range b.planned {
		switch {
		case p.until.IsZero():
		case now.Before(p.until):
			b.wake(p.until)
		default:
			pods = append(pods, pod)
		}
	}
	for _, claim := range claims {
		delete(b.coming, claim)
	}
	for _, pod := range pods {
		b.Cancel(pod)
	}
	return claims, pods
}

// wake keeps next no later than until; the zero time never ends.
func (b *Book) wake(until time.Time) {
	if !until.IsZero() && (b.next.IsZero() || until.Before(b.next)) {
		b.next = until
	}
}

func (b *Book) add(pod shape.PodID, name string) {
	if b.toward[name] == nil {
		b.toward[name] = map[shape.PodID]struct{}{}
	}
	b.toward[name][pod] = struct{}{}
}

func (b *Book) remove(pod shape.PodID, name string) {
	delete(b.toward[name], pod)
	if len(b.toward[name]) == 0 {
		delete(b.toward, name)
	}
}
