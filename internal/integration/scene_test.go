package integration

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// sceneLabel is on everything that a story makes. Nodes and claims inherit it from the pool's
// template, pods ask for it, and what is left is cleaned up by it.
const sceneLabel = "testing/cluster"

// scene is one story's part of a venue: a namespace, pools and nodes that no other story touches.
type scene struct {
	*venue
	name     string
	patience time.Duration // how long one wait may take
}

// act is one story. It needs not tidy up.
type act struct {
	name string
	play func(*testing.T, *scene)
}

// play runs acts, so many at once. t.Parallel would only run as many as there are cores, and most of the
// time of a story is waiting.
func (v *venue) play(t *testing.T, atOnce int, acts []act) {
	t.Helper()
	var all sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for _, a := range acts {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			t.Run(a.name, func(t *testing.T) { a.play(t, v.scene(t, a.name)) })
		})
	}
	all.Wait()
}

// scene makes a namespace, and tidies up after the story.
func (v *venue) scene(t *testing.T, title string) *scene {
	t.Helper()
	s := &scene{venue: v, name: strings.ToLower(strings.ReplaceAll(title, "/", "-")), patience: scenePatience}
	s.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.name}})
	began := time.Now()
	t.Cleanup(func() {
		played := time.Since(began)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), scenePatience)
		defer cancel()
		if err := strike(s, ctx); err != nil {
			t.Error(err)
		}
		t.Logf("played %.1f s, tidied up in %.1f s", played.Seconds(), (time.Since(began) - played).Seconds())
	})
	return s
}

// scenePatience is how long one wait of a story may take, unless the story says otherwise. Many play at once on two
// cores.
const scenePatience = 4 * time.Minute

// strike deletes what carries the story's label, and waits until its claims, nodes and machines are gone.
func strike(s *scene, ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	swept := false
	for {
		var err error
		if !swept {
			err = sweep(s, ctx) // a server with too much to do cuts a request off: it is made again
			swept = err == nil
		}
		var claims karpenterv1.NodeClaimList
		var nodes corev1.NodeList
		ours := client.MatchingLabels{sceneLabel: s.name}
		if err := errors.Join(s.seen.List(ctx, &claims, ours), s.seen.List(ctx, &nodes, ours)); err != nil {
			return err
		}
		if swept && len(claims.Items)+len(nodes.Items) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			left := fmt.Errorf(
				"%d claims and %d nodes of %s are left over:%s",
				len(claims.Items),
				len(nodes.Items),
				s.name,
				s.describe(context.WithoutCancel(ctx)),
			)
			return errors.Join(err, left)
		case <-tick.C:
		}
	}
}

// sweep deletes what carries the story's label.
func sweep(s *scene, ctx context.Context) error {
	ours := client.MatchingLabels{sceneLabel: s.name}
	now := client.GracePeriodSeconds(0)
	for _, kind := range []client.Object{&appsv1.Deployment{}, &appsv1.DaemonSet{}, &corev1.Pod{}} {
		if err := s.DeleteAllOf(
			ctx,
			kind,
			ours,
			client.InNamespace(s.name),
			now,
			client.PropagationPolicy(metav1.DeletePropagationBackground),
		); err != nil {
			return fmt.Errorf("tidying up %T: %w", kind, err)
		}
	}
	if err := s.DeleteAllOf(ctx, &karpenterv1.NodePool{}, ours); err != nil {
		return fmt.Errorf("tidying up NodePools: %w", err)
	}
	if err := s.DeleteAllOf(ctx, &karpenterv1.NodeClaim{}, ours); err != nil {
		return fmt.Errorf("tidying up NodeClaims: %w", err)
	}
	if err := s.Delete(
		ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.name}},
	); client.IgnoreNotFound(
		err,
	) != nil {
		return fmt.Errorf("tidying up namespace %s: %w", s.name, err)
	}
	return nil
}

// lookEvery is how often a story looks at the cache.
const lookEvery = 50 * time.Millisecond

// until waits until holds says that nothing is missing any more.
func (s *scene) until(t *testing.T, what string, holds func() (missing string)) {
	t.Helper()
	deadline := time.Now().Add(s.patience)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		missing := holds()
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s; last seen: %s%s", s.patience, what, missing, s.describe(t.Context()))
		}
		select {
		case <-t.Context().Done():
			t.Fatalf("the test ended while waiting for %s", what)
		case <-tick.C:
		}
	}
}

