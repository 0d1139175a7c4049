package whatif

import (
	"fmt"
	"math"
	"slices"

	"github.com/dovetail-sh/dovetail/internal/roster"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// Compare holds a saved plan against the cluster as it is now.
func Compare(plan *view.Forecast, now roster.Input) (*view.Outcome, error) {
	seen, err := roster.Look(now)
	if err != nil {
		return nil, err
	}
	fleet := seen.Fleet(nil)
	out := &view.Outcome{Header: view.HeaderOf("PlanCheck"), Planned: plan.At,
		At: now.Now, Price: plan.Totals.After, Meanwhile: []string{}, Left: []string{}}
	nodes := map[string]bool{}
	for i := range fleet.Nodes {
		if m := &fleet.Nodes[i]; m.Pool != "" {
			nodes[m.Name] = true
			out.Nodes++
			out.Actual += m.Price
		}
	}
	given := map[string]bool{}
	for i := range plan.Steps {
		for j := range plan.Steps[i].GiveUp {
			given[plan.Steps[i].GiveUp[j].Name] = true
		}
	}
	for _, name := range plan.Base.Nodes {
		switch {
		case given[name] && nodes[name]:
			out.Left = append(out.Left, name)
		case given[name]:
			out.Gone++
		case !nodes[name]:
			out.Meanwhile = append(out.Meanwhile, "node "+name+" went, which the plan kept")
		}
	}
	out.ToGo = out.Gone + len(out.Left)
	out.PlannedNodes = len(plan.Base.Nodes) - out.ToGo + plan.Totals.Add + opened(plan)
	if plan.Totals.After > 0 {
		out.Percent = 100 * math.Abs(float64(out.Actual-plan.Totals.After)) / float64(plan.Totals.After)
	} else if out.Actual > 0 {
		out.Percent = 100
	}
	out.Meanwhile = append(out.Meanwhile, meanwhile(plan, now)...)
	return out, nil
}

// opened are the nodes that a plan's moves leave.
func opened(plan *view.Forecast) (n int) {
	base := map[string]bool{}
	for _, name := range plan.Base.Nodes {
		base[name] = true
	}
	for i := range plan.Steps {
		if plan.Steps[i].Kind == "add" {
			continue
		}
		n += len(plan.Steps[i].Open)
		for j := range plan.Steps[i].GiveUp {
			if !base[plan.Steps[i].GiveUp[j].Name] {
				n--
			}
		}
	}
	return n
}

// meanwhile is what moved beside the plan: workloads that grew or shrank, and NodePools that were edited.
func meanwhile(plan *view.Forecast, now roster.Input) (out []string) {
	have := map[string]bool{}
	more := 0
	for _, p := range now.Set.Pods {
		if translate.Finished(p) {
			continue
		}
		id := string(translate.IDOf(p))
		have[id] = true
		if _, known := plan.Base.Pods[id]; !known {
			more++
		}
	}
	fewer := 0
	for id := range plan.Base.Pods {
		if !have[id] {
			fewer++
		}
	}
	if more+fewer > 0 {
		out = append(
			out,
			fmt.Sprintf("%d pods came and %d went, those that were evicted and made anew among them", more, fewer),
		)
	}
	pools := map[string]bool{}
	for _, np := range now.Set.NodePools {
		pools[np.Name] = true
		switch was, known := plan.Base.Pools[np.Name]; {
		case !known:
			out = append(out, "NodePool "+np.Name+" is new")
		case was != poolHash(np):
			out = append(out, "NodePool "+np.Name+" was edited")
		}
	}
	for name := range plan.Base.Pools {
		if !pools[name] {
			out = append(out, "NodePool "+name+" was deleted")
		}
	}
	slices.Sort(out)
	return out
}
