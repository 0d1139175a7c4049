package rival

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/utils/clock"
)

var own = types.NamespacedName{Namespace: "kube-system", Name: Usual}

func lease(namespace, name, holder, writer string) *coordinationv1.Lease {
	now := metav1.NowMicro()
	return &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name,
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: writer}}},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: &holder, LeaseDurationSeconds: new(int32(15)), AcquireTime: &now, RenewTime: &now,
		},
	}
}

// shelf is an API server that has Leases alone, of any namespace.
type shelf struct {
	coordinationclient.CoordinationV1Interface // nil, as the next: nothing else is asked of it
	coordinationclient.LeaseInterface

	mu      sync.Mutex
	leases  map[string]*coordinationv1.Lease
	refuses error
}

func (s *shelf) Leases(string) coordinationclient.LeaseInterface { return s }

func (s *shelf) put(list ...*coordinationv1.Lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range list {
		s.leases[l.Namespace+"/"+l.Name] = l.DeepCopy()
	}
}

func (s *shelf) List(context.Context, metav1.ListOptions) (*coordinationv1.LeaseList, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &coordinationv1.LeaseList{}
	for _, l := range s.leases {
		out.Items = append(out.Items, *l.DeepCopy())
	}
	return out, s.refuses
}

func (s *shelf) Get(_ context.Context, name string, _ metav1.GetOptions) (*coordinationv1.Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.leases[own.Namespace+"/"+name]; l != nil {
		return l.DeepCopy(), nil
	}
	return nil, apierrors.NewNotFound(coordinationv1.Resource("leases"), name)
}

func (s *shelf) Create(
	_ context.Context, l *coordinationv1.Lease, _ metav1.CreateOptions,
) (*coordinationv1.Lease, error) {
	s.put(l)
	return l, nil
}

func (s *shelf) Update(
	_ context.Context, l *coordinationv1.Lease, _ metav1.UpdateOptions,
) (*coordinationv1.Lease, error) {
	s.put(l)
	return l, nil
}

func lookout(leases ...*coordinationv1.Lease) (*Lookout, *shelf) {
	s := &shelf{leases: map[string]*coordinationv1.Lease{}}
	s.put(leases...)
	return NewLookout(s, own, clock.RealClock{}), s
}

// Another leads by whatever Lease, if it is Karpenter's or ours by name or by who writes it.
func TestOthersAreFound(t *testing.T) {
	t.Parallel()
	const pod = "karpenter-7d9f8b6c5d-x2x4z_6d0d"
	for name, c := range map[string]struct {
		lease *coordinationv1.Lease
		fix   string // empty if it is nobody
	}{
		"other namespace":      {lease("karpenter", Usual, pod, "karpenter"), "karpenter --replicas 0 -n karpenter"},
		"other name":           {lease("kube-system", "blue", pod, "karpenter"), "--replicas 0 -n kube-system"},
		"Dovetail elsewhere":   {lease("x", "y", "blue-dove-7d9f8b6c5d-x2x4z", "dovetail"), "deployment blue-dove "},
		"a node's name":        {lease("karpenter", Usual, "ip-10-0-0-7.a_6d0d", "karpenter"), "deployment karpenter "},
		"our own":              {lease("kube-system", Usual, pod, "dovetail"), ""},
		"released":             {lease("karpenter", Usual, "", "karpenter"), ""},
		"of another operator":  {lease("kube-system", "kube-scheduler", "a_b", "kube-scheduler"), ""},
		"of a node":            {lease("kube-node-lease", "ip-10-0-0-7", "ip-10-0-0-7", "karpenter"), ""},
		"name of ours by luck": {lease("other", Usual, pod, "somebody"), "-n other"},
	} {
		l, _ := lookout(c.lease)
		got, err := l.Look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case got == nil && c.fix != "":
			t.Errorf("%s: nobody is found", name)
		case got != nil && (c.fix == "" || !strings.Contains(got.Error(), c.fix)):
			t.Errorf("%s: found %q, want %q", name, got, c.fix)
		}
	}
}

// One that is killed leads until its lease is over; one that is long gone does not lead at all.
func TestWhoDoesNotRenewIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, _ := lookout(lease("karpenter", Usual, "a", "karpenter"))
		for range 7 {
			if got, _ := l.Look(t.Context()); got == nil {
				t.Error("its lease is not over, and it is not found")
			}
			<-time.After(2 * time.Second)
		}
		<-time.After(2 * time.Second)
		if got, _ := l.Look(t.Context()); got != nil {
			t.Errorf("its lease is over, and still: %v", got)
		}
	})
	old := lease("karpenter", Usual, "a", "karpenter")
	old.Spec.RenewTime.Time = old.Spec.RenewTime.Add(-time.Hour)
	l, _ := lookout(old)
	if got, _ := l.Look(t.Context()); got != nil {
		t.Errorf("left an hour ago, and still: %v", got)
	}
}

// elect runs for leader; the channel is closed when it leads.
func elect(ctx context.Context, t *testing.T, kube *shelf, log logr.Logger) (*Lock, <-chan struct{}) {
	t.Helper()
	inner, err := resourcelock.New(resourcelock.LeasesResourceLock, own.Namespace, own.Name, nil,
		kube, resourcelock.ResourceLockConfig{Identity: "we"})
	if err != nil {
		t.Fatal(err)
	}
	lock := Behind(inner, NewLookout(kube, own, clock.RealClock{}), log)
	leads := make(chan struct{})
	e, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: time.Second,
		ReleaseOnCancel: true, Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { close(leads) }, OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	go e.Run(ctx)
	return lock, leads
}

