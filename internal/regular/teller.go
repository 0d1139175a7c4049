// Package regular tells users of the cloud's regular work: what is done again and again, for no object in particular,
// such as listing machines, reading a queue, and refreshing prices.
//
// Work that fails is an event of each node class, since that is where a user looks who wonders about the cloud. It is
// said when the failures begin, again at intervals while they last, and once more when the work succeeds. The package
// retries nothing and logs no failure: that is the work's own.
package regular

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/internal/observe"
)

// again is how long a failure that lasts is not said again, whatever its words: some differ each time.
const again = 10 * time.Minute

// Outcome notes how a piece of regular work went. The work is a phrase that holds still, such as "Listing machines".
type Outcome func(ctx context.Context, work string, err error)

// Deps are what a Teller needs; all are required.
type Deps struct {
	// Client reads node classes, from a cache.
	Client client.Reader
	// Lists returns empty lists of the kinds of node classes.
	Lists  func() []client.ObjectList
	Clock  clock.PassiveClock
	Events *observe.Recorder
	Log    logr.Logger

	// Explain is what a user reads of an error.
	Explain func(error) string
}

// Teller tells of regular work. It is safe for use by many goroutines.
type Teller struct {
	Deps

	mu   sync.Mutex           // guards the field below
	told map[string]time.Time // when each work that fails was last told of
}

// New makes a Teller.
func New(d Deps) *Teller { return &Teller{Deps: d, told: map[string]time.Time{}} }

// Outcome is an Outcome. What fails because the daemon stops is not told.
func (t *Teller) Outcome(ctx context.Context, work string, err error) {
	switch {
	case ctx.Err() != nil:
	case err != nil && t.dueAgain(work):
		t.Tell(ctx, observe.CloudWorkFailed, fmt.Sprintf("%s fails: %s", work, t.Explain(err)))
	case err == nil && t.wasFailing(work):
		t.Tell(ctx, observe.CloudWorkRecovered, work+" works again")
	}
}

// Tell records an event of each node class.
func (t *Teller) Tell(ctx context.Context, reason *observe.Reason, message string) {
	for _, list := range t.Lists() {
		if err := t.Client.List(ctx, list); err != nil {
			t.Log.Error(err, "listing node classes to tell of the cloud's regular work", observe.LogReason, reason.Name)
			continue
		}
		// The error is of lists without items, which node classes' are not.
		_ = meta.EachListItem(list, func(o runtime.Object) error {
			t.Events.EmitOf(message, o, reason, message) // what is said too often is kept back before this
			return nil
		})
	}
}

// dueAgain reports whether a failure is to be told now.
func (t *Teller) dueAgain(work string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.Clock.Now()
	if at, ok := t.told[work]; ok && now.Sub(at) < again {
		return false
	}
	t.told[work] = now
	return true
}

// wasFailing reports whether the work failed when it was last done, and forgets it.
func (t *Teller) wasFailing(work string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, failing := t.told[work]
	delete(t.told, work)
	return failing
}
