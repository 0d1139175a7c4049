// Package calm keeps failures that are nobody's fault out of the logs.
package calm

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// pause is how long to wait for the cache after someone else wrote an object first.
const pause = 100 * time.Millisecond

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
