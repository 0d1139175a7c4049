package nominate

import (
	"context"
	"time"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// followEvery is how often it is looked for nominations that an attempt of the scheduler has cleared.
const followEvery = 25 * time.Millisecond

// NeedLeaderElection is true: only the leader plans.
func (n *Nominator) NeedLeaderElection() bool { return true }

// Start nominates again, until the context ends, pods whose nominations were cleared although their node takes pods.
// One may wait there because its turn has not come, as with a spread over zones, and its room is not to be given away.
func (n *Nominator) Start(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.Clock.After(followEvery):
		}
		if err := n.follow(ctx); err != nil && ctx.Err() == nil {
			n.Log.V(1).Info("telling the scheduler of the plan", "error", err.Error())
		}
	}
}

func (n *Nominator) follow(ctx context.Context) (failed error) {
	targets := n.Plans.Targets()
	if len(targets) == 0 {
		n.forget()
		return nil
	}
	for _, t := range targets {
		if t.Node == nil || !t.Untold || t.Node.Labels[karpenterv1.NodeRegisteredLabelKey] != "true" || !open(t.Node) {
			continue
		}
		if due := n.due(t.Claim); len(due) > 0 {
			if _, err := n.write(ctx, due, t.Node.Name); err != nil {
				failed = err
			}
		}
	}
	return failed
}

// forget ends the counting of attempts once no pod is planned any more.
func (n *Nominator) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.tried)
}
