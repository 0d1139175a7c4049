package lifecycle

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider"
)

// late is a cache whose watches stand still from time to time: it shows what was there then.
type late struct {
	node  *corev1.Node           // what is shown of every node; nil for the truth
	claim *karpenterv1.NodeClaim // likewise
}

func (l *late) faults() interceptor.Funcs {
	return interceptor.Funcs{
		Get: func(
			ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption,
		) error {
			if claim, ok := o.(*karpenterv1.NodeClaim); ok && l.claim != nil {
				l.claim.DeepCopyInto(claim)
				return nil
			}
			return c.Get(ctx, key, o, opts...)
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			err := c.List(ctx, list, opts...)
			if nodes, ok := list.(*corev1.NodeList); ok && l.node != nil {
				for i := range nodes.Items {
					l.node.DeepCopyInto(&nodes.Items[i])
				}
			}
			return err
		},
	}
}

// Whatever a claim's life is told by is told once, however long the watches stand still after each write, whichever of
// them does.
func TestNothingIsToldTwiceWhileWatchesAreLate(t *testing.T) {
	t.Parallel()
	stages := map[string]struct {
		ready bool // the node is ready as soon as it joins
		slow  string
	}{
		"nodes":                          {slow: "node"},
		"claims":                         {slow: "claim"},
		"both":                           {slow: "node claim"},
		"nodes, ready when it joins":     {ready: true, slow: "node"},
		"claims, ready when it joins":    {ready: true, slow: "claim"},
		"both late, ready when it joins": {ready: true, slow: "node claim"},
	}
	for name, tc := range stages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			playLate(t, tc.ready, tc.slow)
		})
	}
}

// play is a claim's life, as caches that are late see it.
type play struct {
	*stage
	cache *late
	slow  string // what is shown late: node, claim or both
	said  map[string]int
}

// look reconciles once. Conflicts are what saves a late cache.
func (p *play) look(t *testing.T) {
	t.Helper()
	log := funcr.New(func(_, args string) {
		for _, text := range observe.Messages() {
			if strings.Contains(args, `"msg"="`+text+`"`) {
				p.said[text]++
			}
		}
	}, funcr.Options{})
	request := reconcile.Request{NamespacedName: client.ObjectKey{Name: "general-x7"}}
	_, err := p.Reconcile(logf.IntoContext(t.Context(), log), request)
	if err != nil && !apierrors.IsConflict(err) {
		t.Fatal(err)
	}
}

// steps has each step looked at by caches as they were before it, again and again, and then by such as have caught up.
func (p *play) steps(t *testing.T) {
	t.Helper()
	for range 4 {
		var nodes corev1.NodeList
		if err := p.Client.List(t.Context(), &nodes); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(p.slow, "node") && len(nodes.Items) > 0 {
			p.cache.node = nodes.Items[0].DeepCopy()
		}
		if strings.Contains(p.slow, "claim") {
			p.cache.claim = p.claim(t)
		}
		for range 3 {
			p.look(t)
		}
		p.cache.node, p.cache.claim = nil, nil
		p.look(t)
	}
}

// joins has the claim's node join, and become ready if it is not.
func (p *play) joins(t *testing.T, ready bool) {
	t.Helper()
	node := readyNode("a", carrying(karpenterv1.UnregisteredTaintKey, corev1.TaintEffectNoExecute))
	if !ready {
		notReady(&node)
	}
	node.Spec.ProviderID = p.claim(t).Status.ProviderID
	if err := p.Client.Create(t.Context(), &node); err != nil {
		t.Fatal(err)
	}
	p.steps(t)
	if ready {
		return
	}
	now := &corev1.Node{}
	if err := p.Client.Get(t.Context(), client.ObjectKey{Name: "a"}, now); err != nil {
		t.Fatal(err)
	}
	now.Status.Conditions[0].Status = corev1.ConditionTrue
	if err := p.Client.Status().Update(t.Context(), now); err != nil {
		t.Fatal(err)
	}
}

func playLate(t *testing.T, ready bool, slow string) {
	p := &play{cache: &late{}, slow: slow, said: map[string]int{}}
	p.stage = newStage(t, p.cache.faults(), aged(0))
	joined := 0
	p.Outcome = func(string, bool) { joined++ }
	p.steps(t)
	p.joins(t, ready)
	p.steps(t)
	for _, text := range []string{observe.SaidClaimLaunched, observe.SaidRegistered, observe.SaidInitialized} {
		if p.said[text] != 1 {
			t.Errorf("%q was logged %d times", text, p.said[text])
		}
	}
	created := testutil.ToFloat64(p.Metrics.Nodes.Created.WithLabelValues("", "a"))
	if created != 1 || joined != 1 || p.shop.calls != 1 {
		t.Errorf("%v nodes counted, %d joined, %d launches; want 1 of each", created, joined, p.shop.calls)
	}
}

// A claim that is given up is neither launched nor told of again while the cache shows it as it was.
func TestAClaimIsGivenUpOnceWhileTheWatchIsLate(t *testing.T) {
	t.Parallel()
	s := newStage(t, interceptor.Funcs{}, aged(0)) // its Delete leaves the claim as it was
	s.shop.fails = fmt.Errorf("small in a: %w", provider.ErrNoCapacity)
	for range 3 {
		if err := s.reconcile(t); err != nil {
			t.Fatal(err)
		}
	}
	if s.shop.calls != 1 || len(s.deleted) != 1 {
		t.Errorf("%d launches, deleted %v; want one of each", s.shop.calls, s.deleted)
	}
	if said := s.said(); strings.Count(said, "is given up") != 1 {
		t.Errorf("said:\n%s", said)
	}
	// Another claim of its name is another claim.
	anew := s.claim(t)
	anew.UID = "another"
	if err := s.Client.Update(t.Context(), anew); err != nil {
		t.Fatal(err)
	}
	s.shop.fails = nil
	if err := s.reconcile(t); err != nil || s.shop.calls != 2 {
		t.Errorf("the next claim of its name was not launched: %d launches, %v", s.shop.calls, err)
	}
}
