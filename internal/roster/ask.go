package roster

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/simulate"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// Plan plans the pods that wait.
func (s *Seen) Plan() (*simulate.Result, error) { return s.ready.Plan() }

// Pod says of a pod what a plan of this cluster does, and of the node that it is on or waits for what objects say: that
// a launch is refused, or that the node is going. The error says that there is no such pod.
func (s *Seen) Pod(plan *simulate.Result, name string) (view.Pod, error) {
	out, err := plan.ExplainPod(name)
	if err != nil {
		return out, err
	}
	on := s.nodeOf(name)
	if on != "" && on != out.Node {
		out.From = on // it is planned because its node goes
	}
	at := cmp.Or(on, out.Node)
	m, found := s.find(at)
	if !found || m.Phase == view.Ready || on == "" && out.Verdict == view.NewNode {
		return out, nil
	}
	out.At, out.Stage = s.in.Now, s.stage(&m)
	if on == "" {
		out.Verdict, out.Node = view.Awaits, m.Name
	}
	return out, nil
}

// nodeOf is the node that a pod runs on; empty for none.
func (s *Seen) nodeOf(pod string) string {
	for name, list := range s.pods {
		if slices.ContainsFunc(list, func(p *corev1.Pod) bool { return string(translate.IDOf(p)) == pod }) {
			return name
		}
	}
	return ""
}

// Node says of a node what a plan of this cluster does, and what its objects say of how far it is and what it costs.
func (s *Seen) Node(plan *simulate.Result, name string) (view.NodeAnswer, error) {
	out, err := plan.ExplainNode(name)
	if err != nil || out.New != nil {
		return out, err
	}
	m, found := s.find(out.Node)
	if !found {
		return out, nil
	}
	out.At, out.Node = s.in.Now, m.Name
	out.Price, out.PriceFrom = m.Price.Dollar(), m.PriceFrom
	if m.Phase == view.Ready {
		return out, nil
	}
	out.Stage = s.stage(&m)
	out.Running = nil
	for _, p := range s.pods[m.Name] {
		out.Running = append(out.Running, string(translate.IDOf(p)))
	}
	if m.Phase != view.Registered {
		for i := range out.Resources {
			out.Resources[i].Free = 0
		}
	}
	return out, nil
}

// find is the machine of a node or of a claim.
func (s *Seen) find(name string) (view.Machine, bool) {
	for _, n := range s.snapshot.Nodes {
		if n.Name == name || n.Claim != "" && n.Claim == strings.TrimPrefix(name, translate.ClaimOnlyName("")) {
			return s.machine(n), true
		}
	}
	return view.Machine{}, false
}

// steps are the conditions that a claim has still to meet.
var steps = map[view.Phase]string{
	view.Launching: karpenterv1.ConditionLaunched, view.Launched: karpenterv1.ConditionRegistered,
	view.Registered: karpenterv1.ConditionInitialized,
}

func (s *Seen) stage(m *view.Machine) *view.Stage {
	out := &view.Stage{Claim: m.Claim, Phase: m.Phase, Since: m.Since}
	claim := s.claims[m.Claim]
	if step := steps[m.Phase]; step != "" && claim != nil {
		if c := condition.Get(claim, step); c != nil && c.Status != "True" {
			out.Reason, out.Message = c.Reason, strings.TrimSuffix(c.Message, ".")
		}
		return out
	}
	out.Message = m.Why
	return out
}
