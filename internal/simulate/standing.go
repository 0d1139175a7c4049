package simulate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/controller/consolidatable"
	"github.com/dovetail-sh/dovetail/internal/controller/drift"
	"github.com/dovetail-sh/dovetail/internal/controller/expire"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// standing is a running cluster with all that a server and the controllers would have written: nodes that somebody
// wrote down without a status are ready, and those that carry a NodePool's label without a claim get one.
type standing struct {
	nodes   []*corev1.Node
	claims  []*karpenterv1.NodeClaim
	pods    []*corev1.Pod
	pools   map[string]*karpenterv1.NodePool
	offers  map[string]*translate.Offer
	drifted func(*karpenterv1.NodeClaim) (reason, message string) // nil for none besides what claims say
	now     time.Time
	opened  int // nodes for moves, each with a name of its own
	made    int // claims that nobody wrote down
	ageless int // of no known age
}

// stand completes a cluster. What is handed in is not changed.
func stand(
	o translate.Objects,
	now time.Time,
	drifted func(*karpenterv1.NodeClaim) (reason, message string),
) *standing {
	s := &standing{now: now, drifted: drifted, pools: map[string]*karpenterv1.NodePool{}, offers: o.Offers}
	for _, np := range o.NodePools {
		s.pools[np.Name] = np
	}
	claims := map[string]*karpenterv1.NodeClaim{} // by provider ID, and by the name of their node
	for _, c := range o.NodeClaims {
		c = c.DeepCopy()
		s.claims = append(s.claims, c)
		for _, key := range []string{c.Status.ProviderID, c.Status.NodeName} {
			if key != "" {
				claims[key] = c
			}
		}
	}
	for _, n := range o.Nodes {
		n = n.DeepCopy()
		s.nodes = append(s.nodes, n)
		claim := cmp.Or(claims[n.Spec.ProviderID], claims[n.Name])
		if claim == nil && s.pools[n.Labels[karpenterv1.NodePoolLabelKey]] != nil {
			claim = s.claimFor(n)
		}
		s.join(n, claim)
	}
	for _, c := range s.claims {
		s.age(c)
	}
	for _, p := range o.Pods {
		s.pods = append(s.pods, running(p))
	}
	return s
}

// claimFor makes the claim of a node that has none.
func (s *standing) claimFor(n *corev1.Node) *karpenterv1.NodeClaim {
	pool := s.pools[n.Labels[karpenterv1.NodePoolLabelKey]]
	c := pool.Spec.Template.NodeClaim()
	c.Name, c.CreationTimestamp, c.DeletionTimestamp = n.Name, n.CreationTimestamp, n.DeletionTimestamp
	c.Labels = maps.Clone(n.Labels)
	c.Status.ProviderID = n.Spec.ProviderID
	s.claims = append(s.claims, c)
	s.made++
	return c
}

// join has node and claim know each other, and the node ready if nobody says whether it is.
func (s *standing) join(n *corev1.Node, c *karpenterv1.NodeClaim) {
	written := len(n.Status.Conditions) == 0
	if written {
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	}
	if c == nil {
		return
	}
	id := cmp.Or(c.Status.ProviderID, n.Spec.ProviderID, "written:///"+n.Name)
	n.Spec.ProviderID, c.Status.ProviderID, c.Status.NodeName = id, id, n.Name
	if !written {
		return
	}
	labels := maps.Clone(c.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, n.Labels)
	labels[karpenterv1.NodeRegisteredLabelKey], labels[karpenterv1.NodeInitializedLabelKey] = "true", "true"
	n.Labels = labels
}

// age sets the conditions that come with time. Claims that say nothing of themselves have been in use for long, and do
// not expire.
func (s *standing) age(c *karpenterv1.NodeClaim) {
	if c.UID == "" {
		c.UID = types.UID("written/" + c.Name)
	}
	if len(c.Status.Conditions) == 0 && c.Status.NodeName != "" {
		since := c.CreationTimestamp.Time
		if since.IsZero() {
			s.ageless++
			since = s.now.AddDate(-1, 0, 0)
		}
		for _, name := range []string{karpenterv1.ConditionLaunched, karpenterv1.ConditionRegistered,
			karpenterv1.ConditionInitialized} {
			condition.True(c, since, name)
		}
	}
	if c.CreationTimestamp.IsZero() {
		c.Spec.ExpireAfter = karpenterv1.NillableDuration{} // who is of no known age does not expire
	}
	pool := s.pools[c.Labels[karpenterv1.NodePoolLabelKey]]
	if pool == nil || !c.DeletionTimestamp.IsZero() {
		return
	}
	if left, ever := consolidatable.Quiet(c, pool, s.now); ever && left <= 0 {
		condition.True(c, s.now, karpenterv1.ConditionConsolidatable)
	} else {
		condition.Clear(c, karpenterv1.ConditionConsolidatable)
	}
	reason, message := drift.Known(c, pool, labelRules().Aliases, s.now)
	if reason == "" && s.drifted != nil {
		reason, message = s.drifted(c)
	}
	if reason != "" {
		condition.TrueBecause(c, s.now, karpenterv1.ConditionDrifted, reason, message)
	} else {
		condition.Clear(c, karpenterv1.ConditionDrifted)
	}
}

// expire begins the end of claims whose time is over, as the controller does whatever budgets say, and names them.
func (s *standing) expire() (names []string) {
	for _, c := range s.claims {
		pool := s.pools[c.Labels[karpenterv1.NodePoolLabelKey]]
		left, expires := expire.Remaining(c, s.now)
		if !expires || left > 0 || pool != nil && expire.Graceful(pool) {
			continue
		}
		at := metav1.NewTime(s.now)
		c.DeletionTimestamp = &at
		names = append(names, cmp.Or(c.Status.NodeName, c.Name))
	}
	slices.Sort(names)
	return names
}

// running is a pod on a node that says nothing of itself, or no more than that it runs: it runs and is ready. A server
// prints conditions too.
func running(p *corev1.Pod) *corev1.Pod {
	said := p.Status.Phase != "" && p.Status.Phase != corev1.PodRunning || len(p.Status.Conditions) > 0
	if p.Spec.NodeName == "" || said {
		return p
	}
	p = p.DeepCopy()
	p.Status.Phase = corev1.PodRunning
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	return p
}

// notes say what was assumed.
func (s *standing) notes() (out []string) {
	if s.made > 0 {
		out = append(
			out,
			fmt.Sprintf(
				"%d nodes carry a NodePool's label and have no NodeClaim: they are taken to have one",
				s.made,
			),
		)
	}
	if s.ageless > 0 {
		out = append(
			out,
			fmt.Sprintf(
				"%d nodes do not say since when they exist: their consolidateAfter is taken to be over, and "+
					"expireAfter to be far",
				s.ageless,
			),
		)
	}
	var gone []string
	for _, c := range s.claims {
		if name := c.Labels[karpenterv1.NodePoolLabelKey]; s.pools[name] == nil && !slices.Contains(gone, name) {
			gone = append(gone, name)
		}
	}
	if slices.Sort(gone); len(gone) > 0 {
		out = append(
			out,
			"the NodePools of some nodes are not given, and those nodes stay: "+strings.Join(gone, ", "),
		)
	}
	return out
}
