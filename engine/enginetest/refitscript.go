package enginetest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// bought makes a node of a script one of ours: type= names an offer, from which it takes its room, labels and price.
func (r *runner) bought(n *shape.Node, p *shape.Profile, a *args) error {
	if n.InstanceType == "" {
		return nil
	}
	capacity := a.get("capacity", shape.OnDemand)
	for _, it := range r.world.types {
		for _, o := range it.Offerings {
			if it.Name != n.InstanceType || o.Zone != n.Zone || o.CapacityType != capacity {
				continue
			}
			n.Claim, n.Allocatable, n.Price, n.CapacityType = n.Name, it.Allocatable, o.Price, capacity
			n.Pool = a.get("pool", "general")
			labels := map[string]string{
				shape.LabelNodePool: n.Pool, shape.LabelInstanceType: it.Name, shape.LabelCapacityType: capacity,
			}
			for _, l := range p.Labels {
				labels[l.Key] = l.Value
			}
			p.Labels = shape.LabelsOf(labels)
			age, err := time.ParseDuration(a.get("age", "1h"))
			n.Created = epoch.Add(-age)
			n.Kept = a.get("kept", "")
			n.Unwelcome, n.Unsettled = a.has("unwelcome"), a.has("unsettled")
			return err
		}
	}
	return fmt.Errorf("no offer %s in %s as %s", n.InstanceType, n.Zone, capacity)
}

// refitPolicy reads what a pool wants, for the whole script: mode=, budget=, lifetime=, payback=, pod-price=,
// min-saving=, and spot-to-spot.
func (r *runner) refitPolicy(list []string) (refit.Policy, error) {
	a := parseArgs(list)
	p := refit.DefaultPolicy()
	p.Plan = r.policy
	modes := map[string]refit.Mode{
		"never": refit.Never, "empty": refit.WhenEmpty, "underutilized": refit.WhenUnderutilized,
		"balanced": refit.Balanced,
	}
	mode, ok := modes[a.get("mode", "underutilized")]
	if !ok {
		return p, fmt.Errorf("unknown mode %q", a.get("mode", ""))
	}
	pool := refit.PoolPolicy{Mode: mode}
	var errs [5]error
	pool.Budget, errs[0] = strconv.Atoi(a.get("budget", "-1"))
	pool.Lifetime, errs[1] = time.ParseDuration(a.get("lifetime", "0s"))
	p.Payback, errs[2] = time.ParseDuration(a.get("payback", p.Payback.String()))
	p.MinSaving, errs[3] = strconv.ParseFloat(a.get("min-saving", "0.05"), 64)
	price, err := strconv.ParseFloat(a.get("pod-price", "0.001"), 64)
	p.PodPrice, errs[4] = shape.Dollars(price), err
	p.SpotToSpot = a.has("spot-to-spot")
	for _, err := range errs {
		if err != nil {
			return p, err
		}
	}
	p.Held = map[string]string{}
	for _, text := range a.all("held") {
		name, why, _ := strings.Cut(text, " ")
		p.Held[name] = why
	}
	p.Pools = map[string]refit.PoolPolicy{}
	for _, q := range r.world.Snapshot().Pools {
		p.Pools[q.Name] = pool
	}
	return p, a.unknown()
}

// refit proposes moves, holds them against the laws, and prints them.
func (r *runner) refit(list []string) (string, error) {
	p, err := r.refitPolicy(list)
	if err != nil {
		return "", err
	}
	s := r.world.Snapshot()
	found := refit.Refit(s, p)
	var b strings.Builder
	for i := range found.Moves {
		m := &found.Moves[i]
		if err := CheckMove(s, *m); err != nil {
			return "", err
		}
		s = Moved(s, *m, func(n int) int { return n - 1 })
		printMove(&b, m)
	}
	for _, k := range found.Kept {
		fmt.Fprintf(&b, "keep %s: %s: %s\n", k.Node, k.Why.Kind, k.Why.Sentence())
	}
	fmt.Fprintf(&b, "%s per hour becomes %s\n", found.Before, found.After)
	return b.String(), nil
}

func printMove(b *strings.Builder, m *refit.Move) {
	how := ""
	switch {
	case m.InTurn:
		how = " in turn"
	case m.Turns > 1:
		how = fmt.Sprintf(" in %d turns", m.Turns)
	}
	fmt.Fprintf(b, "give up %s%s: %s for %s, %d pods\n", strings.Join(m.Remove, " "), how, m.Price, m.Instead, m.Pods)
	for _, n := range m.Open {
		var where []string
		for _, o := range n.Options {
			where = append(where, strings.TrimSuffix(o.Type+"/"+o.Zone+"/"+o.CapacityType, "/"+shape.OnDemand))
		}
		var names []string
		for _, id := range n.Pods {
			names = append(names, short(id))
		}
		fmt.Fprintf(b, "  open %s: %s\n", strings.Join(where, " or "), strings.Join(names, " "))
	}
	byNode := map[string][]string{}
	var nodes []string
	for _, p := range m.Place {
		if byNode[p.Node] == nil {
			nodes = append(nodes, p.Node)
		}
		byNode[p.Node] = append(byNode[p.Node], short(p.Pod))
	}
	slices.Sort(nodes)
	for _, n := range nodes {
		fmt.Fprintf(b, "  use %s: %s\n", n, strings.Join(byNode[n], " "))
	}
}