// describe lists the story's claims with their conditions and events, for a failure.
func (s *scene) describe(ctx context.Context) string {
	var out strings.Builder
	var claims karpenterv1.NodeClaimList
	var pods corev1.PodList
	var events corev1.EventList
	if s.seen.List(ctx, &claims, client.MatchingLabels{sceneLabel: s.name}) != nil ||
		s.seen.List(ctx, &pods, client.InNamespace(s.name)) != nil ||
		s.seen.List(ctx, &events) != nil {
		return ""
	}
	about := map[string]bool{}
	for _, c := range claims.Items {
		about[c.Name], about[c.Status.NodeName] = true, true
		fmt.Fprintf(
			&out,
			"\nclaim %s, node %s, created %s, deleted %v: %s",
			c.Name,
			c.Status.NodeName,
			clockTime(c.CreationTimestamp),
			c.DeletionTimestamp,
			conditions(c.Status.Conditions),
		)
	}
	for i, p := range pods.Items {
		if i < 12 {
			about[p.Name] = true
			fmt.Fprintf(
				&out,
				"\npod %s on %q, created %s: %s",
				p.Name,
				p.Spec.NodeName,
				clockTime(p.CreationTimestamp),
				p.Status.Phase,
			)
		}
	}
	lines := 0
	for _, e := range events.Items {
		told := !strings.Contains(e.Message, "is now True")
		if about[e.InvolvedObject.Name] && e.Source.Component == "karpenter" && told && lines < 30 {
			fmt.Fprintf(
				&out,
				"\n%s event %s on %s: %s",
				clockTime(e.LastTimestamp),
				e.Reason,
				e.InvolvedObject.Name,
				e.Message,
			)
			lines++
		}
	}
	return out.String()
}

func clockTime(t metav1.Time) string { return t.Format(time.TimeOnly) }

// pool is the story's NodePool: nodes with two cores that may go at once when they are empty, and never by themselves.
func (s *scene) pool(change ...func(*karpenterv1.NodePool)) *karpenterv1.NodePool {
	p := &karpenterv1.NodePool{}
	p.Name = s.name
	p.Labels = map[string]string{sceneLabel: s.name}
	p.Spec.Template.Labels = map[string]karpenterv1.LabelValue{sceneLabel: karpenterv1.LabelValue(s.name)}
	p.Spec.Template.Spec.NodeClassRef = s.classRef("default")
	p.Spec.Template.Spec.Requirements = append(s.sells(), in(corev1.LabelInstanceTypeStable, s.two))
	p.Spec.Disruption.ConsolidateAfter = karpenterv1.NillableDuration{}
	p.Spec.Disruption.ConsolidationPolicy = karpenterv1.ConsolidationPolicyWhenEmptyOrUnderutilized
	p.Spec.Disruption.Budgets = []karpenterv1.Budget{{Nodes: "100%"}}
	for _, f := range change {
		f(p)
	}
	return p
}

// budgets limits what a pool gives up at once.
func budgets(list ...karpenterv1.Budget) func(*karpenterv1.NodePool) {
	return func(p *karpenterv1.NodePool) { p.Spec.Disruption.Budgets = list }
}

// anyType lets a pool buy all that the venue sells.
func (s *scene) anyType(p *karpenterv1.NodePool) { p.Spec.Template.Spec.Requirements = s.sells() }

// app is a Deployment in the story's namespace, for the story's nodes.
func (s *scene) app(
	name string,
	replicas int32,
	cpu string,
	change ...func(*corev1.PodTemplateSpec),
) *appsv1.Deployment {
	d := web(name, replicas, cpu)
	d.Namespace = s.name
	d.Labels = map[string]string{sceneLabel: s.name}
	d.Spec.Template.Labels = map[string]string{"app": name, sceneLabel: s.name}
	d.Spec.Template.Spec.NodeSelector = map[string]string{sceneLabel: s.name}
	for _, f := range change {
		f(&d.Spec.Template)
	}
	return d
}

// apart keeps the pods of a Deployment on nodes of their own.
func apart(t *corev1.PodTemplateSpec) { oneEach(t.Labels["app"])(&t.Spec) }

// kept forbids to disrupt a pod: "true", or for a time since its start.
func kept(value string) func(*corev1.PodTemplateSpec) {
	return func(t *corev1.PodTemplateSpec) {
		t.Annotations = map[string]string{karpenterv1.DoNotDisruptAnnotationKey: value}
	}
}

