package shadow

import (
	"cmp"
	"time"

	corev1 "k8s.io/api/core/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/history"
	"github.com/dovetail-sh/dovetail/internal/roster"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// Sight is a cluster at one moment.
type Sight struct {
	At    time.Time
	Nodes []view.Machine
	// Claims are the NodeClaims, by UID; of recordings that keep none, by name.
	Claims map[string]view.Life
	// Waiting are pods that found no node, by name, and when they came; nil if nobody says.
	Waiting map[string]time.Time
	// Pods are those on nodes that would need another one, by UID; of recordings that keep none, by name.
	Pods map[string]Pod
}

// Pod is one that runs.
type Pod struct {
	Name    string
	Node    string
	Bound   time.Time // zero if nobody says
	Evicted bool      // the eviction API has told it to go
}

// Look is the sight of a cluster whose objects are at hand.
func Look(in roster.Input) (Sight, error) {
	seen, err := roster.Look(in)
	if err != nil {
		return Sight{}, err
	}
	s := Sight{At: in.Now, Nodes: seen.Fleet(nil).Nodes, Claims: map[string]view.Life{},
		Waiting: map[string]time.Time{}, Pods: map[string]Pod{}}
	for _, c := range in.Set.NodeClaims {
		s.Claims[claimKey(c)] = history.Of(c)
	}
	for _, p := range in.Set.Pods {
		s.add(p)
	}
	s.price()
	return s, nil
}

func claimKey(c *karpenterv1.NodeClaim) string { return cmp.Or(string(c.UID), c.Name) }

func (s *Sight) add(p *corev1.Pod) {
	switch name := string(translate.IDOf(p)); {
	case translate.Provisionable(p):
		s.Waiting[name] = p.CreationTimestamp.Time
	case p.Spec.NodeName != "" && !translate.Finished(p) && !translate.BoundByOwner(p):
		pod := Pod{Name: name, Node: p.Spec.NodeName}
		for _, c := range p.Status.Conditions {
			switch {
			case c.Type == corev1.PodScheduled && c.Status == corev1.ConditionTrue:
				pod.Bound = c.LastTransitionTime.Time
			case c.Type == corev1.DisruptionTarget && c.Reason == "EvictionByEvictionAPI":
				pod.Evicted = true
			}
		}
		s.Pods[cmp.Or(string(p.UID), name)] = pod
	}
}

// Recalled is the sight of a snapshot of the journal, which keeps no objects.
func Recalled(snapshot *shape.Snapshot, nodes []view.Machine, at time.Time) Sight {
	s := Sight{At: at, Nodes: nodes, Claims: map[string]view.Life{}, Waiting: map[string]time.Time{},
		Pods: map[string]Pod{}}
	for _, n := range snapshot.Nodes {
		if n.Claim != "" {
			s.Claims[n.Claim] = view.Life{UID: n.Claim, Claim: n.Claim, Pool: n.Pool, Created: n.Created,
				InstanceType: n.InstanceType, Zone: n.Zone, CapacityType: n.CapacityType, Node: n.Name}
		}
		for i := range n.Pods {
			if p := &n.Pods[i]; p.Role == shape.Movable || p.Role == shape.Pinned {
				s.Pods[string(p.ID)] = Pod{Name: string(p.ID), Node: n.Name}
			}
		}
	}
	for i := range snapshot.Pods {
		s.Waiting[string(snapshot.Pods[i].ID)] = snapshot.Pods[i].Created
	}
	s.price()
	return s
}

// price gives claims the prices of their machines.
func (s *Sight) price() {
	byClaim := map[string]*view.Machine{}
	for i := range s.Nodes {
		byClaim[s.Nodes[i].Claim] = &s.Nodes[i]
	}
	for key, l := range s.Claims {
		if m := byClaim[l.Claim]; m != nil && m.Priced() {
			l.Price = m.Price
			s.Claims[key] = l
		}
	}
}
