package rival

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// reminder is how often a log says that another still leads.
const reminder = time.Minute

// Lock is a Lease that is also taken while another controller leads by another Lease.
type Lock struct {
	resourcelock.Interface

	lookout *Lookout
	log     logr.Logger

	mu    sync.Mutex
	other *Rival    // whom we wait for
	told  time.Time // when the log last said so
	blind bool      // Leases may not be listed
}

// Behind makes a lock of one that controllers in this namespace share.
func Behind(inner resourcelock.Interface, lookout *Lookout, log logr.Logger) *Lock {
	return &Lock{Interface: inner, lookout: lookout, log: log}
}

// Get is who leads: by another Lease, else by this one.
func (l *Lock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	if err != nil && !apierrors.IsNotFound(err) || err == nil && record.HolderIdentity == l.Identity() {
		return record, raw, err
	}
	other, problem := l.lookout.Look(ctx)
	l.note(other, problem)
	if other == nil {
		return record, raw, err
	}
	its := resourcelock.LeaseSpecToLeaderElectionRecord(&other.lease.Spec)
	its.HolderIdentity = other.Lease.String() + ": " + other.Holder
	// Whether it is still there is judged by the lookout alone: who asks must not think by itself that it has expired.
	its.RenewTime = metav1.NewTime(l.lookout.clock.Now())
	text, err := json.Marshal(its)
	if err != nil {
		return nil, nil, fmt.Errorf("writing what %s says: %w", other.Lease, err)
	}
	return its, text, nil
}

// Waiting is whom this one waits for; nil for nobody.
func (l *Lock) Waiting() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.other == nil {
		return nil
	}
	return l.other
}

// note keeps what a look found, and says so when it is news.
func (l *Lock) note(other *Rival, problem error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.lookout.clock.Now()
	switch {
	case problem != nil && !l.blind:
		l.log.Error(problem, "cannot see whether another controller leads; going on")
	case other != nil && (l.other == nil || l.other.Lease != other.Lease || now.Sub(l.told) >= reminder):
		l.told = now
		l.log.Error(other, "waiting, as two controllers must not lead at once")
	case other == nil && l.other != nil && problem == nil:
		l.log.Info("the other controller does not lead any more", "Lease", l.other.Lease.String())
	}
	l.other, l.blind = other, problem != nil
}
