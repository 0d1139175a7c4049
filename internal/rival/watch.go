package rival

import (
	"context"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
)

const (
	// between are the looks of one that leads.
	between = 5 * time.Second

	// grace is for what another wrote just before it stopped, and for clocks that differ.
	grace = 15 * time.Second
)

// Watch ends a leader that is not alone. It runs only while this controller leads.
type Watch struct {
	lookout *Lookout
	clock   clock.WithTicker

	mu    sync.Mutex
	since time.Time // zero while we do not lead
	found chan error
}

// NewWatch watches while we lead.
func NewWatch(lookout *Lookout, c clock.WithTicker) *Watch {
	return &Watch{lookout: lookout, clock: c, found: make(chan error, 1)}
}

// NeedLeaderElection is true: standbys wait by their lock.
func (w *Watch) NeedLeaderElection() bool { return true }

// Start returns an error as soon as another controller is seen at work beside this one.
func (w *Watch) Start(ctx context.Context) error {
	w.mu.Lock()
	w.since = w.clock.Now()
	w.mu.Unlock()
	tick := w.clock.NewTicker(between)
	defer tick.Stop()
	for {
		// A look that fails finds nobody: a broken API server is told of elsewhere.
		if other, own, err := w.lookout.look(ctx); err == nil && other != nil && other.yields(own) {
			return other
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-w.found:
			if other, _, problem := w.lookout.look(ctx); problem == nil && other != nil {
				return other // says more
			}
			return err
		case <-tick.C():
		}
	}
}

// Saw is told of NodeClaims of ours as the API server sends them. The status of one that Karpenter writes while we lead
// shows a Karpenter that leads by no Lease at all.
func (w *Watch) Saw(claim metav1.Object) {
	w.mu.Lock()
	since := w.since
	w.mu.Unlock()
	if since.IsZero() {
		return
	}
	for _, f := range claim.GetManagedFields() {
		if f.Manager != karpenter || f.Subresource != "status" || f.Time == nil || !f.Time.After(since.Add(grace)) {
			continue
		}
		select {
		case w.found <- fmt.Errorf("another controller is at work: Karpenter wrote the status of NodeClaim %s at %s, "+
			"and two controllers would undo each other's work; to let this one work, stop that one: "+
			"kubectl get deployments -A | grep karpenter, and scale it to 0",
			claim.GetName(), f.Time.UTC().Format(time.TimeOnly)):
		default: // one is enough
		}
	}
}
