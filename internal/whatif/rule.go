package whatif

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// rule is one constraint that somebody wrote, and a cluster without it.
type rule struct {
	object string // "Deployment or other workload default/web", "NodePool web"
	words  string
	pods   int  // that it concerns, 0 for a NodePool's
	holds  bool // it says what may go, not what is bought
	relax  func(*manifest.Set)
}

// rulesOf are the rules of a cluster whose absence can be planned, those that concern most first.
func rulesOf(set *manifest.Set) []rule {
	out := slices.Concat(poolRules(set), workloadRules(set), guardRules(set))
	slices.SortStableFunc(out, func(a, b rule) int {
		return cmp.Or(cmp.Compare(b.pods, a.pods), cmp.Compare(a.object, b.object), cmp.Compare(a.words, b.words))
	})
	return out
}

// poolRules are those of NodePools. They count as if they concerned all pods.
func poolRules(set *manifest.Set) (out []rule) {
	for _, np := range set.NodePools {
		if np.Spec.Replicas != nil {
			continue
		}
		name := np.Name
		add := func(words string, holds bool, change func(*karpenterv1.NodePool)) {
			out = append(
				out,
				rule{
					"NodePool " + name,
					words,
					len(set.Pods),
					holds,
					func(s *manifest.Set) { changePool(s, name, change) },
				},
			)
		}
		for i, r := range np.Spec.Template.Spec.Requirements {
			add(describe(r), false, func(np *karpenterv1.NodePool) {
				np.Spec.Template.Spec.Requirements = slices.Delete(np.Spec.Template.Spec.Requirements, i, i+1)
			})
			if r.MinValues != nil {
				add(fmt.Sprintf("minValues %d of %s", *r.MinValues, r.Key), false, func(np *karpenterv1.NodePool) {
					np.Spec.Template.Spec.Requirements[i].MinValues = nil
				})
			}
		}
		for resource, limit := range np.Spec.Limits {
			add(
				fmt.Sprintf("limit %s %s", resource, limit.String()),
				false,
				func(np *karpenterv1.NodePool) { delete(np.Spec.Limits, resource) },
			)
		}
		if len(np.Spec.Disruption.Budgets) > 0 {
			add("budgets "+budgetWords(np), true, func(np *karpenterv1.NodePool) { np.Spec.Disruption.Budgets = nil })
		}
		switch after := np.Spec.Disruption.ConsolidateAfter; {
		case after.IsNever():
			add("consolidateAfter Never", true, atOnce)
		case after.Duration != nil && *after.Duration > 0:
			add("consolidateAfter "+after.String(), true, atOnce)
		}
		if np.Spec.Disruption.ConsolidationPolicy == karpenterv1.ConsolidationPolicyWhenEmpty {
			add(
				"consolidationPolicy WhenEmpty",
				true,
				func(np *karpenterv1.NodePool) { np.Spec.Disruption.ConsolidationPolicy = "" },
			)
		}
	}
	return out
}

func atOnce(np *karpenterv1.NodePool) {
	none := time.Duration(0)
	np.Spec.Disruption.ConsolidateAfter = karpenterv1.NillableDuration{Duration: &none}
}

func budgetWords(np *karpenterv1.NodePool) string {
	var list []string
	for _, b := range np.Spec.Disruption.Budgets {
		list = append(list, b.Nodes)
	}
	return strings.Join(list, ", ")
}

func describe(r karpenterv1.Requirement) string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Key, r.Operator, strings.Join(r.Values, ",")))
}

func changePool(s *manifest.Set, name string, change func(*karpenterv1.NodePool)) {
	s.NodePools = slices.Clone(s.NodePools)
	for i, np := range s.NodePools {
		if np.Name == name {
			np = np.DeepCopy()
			change(np)
			s.NodePools[i] = np
		}
	}
}

// wish is a kind of rule that pods carry.
type wish struct {
	words func(*corev1.Pod) string // empty for a pod without it
	holds bool
	drop  func(*corev1.Pod)
}

