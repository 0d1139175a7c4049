// Package rival finds other controllers that work on the same NodePools, and keeps this one from leading beside them.
// Controllers in one namespace with one Lease take turns by themselves. Those in another namespace, or with a Lease of
// another name, would not: they are known by the Lease that they renew, and by what they write into NodeClaims.
// It reads Leases of the whole cluster and never writes another's.
package rival

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/utils/clock"
)

const (
	// Usual is what Karpenter and this controller call their Lease unless they are told otherwise.
	Usual = "karpenter-leader-election"

	// karpenter and dovetail are whom the API server notes as the writer of their objects.
	karpenter, dovetail = "karpenter", "dovetail"

	nodeLeases = "kube-node-lease" // a Lease for each node: thousands, and none of a controller
	anyway     = 15 * time.Second  // duration of a lease that states none
	fresh      = 2 * time.Second   // how long a look is good for
)

// Rival is another controller that leads.
type Rival struct {
	Lease  types.NamespacedName // by which it leads
	Holder string               // the process that holds it: a pod's name and a UUID, mostly

	lease *coordinationv1.Lease
}

// Error says what that means, and the way out.
func (r *Rival) Error() string {
	return fmt.Sprintf("another controller leads: %s holds the Lease %s, and two controllers would undo each other's "+
		"work; to let this one work, stop that one: kubectl scale deployment %s --replicas 0 -n %s",
		r.Holder, r.Lease, r.deployment(), r.Lease.Namespace)
}

// podOfDeployment takes the name of a Deployment out of a holder's identity.
var podOfDeployment = regexp.MustCompile(`^(.+)-[a-z0-9]{6,10}-[a-z0-9]{5}(_|$)`)

func (r *Rival) deployment() string {
	if parts := podOfDeployment.FindStringSubmatch(r.Holder); parts != nil {
		return parts[1]
	}
	return karpenter
}

// yields reports whether we step back when both of us lead: always for Karpenter, which does not look for others, and
// for one of our own if it led first.
func (r *Rival) yields(own *coordinationv1.Lease) bool {
	if own == nil || !writtenBy(r.lease, dovetail) {
		return true
	}
	mine, its := own.Spec.AcquireTime, r.lease.Spec.AcquireTime
	if mine == nil || its == nil || mine.Time.Equal(its.Time) {
		return r.Lease.String() < own.Namespace+"/"+own.Name
	}
	return its.Time.Before(mine.Time)
}

// Lookout looks for others. It is safe for concurrent use.
type Lookout struct {
	leases coordinationclient.LeasesGetter
	own    types.NamespacedName
	clock  clock.PassiveClock

	mu     sync.Mutex
	seen   map[types.NamespacedName]sight
	at     time.Time // of the last look
	last   *Rival
	lastMe *coordinationv1.Lease
}

// sight is when a Lease was seen to change.
type sight struct {
	renewed string
	at      time.Time
}

// NewLookout looks for others than those that use the Lease own.
func NewLookout(leases coordinationclient.LeasesGetter, own types.NamespacedName, c clock.PassiveClock) *Lookout {
	return &Lookout{leases: leases, own: own, clock: c, seen: map[types.NamespacedName]sight{}}
}

// Look finds another that leads now; nil if there is none. A Lease that is held counts until it has not been renewed
// for its duration, by our clock and as we see it: clocks of others are not asked. An answer is up to two seconds old.
func (l *Lookout) Look(ctx context.Context) (*Rival, error) {
	other, _, err := l.look(ctx)
	return other, err
}

func (l *Lookout) look(ctx context.Context) (other *Rival, own *coordinationv1.Lease, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	if !l.at.IsZero() && now.Sub(l.at) < fresh {
		return l.last, l.lastMe, nil
	}
	list, err := l.leases.Leases(metav1.NamespaceAll).List(ctx, metav1.ListOptions{
		FieldSelector: "metadata.namespace!=" + nodeLeases, ResourceVersion: "0",
	})
	if err != nil {
		return nil, nil, fmt.Errorf("listing Leases to find other controllers: %w", err)
	}
	l.at, l.last, l.lastMe = now, nil, nil
	slices.SortFunc(list.Items, func(a, b coordinationv1.Lease) int { return oldest(&a, &b) })
	for i := range list.Items {
		lease := &list.Items[i]
		key := types.NamespacedName{Namespace: lease.Namespace, Name: lease.Name}
		switch {
		case key == l.own:
			l.lastMe = lease
		case l.last == nil && (OfController(lease) || lease.Name == l.own.Name) && l.alive(key, lease, now):
			l.last = &Rival{Lease: key, Holder: *lease.Spec.HolderIdentity, lease: lease}
		}
	}
	return l.last, l.lastMe, nil
}

// oldest sorts by who leads for longest, so that the same one is named each time.
func oldest(a, b *coordinationv1.Lease) int {
	if x, y := a.Spec.AcquireTime, b.Spec.AcquireTime; x != nil && y != nil {
		return x.Time.Compare(y.Time)
	}
	return 0
}

// OfController reports whether a Lease is one of Karpenter's or ours, by its name or by who wrote it.
func OfController(lease *coordinationv1.Lease) bool {
	return lease.Namespace != nodeLeases && (lease.Name == Usual || writtenBy(lease, karpenter, dovetail))
}

func writtenBy(o metav1.Object, who ...string) bool {
	return slices.ContainsFunc(o.GetManagedFields(), func(f metav1.ManagedFieldsEntry) bool {
		return slices.Contains(who, f.Manager)
	})
}

// longGone is after how many of its durations a Lease was left behind, and not renewed by somebody whose clock is
// wrong: 5 minutes of the usual 15 seconds.
const longGone = 20

// alive reports whether a Lease is held by somebody who renews it.
func (l *Lookout) alive(key types.NamespacedName, lease *coordinationv1.Lease, now time.Time) bool {
	spec := lease.Spec
	if spec.HolderIdentity == nil || *spec.HolderIdentity == "" || spec.RenewTime == nil {
		return false
	}
	lasts := anyway
	if s := spec.LeaseDurationSeconds; s != nil && *s > 0 {
		lasts = time.Duration(*s) * time.Second
	}
	is := sight{*spec.HolderIdentity + " " + spec.RenewTime.UTC().Format(time.RFC3339Nano), now}
	was, known := l.seen[key]
	switch long := now.Add(-longGone * lasts); {
	case known && was.renewed == is.renewed:
		is = was
	case !known && spec.RenewTime.Time.Before(long):
		is.at = long // left by a controller that is long gone: no clock is wrong by so much
	}
	l.seen[key] = is
	return now.Sub(is.at) < lasts
}
