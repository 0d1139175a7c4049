package oracle

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	fwk "k8s.io/kube-scheduler/framework"
	schedulerapi "k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"

	"github.com/dovetail-sh/dovetail/engine/explain"
	"github.com/dovetail-sh/dovetail/engine/feasible"
)

// witnesses are the plugins of which one must refuse a node if the reason that we give for it is true.
var witnesses = map[feasible.Kind][]string{
	feasible.Tainted:      {names.TaintToleration, names.NodeUnschedulable},
	feasible.WrongLabel:   {names.NodeAffinity},
	feasible.WrongVolume:  {names.VolumeBinding, names.VolumeZone},
	feasible.NoDevices:    {}, // a claim goes where its first pod goes, which is the plan's choice
	feasible.NoRoom:       {names.NodeResourcesFit, names.DynamicResources},
	feasible.NoAttach:     {names.NodeVolumeLimits},
	feasible.PortTaken:    {names.NodePorts},
	feasible.Spread:       {names.PodTopologySpread},
	feasible.Affinity:     {names.InterPodAffinity},
	feasible.AntiAffinity: {names.InterPodAffinity},
	feasible.NoDomain:     {names.PodTopologySpread, names.InterPodAffinity},
}

// separate makes each witness on its own, to be asked whatever the others say.
func (s *scheduler) separate(ctx context.Context, configs []schedulerapi.PluginConfig) error {
	registry := plugins.NewInTreeRegistry()
	args := map[string]runtime.Object{}
	for _, c := range configs {
		args[c.Name] = c.Args
	}
	s.alone = map[string]fwk.Plugin{}
	for _, list := range witnesses {
		for _, name := range list {
			p, err := registry[name](ctx, args[name], s.framework)
			if err != nil {
				return fmt.Errorf("building plugin %s: %w", name, err)
			}
			s.alone[name] = p
		}
	}
	return nil
}

// refuses reports whether one plugin refuses a node.
func (s *scheduler) refuses(ctx context.Context, plugin string, pod *corev1.Pod, node *framework.NodeInfo) bool {
	if plugin == names.VolumeBinding && s.board.volumes.refuses(pod, node.Node()) != "" {
		return true
	}
	if plugin == names.NodeVolumeLimits && s.board.full(pod, node) != "" {
		return true
	}
	state := framework.NewCycleState()
	if before, ok := s.alone[plugin].(fwk.PreFilterPlugin); ok {
		only, status := before.PreFilter(ctx, state, pod, s.board.list)
		switch {
		case status.IsSkip():
			return false
		case !status.IsSuccess(), !only.AllNodes() && !only.NodeNames.Has(node.Node().Name):
			return true
		}
	}
	return !s.alone[plugin].(fwk.FilterPlugin).Filter(ctx, state, pod, node).IsSuccess()
}

// untrue is what does not hold of the reasons for a pod that has no place: more nodes with a reason than nodes that the
// scheduler refuses for it, or a hope for the next plan. Empty if all hold.
func (t *trial) untrue(ctx context.Context, pod *corev1.Pod, why explain.Tree) string {
	claimed := map[string]int{} // by the first witness
	refused := map[string]int{}
	for _, place := range why.Children {
		for _, g := range place.Groups {
			list := witnesses[g.Reason.Kind]
			switch {
			case g.Reason.Kind == feasible.Later:
				return fmt.Sprintf("%s: %d left for the next plan", place.Subject, g.Count)
			case place.Subject != "nodes" || len(list) == 0:
				continue
			}
			if _, counted := refused[list[0]]; !counted || len(list) > 1 {
				refused[list[0]] = max(refused[list[0]], t.refusedBy(ctx, pod, list))
			}
			claimed[list[0]] += g.Count
		}
	}
	for plugin, n := range claimed {
		if plugin == names.VolumeBinding && len(claimsOf(pod)) > 0 {
			continue // which volume a pod without a place would have got is the plan's choice
		}
		if n > refused[plugin] {
			return fmt.Sprintf("%d nodes are said to be refused by %s, it refuses %d", n, plugin, refused[plugin])
		}
	}
	return ""
}

// refusedBy counts the nodes of the cluster that one of several plugins refuses.
func (t *trial) refusedBy(ctx context.Context, pod *corev1.Pod, list []string) int {
	count := 0
	for _, m := range t.cluster.machines {
		node := t.scheduler.board.byName[m.node.Name]
		for _, plugin := range list {
			if node != nil && t.scheduler.refuses(ctx, plugin, pod, node) {
				count++
				break
			}
		}
	}
	return count
}
