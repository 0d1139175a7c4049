// Package calm keeps failures that are nobody's fault out of the logs, and those of others from being waited for too
// long.
package calm

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// pause is how long to wait for the cache after someone else wrote an object first.
const pause = 100 * time.Millisecond

// firstRetry and lastRetry bound how soon what failed is tried again: the time doubles. controller-runtime's own last
// is a quarter of an hour, so nodes would stay for that long after an outage of a cloud that lasted as long.
const firstRetry, lastRetry = 100 * time.Millisecond, 10 * time.Second

// Options are a controller's that works on so many objects at once.
func Options(workers int) controller.Options {
	return controller.Options{
		MaxConcurrentReconciles: workers,
		RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](
			firstRetry,
			lastRetry,
		),
	}
}

// Conflicts is a Reconciler that tries again in silence when all that went wrong is that
// someone else wrote an object first: conditional writes expect that.
func Conflicts(r reconcile.Reconciler) reconcile.Reconciler {
	return reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		result, err := r.Reconcile(ctx, req)
		if err == nil {
			return result, nil
		}
		if onlyConflicts(err) {
			return reconcile.Result{RequeueAfter: pause}, nil
		}
		return reconcile.Result{}, err
	})
}

func onlyConflicts(err error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			if !onlyConflicts(e) {
				return false
			}
		}
		return true
	}
	return apierrors.IsConflict(err)
}
