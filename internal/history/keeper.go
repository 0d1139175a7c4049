package history

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"sync"

	"github.com/go-logr/logr"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// AnnotationLife is on the event of a claim's last words: its whole life, as JSON.
const AnnotationLife = "dovetail.sh/life"

// Deps are what a Keeper needs.
type Deps struct {
	Dir    string // where the history is written; empty for memory alone
	Clock  clock.PassiveClock
	Log    logr.Logger
	Events *observe.Recorder // nil for no last words

	// Active is false on standbys, which remember but say nothing; nil means true.
	Active func() bool

	// Pods is how many pods of a node would need another one; nil for unknown.
	Pods func(ctx context.Context, node string) int
}

// Keeper remembers. A nil one remembers nothing.
type Keeper struct {
	Deps

	mu   sync.Mutex // guards book
	book *book
}

// New reads what earlier processes have written.
func New(d Deps) (*Keeper, error) {
	b, err := openBook(d.Dir)
	if err != nil {
		return nil, err
	}
	return &Keeper{Deps: d, book: b}, nil
}

// Follow has a cache tell the Keeper of claims.
func (k *Keeper) Follow(ctx context.Context, from cache.Cache) error {
	informer, err := from.GetInformer(ctx, &karpenterv1.NodeClaim{}, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watching NodeClaims: %w", err)
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { k.handle(o, k.Seen) },
		UpdateFunc: func(_, o any) { k.handle(o, k.Seen) },
		DeleteFunc: func(o any) {
			if unknown, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
				o = unknown.Obj
			}
			k.handle(o, k.Gone)
		},
	})
	return err
}

func (k *Keeper) handle(o any, f func(*karpenterv1.NodeClaim)) {
	if claim, ok := o.(*karpenterv1.NodeClaim); ok {
		f(claim)
	}
}

// Seen remembers a claim as it is.
func (k *Keeper) Seen(c *karpenterv1.NodeClaim) { k.note(Of(c)) }

// Retiring remembers why a claim is about to be deleted. Who calls it deletes the claim afterwards.
func (k *Keeper) Retiring(ctx context.Context, c *karpenterv1.NodeClaim, reason string) {
	if k == nil {
		return
	}
	l := Of(c)
	choice(c, &l)
	if l.Reason != reason || l.Went == "" {
		l.Reason, l.Went = reason, wordsFor(reason)
	}
	if l.Taken() {
		l.Interrupted = k.Clock.Now()
	}
	if k.Pods != nil && c.Status.NodeName != "" {
		l.Evicted = k.Pods(ctx, c.Status.NodeName)
	}
	k.note(l)
}

// Replaces remembers that claims were opened in place of others.
func (k *Keeper) Replaces(opened, given []*karpenterv1.NodeClaim) {
	if k == nil || len(opened) == 0 {
		return
	}
	for _, c := range opened {
		k.note(view.Life{UID: string(c.UID), Claim: c.Name, Replaces: names(given)})
	}
	for _, c := range given {
		k.note(view.Life{UID: string(c.UID), Claim: c.Name, Instead: names(opened)})
	}
}

func names(claims []*karpenterv1.NodeClaim) (out []string) {
	for _, c := range claims {
		out = append(out, c.Name)
	}
	return out
}

// Gone remembers that a claim is not there any more, and says its last words.
func (k *Keeper) Gone(c *karpenterv1.NodeClaim) {
	l := Of(c)
	l.Gone = k.Clock.Now()
	k.mu.Lock()
	known := k.book.lives[l.UID]
	k.mu.Unlock()
	if !known.Gone.IsZero() {
		return
	}
	if known.Reason == "" && l.Reason == "" {
		l.Reason, l.Went = reasonDeleted, wordsFor(reasonDeleted)
	}
	if known.Reason != "" { // what was said at the deletion outweighs what an older condition says
		l.Reason, l.Went = "", ""
	}
	k.note(l)
	k.mu.Lock()
	whole := k.book.lives[l.UID]
	k.mu.Unlock()
	k.lastWords(c, whole)
}

// lastWords are an event, which the API server keeps for an hour.
func (k *Keeper) lastWords(c *karpenterv1.NodeClaim, l view.Life) {
	if k.Events == nil || k.Active != nil && !k.Active() {
		return
	}
	text, err := json.Marshal(l)
	if err != nil {
		return
	}
	k.Events.EmitWith(map[string]string{AnnotationLife: string(text)}, c, observe.NodeClaimGone, l.Sentence())
}

// note writes what is new of a claim, if anything is.
func (k *Keeper) note(l view.Life) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if known, ok := k.book.lives[l.UID]; ok && reflect.DeepEqual(over(known, l), known) {
		return
	}
	if err := k.book.write(l); err != nil {
		k.Log.Error(err, "keeping the history", observe.LogNodeClaim, l.Claim)
	}
}

// Lives are all claims that are remembered, oldest first.
func (k *Keeper) Lives() []view.Life {
	k.mu.Lock()
	defer k.mu.Unlock()
	return ordered(k.book.lives)
}

// Catch marks claims as gone that went while nobody looked: those that are remembered and not among the ones that are
// there.
func (k *Keeper) Catch(ctx context.Context, from client.Reader) error {
	var there karpenterv1.NodeClaimList
	if err := from.List(ctx, &there); err != nil {
		return fmt.Errorf("listing NodeClaims: %w", err)
	}
	alive := map[string]bool{}
	for i := range there.Items {
		alive[string(there.Items[i].UID)] = true
	}
	k.missed(alive)
	return nil
}

// missed marks as gone what is remembered and not alive.
func (k *Keeper) missed(alive map[string]bool) {
	for _, l := range k.Lives() {
		if !l.Gone.IsZero() || alive[l.UID] || l.Created.IsZero() {
			continue
		}
		end := view.Life{UID: l.UID, Gone: k.Clock.Now()}
		if l.Reason == "" {
			end.Reason, end.Went = reasonDeleted, wordsFor(reasonDeleted)
		}
		k.note(end)
	}
}

// Recall takes over what others remember.
func (k *Keeper) Recall(lives []view.Life) {
	for i := range lives {
		k.note(lives[i])
	}
}

// Observe is Seen of all claims that there are, and Gone of those that are not any more.
func (k *Keeper) Observe(claims []*karpenterv1.NodeClaim) {
	alive := map[string]bool{}
	for _, c := range claims {
		alive[string(c.UID)] = true
		k.Seen(c)
	}
	k.missed(alive)
}
