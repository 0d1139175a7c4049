package enginetest

import (
	"fmt"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// CheckSettled holds topology spread that must hold against what is there in the end: all nodes of a plan and all of
// their pods. A plan may break this and yet be right for pods that come in a lucky order: kube-scheduler asks a
// constraint when it binds a pod, and not again. A plan that keeps it is right in whichever order nodes join.
func CheckSettled(s shape.Snapshot, d engine.Decision) error {
	c := newChecker(s, d)
	places, seats := c.places(), c.seats()
	for i := range seats {
		if err := settled(places, seats, &seats[i]); err != nil && seats[i].fresh {
			return err
		}
	}
	return nil
}

// settled holds the constraints of one pod.
func settled(places []place, seats []seat, own *seat) error {
	for k := range own.class.Spread {
		sp := &own.class.Spread[k]
		if skew := settledSkew(places, seats, own, sp); sp.Hard && skew > sp.MaxSkew {
			return fmt.Errorf(
				"%s: skew over %s is %d when all pods are there, allowed is %d", own.id, sp.Key, skew, sp.MaxSkew,
			)
		}
	}
	return nil
}

// place is a node with what decides whether a constraint looks at it.
type place struct {
	name   string
	labels []shape.Label
	taints []shape.Taint
}

func (c *checker) places() (out []place) {
	for _, n := range c.s.Nodes {
		if n.Stage != shape.Leaving {
			p := c.s.Profiles[n.Profile]
			out = append(out, place{n.Name, named(n.Hostname, p.Labels), p.Taints})
		}
	}
	for _, n := range c.d.Open {
		p := c.pool(n.Pool)
		it, off := c.offering(p, n.Options[0])
		out = append(out, place{n.ID, named(n.ID, c.labels(p, it, off, n)), p.Taints})
	}
	return out
}

// named is the labels of a node with its hostname.
func named(host string, labels []shape.Label) []shape.Label {
	return labelMap(append([]shape.Label{{Key: shape.LabelHostname, Value: host}}, labels...))
}

// looksAt reports whether a pod's constraint counts a node.
func looksAt(class *shape.Class, sp *shape.Spread, p *place) bool {
	for i := range class.Spread {
		if _, has := shape.LabelValue(p.labels, class.Spread[i].Key); class.Spread[i].Hard && !has {
			return false
		}
	}
	own := shape.Class{NodeSelector: class.NodeSelector, NodeTerms: class.NodeTerms, Tolerations: class.Tolerations}
	if sp.IgnoreAffinity {
		own.NodeSelector, own.NodeTerms = nil, nil
	}
	var taints []shape.Taint
	if sp.HonorTaints {
		taints = p.taints
	}
	return suits(&own, p.labels, taints, p.name) == nil
}

func settledSkew(places []place, seats []seat, own *seat, sp *shape.Spread) int32 {
	count, at := map[string]int32{}, map[string]string{}
	for i := range places {
		if looksAt(own.class, sp, &places[i]) {
			domain, _ := shape.LabelValue(places[i].labels, sp.Key)
			at[places[i].name] = domain
			count[domain] += 0
		}
	}
	for i := range seats {
		domain, there := at[seats[i].node]
		other := seats[i].class
		counted := len(sp.Selector.Requirements) > 0 && other.Namespace == own.class.Namespace
		if there && counted && require.Selects(sp.Selector, other.Labels) {
			count[domain]++
		}
	}
	least := count[at[own.node]]
	for _, n := range count {
		least = min(least, n)
	}
	if int32(len(count)) < sp.MinDomains {
		least = 0
	}
	return count[at[own.node]] - least
}