func leading(leads <-chan struct{}) bool {
	select {
	case <-leads:
		return true
	default:
		return false
	}
}

// A controller waits for another in whatever namespace, says so once a minute, and leads soon after that one stops in
// good order; after it is killed, as soon as its lease is over. What its own Lease is like does not matter.
func TestNobodyLeadsBesideAnother(t *testing.T) {
	t.Parallel()
	stale := lease(own.Namespace, own.Name, "one of ours that was killed", "dovetail")
	for name, c := range map[string]struct {
		own    *coordinationv1.Lease
		killed bool
		within time.Duration
	}{
		"first ever":       {nil, false, 5 * time.Second},
		"killed":           {nil, true, 30 * time.Second},
		"stale lease":      {stale, false, 45 * time.Second},
		"killed and stale": {stale, true, 60 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				other := lease("karpenter", Usual, "karpenter-7d9f8b6c5d-x2x4z_6d0d", "karpenter")
				_, kube := lookout(other)
				if c.own != nil {
					kube.put(c.own)
				}
				var said atomic.Int32
				ctx, cancel := context.WithCancel(t.Context())
				lock, leads := elect(ctx, t, kube, funcr.New(func(_, _ string) { said.Add(1) }, funcr.Options{}))
				for range 50 { // 100 s
					<-time.After(2 * time.Second)
					renew(kube, other)
					if leading(leads) || lock.Waiting() == nil {
						t.Fatal("it leads beside another")
					}
				}
				if n := said.Load(); n != 2 {
					t.Errorf("it said so %d times in 100 s", n)
				}
				if !c.killed {
					*other.Spec.HolderIdentity = ""
					renew(kube, other)
				}
				<-time.After(c.within)
				if !leading(leads) || lock.Waiting() != nil {
					t.Errorf("it does not lead %s after the other has ended; waits for %v", c.within, lock.Waiting())
				}
				cancel()
				synctest.Wait()
			})
		})
	}
}

func renew(kube *shelf, l *coordinationv1.Lease) {
	now := metav1.NowMicro()
	l.Spec.RenewTime = &now
	kube.put(l)
}

// Without the right to list Leases it leads, and says once what it cannot see.
func TestWithoutTheRightItLeads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, kube := lookout()
		kube.refuses = apierrors.NewForbidden(coordinationv1.Resource("leases"), "", nil)
		var said []string
		ctx, cancel := context.WithCancel(t.Context())
		log := funcr.New(func(_, args string) { said = append(said, args) }, funcr.Options{})
		_, leads := elect(ctx, t, kube, log)
		<-time.After(10 * time.Second)
		synctest.Wait()
		if !leading(leads) || len(said) != 1 || !strings.Contains(said[0], "forbidden") {
			t.Errorf("leads: %t; said %q", leading(leads), said)
		}
		cancel()
		synctest.Wait()
	})
}

// A leader ends when Karpenter comes, and when it is the later of two of our own; else it stays.
func TestALeaderStepsBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		writer string
		after  time.Duration // when the other began to lead, after us
		ends   bool
	}{
		"Karpenter":           {"karpenter", time.Hour, true},
		"ours, and was first": {"dovetail", -time.Second, true},
		"ours, and was later": {"dovetail", time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l, kube := lookout(lease(own.Namespace, own.Name, "we", "dovetail"))
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- NewWatch(l, clock.RealClock{}).Start(ctx) }()
				<-time.After(time.Minute)
				other := lease("karpenter", Usual, "a", c.writer)
				other.Spec.AcquireTime.Time = other.Spec.AcquireTime.Add(c.after - time.Minute)
				kube.put(other)
				<-time.After(between)
				synctest.Wait()
				select {
				case err := <-ended:
					if !c.ends || err == nil {
						t.Errorf("it ended with %v", err)
					}
				default:
					if c.ends {
						t.Error("it goes on beside another")
					}
				}
				cancel()
				synctest.Wait()
			})
		})
	}
}

// What Karpenter writes while we lead shows one that leads by no Lease; what it wrote before, and what others write,
// does not.
func TestWritesShowAnother(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		manager, subresource string
		after                time.Duration
		ends                 bool
	}{
		"Karpenter":        {"karpenter", "status", time.Minute, true},
		"before":           {"karpenter", "status", -time.Minute, false},
		"just when it led": {"karpenter", "status", 10 * time.Second, false},
		"ourselves":        {"dovetail", "status", time.Minute, false},
		"kubectl":          {"kubectl-edit", "", time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l, _ := lookout()
				w := NewWatch(l, clock.RealClock{})
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- w.Start(ctx) }()
				synctest.Wait()
				at := metav1.NewTime(time.Now().Add(c.after))
				wrote := metav1.ManagedFieldsEntry{Manager: c.manager, Subresource: c.subresource, Time: &at}
				w.Saw(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{
					Name: "default-abcde", ManagedFields: []metav1.ManagedFieldsEntry{wrote},
				}})
				synctest.Wait()
				cancel()
				if err := <-ended; (err != nil) != c.ends || c.ends && !strings.Contains(err.Error(), "default-abcde") {
					t.Errorf("it ended with %v", err)
				}
			})
		})
	}
}