// claimsHere are the story's.
func (s *scene) claimsHere(t *testing.T) []karpenterv1.NodeClaim {
	t.Helper()
	var list karpenterv1.NodeClaimList
	if err := s.seen.List(t.Context(), &list, client.MatchingLabels{sceneLabel: s.name}); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// nodesHere are the story's.
func (s *scene) nodesHere(t *testing.T) []corev1.Node {
	t.Helper()
	var list corev1.NodeList
	if err := s.seen.List(t.Context(), &list, client.MatchingLabels{sceneLabel: s.name}); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// podsOf are the pods of an app that are not going.
func (s *scene) podsOf(t *testing.T, app string) []corev1.Pod {
	t.Helper()
	var list corev1.PodList
	if err := s.seen.List(
		t.Context(),
		&list,
		client.InNamespace(s.name),
		client.MatchingLabels{"app": app},
	); err != nil {
		t.Fatal(err)
	}
	var out []corev1.Pod
	for _, p := range list.Items {
		if p.DeletionTimestamp.IsZero() {
			out = append(out, p)
		}
	}
	return out
}

// healthy waits until exactly so many pods of an app run.
func (s *scene) healthy(t *testing.T, app string, want int) []corev1.Pod {
	t.Helper()
	var pods []corev1.Pod
	s.until(t, fmt.Sprintf("%d running pods of %s", want, app), func() string {
		pods = s.podsOf(t, app)
		running := 0
		for _, p := range pods {
			if p.Status.Phase == corev1.PodRunning {
				running++
			}
		}
		if running != want || len(pods) != want {
			return fmt.Sprintf(
				"%d pods, %d running, %d claims, %d nodes",
				len(pods),
				running,
				len(s.claimsHere(t)),
				len(s.nodesHere(t)),
			)
		}
		return ""
	})
	return pods
}

// count waits until there are exactly so many claims, all initialized, and as many nodes.
func (s *scene) count(t *testing.T, want int) []karpenterv1.NodeClaim {
	t.Helper()
	var claims []karpenterv1.NodeClaim
	s.until(t, fmt.Sprintf("%d initialized nodes", want), func() string {
		claims = s.claimsHere(t)
		ready := 0
		for i := range claims {
			if condition.IsTrue(&claims[i], karpenterv1.ConditionInitialized) &&
				claims[i].DeletionTimestamp.IsZero() {
				ready++
			}
		}
		if nodes := len(s.nodesHere(t)); ready != want || len(claims) != want || nodes != want {
			return fmt.Sprintf("%d claims, %d of them initialized, %d nodes", len(claims), ready, nodes)
		}
		return ""
	})
	return claims
}

// change patches a pool as a user would.
func (s *scene) change(t *testing.T, pool *karpenterv1.NodePool, how func(*karpenterv1.NodePool)) {
	t.Helper()
	before := pool.DeepCopy()
	how(pool)
	if err := s.Patch(t.Context(), pool, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

// resize sets the replicas of a Deployment.
func (s *scene) resize(t *testing.T, d *appsv1.Deployment, replicas int32) {
	t.Helper()
	s.scale(t, d, replicas)
}

// claim reads one of the story's claims; nil if it is gone.
func (s *scene) claim(t *testing.T, name string) *karpenterv1.NodeClaim {
	t.Helper()
	claim := &karpenterv1.NodeClaim{}
	err := s.seen.Get(t.Context(), client.ObjectKey{Name: name}, claim)
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	if err != nil {
		return nil
	}
	return claim
}

// vanished waits until an object is gone.
func (s *scene) vanished(t *testing.T, o client.Object) {
	t.Helper()
	s.until(t, fmt.Sprintf("%T %s to be gone", o, o.GetName()), func() string {
		err := s.seen.Get(t.Context(), client.ObjectKeyFromObject(o), o)
		if client.IgnoreNotFound(err) != nil {
			return err.Error()
		}
		if err == nil {
			return fmt.Sprintf("it is there, finalizers %v", o.GetFinalizers())
		}
		return ""
	})
}

// drifts waits until claims are said to have drifted.
func (s *scene) drifts(t *testing.T, claims ...karpenterv1.NodeClaim) {
	t.Helper()
	for _, c := range claims {
		s.until(t, "NodeClaim "+c.Name+" to drift", func() string {
			now := s.claim(t, c.Name)
			if now != nil && !condition.IsTrue(now, karpenterv1.ConditionDrifted) {
				return conditions(now.Status.Conditions)
			}
			return "" // it may be replaced already
		})
	}
}

// leaving is how many of the story's nodes are going away now: tainted or being deleted. Only nodes are looked at:
// what caches of several kinds show together need never have been true.
func (s *scene) leaving(t *testing.T) int {
	t.Helper()
	going := 0
	disrupted := karpenterv1.DisruptedTaint()
	for _, n := range s.nodesHere(t) {
		if !n.DeletionTimestamp.IsZero() || hasTaint(&n, disrupted.Key) {
			going++
		}
	}
	return going
}

// steady fails if anything is wrong within d.
func (s *scene) steady(t *testing.T, d time.Duration, holds func() (wrong string)) {
	t.Helper()
	always(t, d, holds)
}

func durationOf(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }
