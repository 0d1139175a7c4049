package disrupt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/apply"
	"github.com/dovetail-sh/dovetail/internal/backoff"
	"github.com/dovetail-sh/dovetail/internal/controller/calm"
	"github.com/dovetail-sh/dovetail/internal/devices"
	"github.com/dovetail-sh/dovetail/internal/hold"
	"github.com/dovetail-sh/dovetail/internal/journal"
	"github.com/dovetail-sh/dovetail/internal/nodehealth"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

// picture is the planner's view of the cluster: pods that are planned for a node count as being there.
type picture interface {
	// Informed reports whether the whole cluster was seen, with what every pool can buy.
	Informed() bool
	Snapshot() shape.Snapshot
	Pod(id shape.PodID) *corev1.Pod
	// Devices is what the last Snapshot was shaped by; nil if claims for devices are not planned.
	Devices() *devices.World
}

// opener creates claims.
type opener interface {
	Open(ctx context.Context, nodes []engine.NewNode, reason string) (map[string]*karpenterv1.NodeClaim, error)
}

// Deps are what a Reconciler needs; all are required but Surges, Record, Replaced and Health; Live with Health.
type Deps struct {
	Client client.Client
	// Live reads what the API server has now, not what a cache remembers.
	Live    client.Reader
	Clock   clock.PassiveClock
	Events  *observe.Recorder
	Metrics *observe.Metrics
	Mirror  picture
	Apply   opener
	Policy  engine.Policy
	Rules   Rules

	// Refresh has the picture know what the cloud sells now, and for how much.
	Refresh func(ctx context.Context)

	// Health has sick nodes repaired; nil for nobody repairs them here.
	Health *nodehealth.Policies

	// Surges reports whether a pod that its PodDisruptionBudget does not let go can have its successor started first;
	// nil for none.
	Surges func(ctx context.Context, pod *corev1.Pod) bool

	// Replaced hears what was opened in place of what; nil for nobody.
	Replaced func(opened, given []*karpenterv1.NodeClaim)

	// Record keeps a search that found moves; nil for nowhere.
	Record func(journal.Search)

	// Standings is told after each pass which nodes are to go how soon; nil tells nobody. It must be quick.
	Standings func([]Standing)

	// Delete begins the deletion of a claim. It is idempotent. apply.ErrNotAsSeen says that the decision rests on an
	// old picture.
	Delete func(ctx context.Context, claim *karpenterv1.NodeClaim, reason string) error
}

// Reconciler gives up nodes. It has one request only: the whole cluster.
type Reconciler struct {
	Deps
	memory memory // of the one worker that there is
	// informed is true once the mirror has seen the whole cluster and knows what every pool can buy. Before that, a
	// restart would take nodes for irreplaceable and give up moves that are under way.
	informed bool
}

// New checks that nothing is missing.
func New(d Deps) (*Reconciler, error) {
	if d.Client == nil || d.Health != nil && d.Live == nil || d.Clock == nil || d.Events == nil || d.Metrics == nil ||
		d.Mirror == nil ||
		d.Apply == nil ||
		d.Refresh == nil ||
		d.Delete == nil {
		return nil, errors.New("disrupt controller: a dependency is missing")
	}
	return &Reconciler{Deps: d, memory: newMemory()}, nil
}

// lookAgain bounds the time between two passes. What makes a node empty happens on its pods; most of it shows in the
// claim's lastPodEventTime, but that has whole seconds only. Karpenter's figure.
const lookAgain = 10 * time.Second

// informedAgain is how soon it is looked again whether the mirror knows enough.
const informedAgain = 100 * time.Millisecond

// A pass is followed by a rest of restFor times as long as it took to decide, and of longestRest at most: in a cluster
// of thousands of nodes something happens all the time, and one pass after the other would take a whole core.
const (
	restFor     = 4
	longestRest = 5 * time.Second
)

// Reconcile makes one pass, unless the last one was a moment ago.
func (r *Reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	began := r.Clock.Now()
	if left := r.memory.rest.Sub(began); left > 0 {
		return reconcile.Result{RequeueAfter: left}, nil
	}
	if began.Sub(r.memory.asked) >= sweepEvery {
		r.memory.asked = began
		r.Refresh(ctx) // without it prices would be those of the last time that a pod needed a node
	}
	looked := r.Clock.Now()
	v, err := r.see(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	if r.informed = r.informed || r.Mirror.Informed(); !r.informed {
		return reconcile.Result{RequeueAfter: informedAgain}, nil
	}
	r.memory.forget(v.all)
	next, then := Step(v, r.memory)
	r.memory = then
	r.evaluated(next, r.Clock.Since(began))
	if next.search != nil && r.Record != nil {
		next.search.At, next.search.Took = began, r.Clock.Since(looked)
		r.Record(*next.search)
	}
	r.count(v)
	v.report(r.Standings, &r.memory, next)
	decided := r.Clock.Now()
	r.memory.rest = decided.Add(min(restFor*decided.Sub(looked), longestRest))

	again := next.again
	if len(v.all) > 0 {
		again = minPositive(again, lookAgain)
	}
	if next.changes() {
		again = minPositive(again, settle)
	}
	err = r.carryOut(ctx, next)
	r.waiting(v, next)
	return reconcile.Result{RequeueAfter: again}, err
}

// changes reports whether anything is decided that is to be looked at again once it has settled.
func (m moves) changes() bool {
	return slices.ContainsFunc(m.choices, func(c choice) bool { return c.step.begins() })
}

// carryOut does what was decided. What cannot be done holds up nothing else.
func (r *Reconciler) carryOut(ctx context.Context, next moves) error {
	var errs []error
	unnoted := sets.New[types.UID]() // nothing is begun with a node that a restart would not know of
	for _, n := range next.notes {
		if err := (mender{r}).write(ctx, n); err != nil {
			unnoted.Insert(n.claim.UID)
			errs = append(errs, err)
		}
	}
	for _, c := range next.choices {
		if c.step == reserve && unnoted.Has(c.claim.UID) {
			continue
		}
		errs = append(errs, client.IgnoreNotFound(r.act(ctx, c)))
	}
	for _, o := range next.open {
		errs = append(errs, r.open(ctx, o))
	}
	return errors.Join(errs...)
}

// forget drops what is remembered of claims that are gone.
func (m *memory) forget(all []seen) {
	alive := map[types.UID]bool{}
	pools := map[string]bool{}
	for _, s := range all {
		alive[s.claim.UID] = true
		if s.pool != nil {
			pools[s.pool.Name] = true
		}
	}
	maps.DeleteFunc(m.attempts, func(of attempt, _ backoff.Rest) bool { return !alive[of.claim] })
	maps.DeleteFunc(m.moves, func(uid types.UID, _ *move) bool { return !alive[uid] })
	maps.DeleteFunc(m.told, func(uid types.UID, _ string) bool { return !alive[uid] })
	maps.DeleteFunc(m.removed, func(uid types.UID, _ metav1.Time) bool { return !alive[uid] })
	maps.DeleteFunc(m.pools, func(of poolReason, _ backoff.Rest) bool { return !pools[of.pool] })
}

// open opens the nodes that replace those that go.
func (r *Reconciler) open(ctx context.Context, o opening) error {
	var names []string
	var given []*karpenterv1.NodeClaim
	for _, s := range o.replaced {
		names, given = append(names, s.claim.Name), append(given, s.claim)
	}
	replaced := strings.Join(names, ", ")
	claims, err := r.Apply.Open(ctx, o.nodes, observe.SnakeCase(string(o.move.reason)))
	if len(claims) > 0 { // a call that failed has used up none of the move's attempts
		o.move.opened = true
		o.move.opens++
	}
	for _, id := range slices.Sorted(maps.Keys(claims)) {
		claim := claims[id]
		o.move.claims = append(o.move.claims, claim.Name)
		o.move.boarded(o.nodes, id, claim.Name)
		r.Events.Emitf(
			claim,
			observe.DisruptionLaunching,
			"Opened to replace NodeClaim %s, because %s.",
			replaced,
			because(o.move.reason),
		)
	}
	if r.Replaced != nil {
		r.Replaced(slices.Collect(maps.Values(claims)), given)
	}
	if err != nil {
		return fmt.Errorf("replacing NodeClaim %s: %w", replaced, err)
	}
	for _, s := range o.replaced {
		if err := (mender{r}).write(ctx, note{s.claim, o.move.noteOf(s)}); err != nil {
			return err
		}
	}
	return nil
}

// see reads claims, pools, nodes, budgets and the planner's view of them.
func (r *Reconciler) see(ctx context.Context) (view, error) {
	var claims karpenterv1.NodeClaimList
	var pools karpenterv1.NodePoolList
	var nodes corev1.NodeList
	var budgets policyv1.PodDisruptionBudgetList
	for _, list := range []client.ObjectList{&claims, &pools, &nodes, &budgets} {
		if err := r.Client.List(ctx, list); err != nil {
			return view{}, fmt.Errorf("listing %T: %w", list, err)
		}
	}
	listed := sets.New[types.UID]()
	for i := range nodes.Items {
		nodes.Items[i] = *r.memory.nodes.newer(&nodes.Items[i])
		listed.Insert(nodes.Items[i].UID)
	}
	for i := range claims.Items {
		claim := r.memory.claims.newer(&claims.Items[i])
		listed.Insert(claim.UID)
		if at, ok := r.memory.removed[claim.UID]; ok && claim.DeletionTimestamp.IsZero() {
			claim.DeletionTimestamp = &at // the cache does not show it yet
		}
		claims.Items[i] = *claim
	}
	r.memory.nodes.forget(listed)
	r.memory.claims.forget(listed)
	snapshot := r.Mirror.Snapshot()
	out := joined(claims.Items, pools.Items, nodes.Items, snapshot, r.Clock.Now())
	r.memory.surge(out)
	r.diagnose(out)
	snapshot.Seed = r.memory.sweep.count // another one each time, so that searches look elsewhere
	var surges func(*corev1.Pod) bool
	if r.Surges != nil {
		surges = func(pod *corev1.Pod) bool { return r.Surges(ctx, pod) }
	}
	return view{
		all:      out,
		snapshot: snapshot,
		guards:   compileGuards(budgets.Items, surges),
		podOf:    r.Mirror.Pod,
		devices:  r.Mirror.Devices(),
		now:      r.Clock.Now(),
		policy:   r.Policy,
		rules:    r.Rules,
	}, nil
}

// diagnose says what is wrong with nodes.
func (r *Reconciler) diagnose(all []seen) {
	if r.Health == nil {
		return
	}
	for i := range all {
		if all[i].node != nil {
			all[i].sick = r.Health.Diagnose(all[i].node, all[i].claim, r.Clock.Now())
		}
	}
}

// joined are the claims with what belongs to each, the oldest first.
func joined(
	claims []karpenterv1.NodeClaim,
	pools []karpenterv1.NodePool,
	nodes []corev1.Node,
	snapshot shape.Snapshot,
	now time.Time,
) []seen {
	holds := hold.All(pools, now)
	poolNamed, nodeNamed, podsOn := map[string]*karpenterv1.NodePool{}, map[string]*corev1.Node{},
		map[string]*shape.Node{}
	for i := range pools {
		poolNamed[pools[i].Name] = &pools[i]
	}
	for i := range nodes {
		nodeNamed[nodes[i].Name] = &nodes[i]
	}
	for _, n := range snapshot.Nodes {
		podsOn[n.Name] = n
	}
	out := make([]seen, 0, len(claims))
	for i := range claims {
		claim, held := &claims[i], ""
		if h, ok := holds[claim.Labels[karpenterv1.NodePoolLabelKey]]; ok {
			held = h.Sentence()
		}
		out = append(out, seen{
			hold:  held,
			claim: claim,
			pool:  poolNamed[claim.Labels[karpenterv1.NodePoolLabelKey]],
			node:  nodeNamed[claim.Status.NodeName],
			pods:  podsOn[claim.Status.NodeName],
		})
	}
	slices.SortFunc(out, func(a, b seen) int {
		return cmp.Or(
			a.claim.CreationTimestamp.Compare(b.claim.CreationTimestamp.Time),
			cmp.Compare(a.claim.Name, b.claim.Name),
		)
	})
	return out
}

func (r *Reconciler) act(ctx context.Context, c choice) error {
	if c.step.begins() && c.reason != karpenterv1.DisruptionReasonUnhealthy {
		if held, err := r.held(ctx, c); held || err != nil {
			return err // the next pass takes back what has begun
		}
	}
	switch c.step {
	case reserve:
		return r.reserve(ctx, c)
	case fence:
		return r.taint(ctx, c.node)
	case release:
		r.released(c)
		if err := r.untaint(ctx, c.node); err != nil {
			return err
		}
		return r.unmark(ctx, c.claim)
	case remove:
		return r.remove(ctx, c)
	case explain:
		r.kept(c)
	case reboot:
		return mender{r}.commitReboot(ctx, c)
	case hasten:
		return mender{r}.limitDrain(ctx, c)
	}
	return nil
}

// begins reports whether a step brings a node closer to its end.
func (s step) begins() bool { return s == reserve || s == fence || s == remove }

func (r *Reconciler) reserve(ctx context.Context, c choice) error {
	r.chosen(c)
	if err := r.mark(ctx, c); err != nil {
		return err
	}
	return r.taint(ctx, c.node)
}

// remove deletes a chosen claim. One whose node is not as it was seen stays chosen until the cache has caught up, and
// is then decided on anew.
func (r *Reconciler) remove(ctx context.Context, c choice) error {
	if c.reason == karpenterv1.DisruptionReasonUnhealthy {
		sick := mender{r}
		if still, err := sick.stillSick(ctx, c); !still || err != nil {
			return err
		}
		sick.mendedBy(ctx, c)
		if err := sick.limitDrain(ctx, c); err != nil {
			return err
		}
	}
	if c.first != "" {
		if err := (mender{r}).noteFirst(ctx, c); err != nil {
			return err
		}
	}
	switch err := r.Delete(ctx, c.claim, observe.SnakeCase(string(c.reason))); {
	case errors.Is(err, apply.ErrNotAsSeen):
		logf.FromContext(ctx).
			Info("not deleting nodeclaim", observe.LogNodeClaim, c.claim.Name, observe.LogReason, err.Error())
		return nil
	case err != nil:
		return fmt.Errorf("deleting NodeClaim %s, because %s: %w", c.claim.Name, c.why, err)
	}
	logf.FromContext(ctx).Info(observe.SaidDisrupting, "command", decisionOf(c)+": "+c.why,
		observe.LogReason, observe.SnakeCase(string(c.reason)), "decision", decisionOf(c),
		"disrupted-node-count", 1, "disrupted-nodes", []disruptedNode{disruptedNodeOf(c)})
	message := fmt.Sprintf("Giving up the node because %s.", c.why)
	r.Events.Emit(c.claim, observe.DisruptionTerminating, message)
	r.Events.Emit(c.node, observe.DisruptionTerminating, message)
	r.memory.removed[c.claim.UID] = metav1.NewTime(r.Clock.Now())
	r.decided(c)
	if c.reason == karpenterv1.DisruptionReasonUnhealthy {
		mender{r}.countMended(c)
	}
	return nil
}

// held reports whether somebody has held disruption since this pass looked: a pass over thousands of nodes takes longer
// than a hold may.
func (r *Reconciler) held(ctx context.Context, c choice) (bool, error) {
	var pools karpenterv1.NodePoolList
	if c.pool == nil {
		return false, nil
	}
	if err := r.Client.List(ctx, &pools); err != nil {
		return false, fmt.Errorf("looking for holds before NodeClaim %s goes: %w", c.claim.Name, err)
	}
	_, held := hold.All(pools.Items, r.Clock.Now())[c.pool.Name]
	return held, nil
}

func (r *Reconciler) mark(ctx context.Context, c choice) error {
	before := c.claim.DeepCopy()
	condition.TrueBecause(
		c.claim,
		r.Clock.Now(),
		karpenterv1.ConditionDisruptionReason,
		string(c.reason),
		"The node is to go because "+c.why+".",
	)
	return r.patchStatus(ctx, c.claim, before)
}

func (r *Reconciler) unmark(ctx context.Context, claim *karpenterv1.NodeClaim) error {
	before := claim.DeepCopy()
	if !condition.Clear(claim, karpenterv1.ConditionDisruptionReason) {
		return nil
	}
	return r.patchStatus(ctx, claim, before)
}

func (r *Reconciler) patchStatus(ctx context.Context, claim, before *karpenterv1.NodeClaim) error {
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Status().Patch(ctx, claim, patch); err != nil {
		return fmt.Errorf("writing DisruptionReason of NodeClaim %s: %w", claim.Name, err)
	}
	r.memory.claims.keep(claim)
	return nil
}

func (r *Reconciler) taint(ctx context.Context, node *corev1.Node) error {
	before := node.DeepCopy()
	node.Spec.Taints = append(node.Spec.Taints, karpenterv1.DisruptedTaint())
	return r.patchNode(ctx, node, before)
}

func (r *Reconciler) untaint(ctx context.Context, node *corev1.Node) error {
	if !tainted(node) {
		return nil
	}
	before := node.DeepCopy()
	disrupted := karpenterv1.DisruptedTaint()
	node.Spec.Taints = slices.DeleteFunc(
		slices.Clone(node.Spec.Taints),
		func(t corev1.Taint) bool { return t.MatchTaint(&disrupted) },
	)
	return r.patchNode(ctx, node, before)
}

func (r *Reconciler) patchNode(ctx context.Context, node, before *corev1.Node) error {
	// Taints are one list: without the lock somebody else's new taint would be lost.
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, node, patch); err != nil {
		return fmt.Errorf("writing taints of node %s: %w", node.Name, err)
	}
	r.memory.nodes.keep(node)
	return nil
}

// Register has the manager call the Reconciler when a claim or a pool changes; what happens on nodes shows in their
// claims.
func (r *Reconciler) Register(m manager.Manager) error {
	everything := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: "cluster"}}}
	})
	return builder.ControllerManagedBy(m).Named("disruption").
		WithOptions(calm.Options(1)).
		Watches(&karpenterv1.NodeClaim{}, everything).
		Watches(&karpenterv1.NodePool{}, everything).
		Complete(calm.Conflicts(r))
}

// minPositive is the shorter of two waits, where 0 means none.
func minPositive(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