var wishes = []wish{
	{
		words: spreadWords,
		drop:  func(p *corev1.Pod) { p.Spec.TopologySpreadConstraints = nil },
	},
	{words: func(p *corev1.Pod) string {
		if a := p.Spec.Affinity; a != nil && a.PodAntiAffinity != nil &&
			len(a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution) > 0 {
			return "keeping away from other pods (podAntiAffinity) over " +
				a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution[0].TopologyKey
		}
		return ""
	}, drop: func(p *corev1.Pod) { p.Spec.Affinity.PodAntiAffinity = nil }},
	{words: func(p *corev1.Pod) string {
		if a := p.Spec.Affinity; a != nil && a.PodAffinity != nil &&
			len(a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution) > 0 {
			return "being near other pods (podAffinity) over " +
				a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution[0].TopologyKey
		}
		return ""
	}, drop: func(p *corev1.Pod) { p.Spec.Affinity.PodAffinity = nil }},
	{words: func(p *corev1.Pod) string {
		var list []string
		for _, key := range slices.Sorted(maps.Keys(p.Spec.NodeSelector)) {
			list = append(list, key+"="+p.Spec.NodeSelector[key])
		}
		if len(list) == 0 {
			return ""
		}
		return "nodeSelector " + strings.Join(list, ",")
	}, drop: func(p *corev1.Pod) { p.Spec.NodeSelector = nil }},
	{words: func(p *corev1.Pod) string {
		if a := p.Spec.Affinity; a != nil && a.NodeAffinity != nil &&
			a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution != nil {
			return "required nodeAffinity"
		}
		return ""
	}, drop: func(p *corev1.Pod) {
		p.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution = nil
	}},
	{words: func(p *corev1.Pod) string {
		if p.Annotations[karpenterv1.DoNotDisruptAnnotationKey] != "" {
			return karpenterv1.DoNotDisruptAnnotationKey
		}
		return ""
	}, holds: true, drop: func(p *corev1.Pod) { delete(p.Annotations, karpenterv1.DoNotDisruptAnnotationKey) }},
}

func spreadWords(p *corev1.Pod) string {
	var list []string
	for _, c := range p.Spec.TopologySpreadConstraints {
		if c.WhenUnsatisfiable == corev1.DoNotSchedule {
			list = append(list, c.TopologyKey)
		}
	}
	if len(list) == 0 {
		return ""
	}
	return "spreading over " + strings.Join(list, ", ")
}

// workloadRules are those that pods carry, by workload.
func workloadRules(set *manifest.Set) (out []rule) {
	type of struct {
		workload, words string
		wish            int
	}
	count := map[of]int{}
	for _, p := range set.Pods {
		if translate.Finished(p) {
			continue
		}
		for i, w := range wishes {
			if words := w.words(p); words != "" {
				count[of{cmp.Or(Workload(p), string(translate.IDOf(p))), words, i}]++
			}
		}
	}
	for k, pods := range count {
		w := wishes[k.wish]
		out = append(out, rule{k.workload, k.words, pods, w.holds, func(s *manifest.Set) {
			s.Pods = slices.Clone(s.Pods)
			for i, p := range s.Pods {
				if cmp.Or(Workload(p), string(translate.IDOf(p))) == k.workload && w.words(p) == k.words {
					p = p.DeepCopy()
					w.drop(p)
					s.Pods[i] = p
				}
			}
		}})
	}
	return out
}

// guardRules are PodDisruptionBudgets.
func guardRules(set *manifest.Set) (out []rule) {
	for _, b := range set.Budgets {
		name := b.Namespace + "/" + b.Name
		out = append(
			out,
			rule{
				"PodDisruptionBudget " + name,
				guardWords(b),
				int(b.Status.ExpectedPods),
				true,
				func(s *manifest.Set) {
					s.Budgets = slices.DeleteFunc(
						slices.Clone(s.Budgets),
						func(o *policyv1.PodDisruptionBudget) bool { return o.Namespace+"/"+o.Name == name },
					)
				},
			},
		)
	}
	return out
}

func guardWords(b *policyv1.PodDisruptionBudget) string {
	switch {
	case b.Spec.MaxUnavailable != nil:
		return "maxUnavailable " + b.Spec.MaxUnavailable.String()
	case b.Spec.MinAvailable != nil:
		return "minAvailable " + b.Spec.MinAvailable.String()
	}
	return "no pod may be evicted"
}
