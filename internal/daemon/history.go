package daemon

import (
	"context"
	"errors"

	"github.com/dovetail-sh/dovetail/internal/history"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// addHistory adds what remembers claims, on standbys too: whoever leads next knows what was.
func (k *kit) addHistory(ctx context.Context) error {
	keeper, err := history.New(history.Deps{
		Dir:    k.config.Planning.JournalDir,
		Clock:  k.clock,
		Log:    k.log.WithName("history"),
		Events: k.events,
		Active: k.active,
		Pods:   func(ctx context.Context, node string) int { return podsToMove(ctx, k, node) },
	})
	if err != nil {
		return err
	}
	k.history = keeper
	caught := everywhere(func(ctx context.Context) error {
		if k.manager.GetCache().WaitForCacheSync(ctx) {
			if err := keeper.Catch(ctx, k.client); err != nil {
				k.log.Error(err, "looking for claims that went while nobody looked")
			}
		}
		<-ctx.Done()
		return nil
	})
	return errors.Join(keeper.Follow(ctx, k.manager.GetCache()), k.manager.Add(caught))
}

// active reports whether this process leads.
func (k *kit) active() bool {
	select {
	case <-k.manager.Elected():
		return true
	default:
		return false
	}
}

// podsToMove is how many pods of a node need another one when it goes.
func podsToMove(ctx context.Context, k *kit, node string) (n int) {
	pods, err := lookup.Pods(ctx, k.client, node)
	if err != nil {
		return 0
	}
	for i := range pods {
		if p := &pods[i]; !translate.Finished(p) && p.DeletionTimestamp.IsZero() && !translate.BoundByOwner(p) {
			n++
		}
	}
	return n
}
