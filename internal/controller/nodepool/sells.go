package nodepool

import (
	"context"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider"
)

// answer is whether a pool can have any instance type, and for what it was worked out.
type answer struct {
	generation int64
	first      *shape.InstanceType // a cloud returns the same types until something changes
	sells      bool
}

// warnIfNothingSuits says on a pool that is ready otherwise that nothing the cloud sells satisfies its requirements.
func (r *Reconciler) warnIfNothingSuits(ctx context.Context, pool *karpenterv1.NodePool) {
	if r.Events == nil || !condition.IsTrue(pool, condition.Ready) {
		return
	}
	types, err := r.Cloud.InstanceTypes(ctx, *pool.Spec.Template.Spec.NodeClassRef)
	if err != nil || len(types) == 0 {
		return // the class's conditions say why
	}
	last := r.answered[pool.Name]
	if last.generation != pool.Generation || last.first != types[0] {
		template, err := translate.Pool(pool, r.Cloud.LabelRules().Aliases)
		if err != nil {
			return // its condition says why
		}
		last = answer{pool.Generation, types[0], provider.Sells(types, template.Requirements)}
		r.answered[pool.Name] = last
	}
	if !last.sells {
		r.Events.Emitf(
			pool,
			observe.NoCompatibleInstanceTypes,
			"None of the %d instance types that the cloud sells satisfies the requirements of NodePool %s; widen spec.template.spec.requirements.",
			len(types),
			pool.Name,
		)
	}
}
