// Package hold reads the switch with which people hold a cluster still: annotations on a NodePool that keep its nodes,
// or all nodes, from being given up by choice until a time.
//
// A hold stops what the controller begins by itself: emptiness, consolidation, drift and expiration. It does not stop
// what it cannot put off or what was asked for: interruptions, the repair of broken nodes, a smaller number of
// replicas, deletions by users, and drains that have begun. It always ends by itself.
package hold

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// Annotations of a NodePool.
const (
	// AnnotationUntil is until when, a time in RFC 3339.
	AnnotationUntil = "dovetail.sh/hold-until"
	// AnnotationScope is Cluster for all NodePools; without it the hold is of its own NodePool.
	AnnotationScope = "dovetail.sh/hold-scope"
	// AnnotationBy says who holds.
	AnnotationBy = "dovetail.sh/hold-by"
	// AnnotationReason says why.
	AnnotationReason = "dovetail.sh/hold-reason"
)

// Annotations are all of them.
func Annotations() []string {
	return []string{AnnotationUntil, AnnotationScope, AnnotationBy, AnnotationReason}
}

// ScopeCluster is the value of AnnotationScope that holds all NodePools.
const ScopeCluster = "Cluster"

// Hold is what keeps a NodePool still.
type Hold struct {
	Pool    string    // that carries the annotations
	Until   time.Time // zero if the annotation cannot be read
	By, Why string    // as written; may be empty
	raw     string
}

// Of is the hold of a pool: its own or one of the whole cluster, whichever lasts longer. all may hold the pool itself.
//
// An annotation that cannot be read holds as well: whoever writes it wants the cluster to stand still now, and a
// mistake in a time must not be found out by a node that goes. The hold says so, and ends when the annotation is mended
// or taken away.
func Of(pool *karpenterv1.NodePool, all []karpenterv1.NodePool, now time.Time) (Hold, bool) {
	best, ok := own(pool, now)
	for i := range all {
		if all[i].Annotations[AnnotationScope] != ScopeCluster {
			continue
		}
		if h, holds := own(&all[i], now); holds && (!ok || h.outlasts(best)) {
			best, ok = h, true
		}
	}
	return best, ok
}

// All is the hold of each pool that is held, by name.
func All(pools []karpenterv1.NodePool, now time.Time) map[string]Hold {
	out := map[string]Hold{}
	for i := range pools {
		if h, ok := Of(&pools[i], pools, now); ok {
			out[pools[i].Name] = h
		}
	}
	return out
}

func own(pool *karpenterv1.NodePool, now time.Time) (Hold, bool) {
	raw, ok := pool.Annotations[AnnotationUntil]
	if !ok {
		return Hold{}, false
	}
	h := Hold{Pool: pool.Name, By: pool.Annotations[AnnotationBy], Why: pool.Annotations[AnnotationReason], raw: raw}
	until, err := time.Parse(time.RFC3339, raw)
	if err != nil {
		return h, true
	}
	h.Until = until
	return h, now.Before(until)
}

// outlasts reports whether a hold ends later than another, or is told by a lesser pool if they end together.
func (h Hold) outlasts(o Hold) bool {
	if h.Until.Equal(o.Until) {
		return h.Pool < o.Pool
	}
	return h.Until.IsZero() || !o.Until.IsZero() && h.Until.After(o.Until)
}

// Sentence says what holds, until when, who wanted it and why, without a full stop.
func (h Hold) Sentence() string {
	out := fmt.Sprintf("disruption is held until %s", h.Until.UTC().Format(time.RFC3339))
	if h.Until.IsZero() {
		out = fmt.Sprintf(
			"disruption is held: annotation %s is %q, which is no time such as 2026-01-31T18:00:00Z; correct it or "+
				"take it away",
			AnnotationUntil,
			h.raw,
		)
	}
	return fmt.Sprintf(
		"%s, by %s (%s), on NodePool %s",
		out,
		cmp.Or(h.By, "somebody who left no name"),
		cmp.Or(h.Why, "no reason given"),
		h.Pool,
	)
}

// Differs reports whether two sets of annotations hold differently.
func Differs(a, b map[string]string) bool {
	return slices.ContainsFunc(Annotations(), func(key string) bool {
		x, had := a[key]
		y, has := b[key]
		return x != y || had != has
	})
}
