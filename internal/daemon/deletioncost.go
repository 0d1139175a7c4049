package daemon

import (
	"github.com/dovetail-sh/dovetail/internal/controller/deletioncost"
	"github.com/dovetail-sh/dovetail/internal/controller/disrupt"
)

// addDeletionCosts adds what tells ReplicaSets which pods to end first, and returns who wants to know of the plan:
// nobody while the gate is closed. What an open gate has written is taken back then.
func (k *kit) addDeletionCosts() (func([]disrupt.Standing), error) {
	on := k.config.Gates.PodDeletionCostManagement
	costs, err := deletioncost.New(deletioncost.Deps{
		Client: k.client, Live: k.manager.GetAPIReader(), Clock: k.clock,
		Metrics: k.metrics.Costs, Log: k.log.WithName("deletioncost"), Off: !on,
	})
	if err != nil {
		return nil, err
	}
	if err := k.manager.Add(whenSynced{k.mirror, costs}); err != nil {
		return nil, err
	}
	if !on {
		return nil, nil
	}
	return costs.Note, nil
}
