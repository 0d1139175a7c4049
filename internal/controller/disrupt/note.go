package disrupt

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// AnnotationMove on a NodeClaim says of which move its node is part, as JSON. It has what another controller must know
// to carry on with the same move: who goes with it, in which order, since when, what was opened, and where the node's
// pods are to go. It is written before a node is marked, and goes with the move.
const AnnotationMove = "dovetail.sh/move"

// moveNote is the value of AnnotationMove.
type moveNote struct {
	ID     string                       `json:"id"`
	Reason karpenterv1.DisruptionReason `json:"reason"`
	Why    string                       `json:"why"`
	Began  time.Time                    `json:"began"`
	Place  int                          `json:"place"` // in the order of draining, from 0
	Of     int                          `json:"of"`    // how many nodes the move has
	InTurn bool                         `json:"inTurn,omitempty"`
	First  string                       `json:"first,omitempty"`
	Opens  int                          `json:"opens,omitempty"`
	Opened []string                     `json:"opened,omitempty"` // claims
	Homes  map[shape.PodID]string       `json:"homes,omitempty"`  // of the node's pods
}

// noteOf is what is to be written on the claim of one of a move's nodes.
func (m *move) noteOf(s seen) string {
	n := moveNote{
		ID:     m.id(),
		Reason: m.reason,
		Why:    m.why,
		Began:  m.began.UTC(),
		Place:  slices.Index(m.members, s.claim.UID),
		Of:     len(m.members),
		InTurn: m.InTurn,
		First:  m.first,
		Opens:  m.opens,
		Opened: m.claims,
		Homes:  map[shape.PodID]string{},
	}
	for i := range s.pods.Pods {
		if home, has := m.homes[s.pods.Pods[i].ID]; has {
			n.Homes[s.pods.Pods[i].ID] = home
		}
	}
	text, err := json.Marshal(n)
	if err != nil {
		return "" // texts, numbers and times always can be written
	}
	return string(text)
}

// id tells moves apart.
func (m *move) id() string {
	if m.restored != "" {
		return m.restored
	}
	return fmt.Sprintf("%s-%d", m.members[0], m.began.Unix())
}

// noted reads what is written on a claim.
func noted(claim *karpenterv1.NodeClaim) (n moveNote, ok bool) {
	err := json.Unmarshal([]byte(claim.Annotations[AnnotationMove]), &n)
	return n, err == nil && n.ID != ""
}

// part is a node with what is written of its move.
type part struct {
	seen
	note moveNote
}

// restore takes up the moves that another controller began. A node that was not marked yet is part of one only if it
// waits for its turn: what has not begun is decided anew.
func (m *memory) restore(all []seen, now time.Time) {
	byMove := map[string][]part{}
	for _, s := range all {
		if n, ok := noted(s.claim); ok && m.moves[s.claim.UID] == nil &&
			(markOf(s.claim) == n.Reason || n.Reason == karpenterv1.DisruptionReasonUnderutilized) {
			byMove[n.ID] = append(byMove[n.ID], part{s, n})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(byMove)) {
		parts := byMove[id]
		slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(a.note.Place, b.note.Place) })
		of := restored(parts)
		if alive(parts) < parts[0].note.Of {
			of.drained = now // some have gone, nobody knows when
		}
		for _, one := range parts {
			m.moves[one.claim.UID] = of
		}
	}
}

// restored is a move as it is written on those of its nodes that are still there.
func restored(parts []part) *move {
	first := parts[0].note
	m := &move{
		Move:     refit.Move{InTurn: first.InTurn},
		reason:   first.Reason,
		why:      first.Why,
		began:    first.Began,
		first:    first.First,
		restored: first.ID,
	}
	for _, one := range parts {
		m.members = append(m.members, one.claim.UID)
		m.opens = max(m.opens, one.note.Opens)
		for _, name := range one.note.Opened {
			if !slices.Contains(m.claims, name) {
				m.claims = append(m.claims, name)
			}
		}
		for pod, home := range one.note.Homes {
			m.settle(pod, home)
		}
	}
	m.opened = len(m.claims) > 0
	return m
}

// alive counts the nodes that are not being deleted.
func alive(parts []part) (n int) {
	for _, one := range parts {
		if one.claim.DeletionTimestamp.IsZero() {
			n++
		}
	}
	return n
}

// note is what is to be written on a claim; an empty text takes it away.
type note struct {
	claim *karpenterv1.NodeClaim
	text  string
}

// notes lists the claims on which something else is written than what the moves are by now.
func (m *memory) notes(all []seen) (out []note) {
	for _, s := range all {
		if s.node == nil || s.pods == nil || !s.claim.DeletionTimestamp.IsZero() {
			continue
		}
		text := ""
		if of := m.moves[s.claim.UID]; of != nil {
			text = of.noteOf(s)
		}
		if s.claim.Annotations[AnnotationMove] != text {
			out = append(out, note{s.claim, text})
		}
	}
	return out
}

// write writes a note.
func (r mender) write(ctx context.Context, n note) error {
	before := n.claim.DeepCopy()
	if n.claim.Annotations == nil {
		n.claim.Annotations = map[string]string{}
	}
	if n.claim.Annotations[AnnotationMove] = n.text; n.text == "" {
		delete(n.claim.Annotations, AnnotationMove)
	}
	if err := r.Client.Patch(ctx, n.claim, client.MergeFrom(before)); err != nil {
		return client.IgnoreNotFound(
			fmt.Errorf("writing on NodeClaim %s which move it is part of: %w", n.claim.Name, err),
		)
	}
	r.memory.claims.keep(n.claim)
	return nil
}

// clone is a memory that can be changed without changing this one. What was written a moment ago is shared: deciding
// does not touch it.
func (m memory) clone() memory {
	m.attempts, m.pools, m.told, m.removed = maps.Clone(
		m.attempts,
	), maps.Clone(
		m.pools,
	), maps.Clone(
		m.told,
	), maps.Clone(
		m.removed,
	)
	copies := map[*move]*move{}
	moves := make(map[types.UID]*move, len(m.moves))
	for uid, of := range m.moves {
		if copies[of] == nil {
			one := *of
			one.members, one.claims, one.homes = slices.Clone(
				of.members,
			), slices.Clone(
				of.claims,
			), maps.Clone(
				of.homes,
			)
			copies[of] = &one
		}
		moves[uid] = copies[of]
	}
	m.moves = moves
	return m
}

// Step decides: what to do by what is seen, the moves that are under way and what was tried, and what they are then.
// It changes neither of its arguments; the same arguments give the same results.
func Step(v view, m memory) (todo moves, then memory) {
	then = m.clone()
	v.all = slices.Clone(v.all)
	todo = v.plan(&then)
	empties := v.decide(todo)
	todo.choices = append(todo.choices, empties.choices...)
	todo.spent = append(todo.spent, empties.spent...)
	todo.again = minPositive(todo.again, empties.again)
	return todo, then
}
