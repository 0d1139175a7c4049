package whatif_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/controller/disrupt"
	"github.com/dovetail-sh/dovetail/internal/hold"
	"github.com/dovetail-sh/dovetail/internal/roster"
)

const doNotDisrupt = "karpenter.sh/do-not-disrupt"

// person does what a sentence says, and no more: whoever reads it knows nothing of how it was found.
type person struct {
	in    roster.Input
	rules disrupt.Rules
}

// skills are the orders that a person understands, and what is done for each.
var skills = []struct {
	order *regexp.Regexp
	do    func(p *person, words []string)
}{
	{regexp.MustCompile(`^take back the hold of NodePool (\S+)$`), func(p *person, w []string) {
		delete(p.pool(w[1]).Annotations, hold.AnnotationUntil)
	}},
	{regexp.MustCompile(`^remove ` + doNotDisrupt + ` from node (\S+)$`), func(p *person, w []string) {
		delete(p.node(w[1]).Annotations, doNotDisrupt)
	}},
	{regexp.MustCompile(`^remove ` + doNotDisrupt + ` from (\S+/.*)$`), func(p *person, w []string) {
		for _, name := range strings.Split(w[1], ", ") {
			p.pods(name, func(pod *corev1.Pod) { delete(pod.Annotations, doNotDisrupt) })
		}
	}},
	{regexp.MustCompile(`^keep node (\S+), whose pods come here \(` + doNotDisrupt + `\)$`),
		func(p *person, w []string) {
			metav1.SetMetaDataAnnotation(&p.node(w[1]).ObjectMeta, doNotDisrupt, "true")
		}},
	{regexp.MustCompile(`^let PodDisruptionBudget (\S+) \(.*\) allow 1 eviction$`), func(p *person, w []string) {
		for _, b := range p.in.Set.Budgets {
			if b.Namespace+"/"+b.Name == w[1] {
				b.Status.ExpectedPods, b.Status.CurrentHealthy, b.Status.DisruptionsAllowed = 9, 9, 1
			}
		}
	}},
	{regexp.MustCompile(`^delete PodDisruptionBudget (\S+): `), func(p *person, w []string) {
		for i, b := range p.in.Set.Budgets {
			if b.Namespace+"/"+b.Name == w[1] {
				p.in.Set.Budgets = slices.Delete(p.in.Set.Budgets, i, i+1)
				return
			}
		}
	}},
	{regexp.MustCompile(`^let the (?:default budget|budgets) of NodePool (\S+) \(.*\) allow nodes: "(\d+)"$`),
		func(p *person, w []string) {
			p.pool(w[1]).Spec.Disruption.Budgets = []karpenterv1.Budget{{Nodes: w[2]}}
		}},
	{regexp.MustCompile(`^shorten consolidateAfter of NodePool (\S+) from \S+ to (\S+)$`), func(p *person, w []string) {
		after, err := time.ParseDuration(w[2])
		if err != nil {
			panic(err)
		}
		p.pool(w[1]).Spec.Disruption.ConsolidateAfter.Duration = &after
	}},
	{regexp.MustCompile(`^let NodePool (\S+) give up .*\(consolidationPolicy: WhenEmptyOrUnderutilized\)$`),
		func(p *person, w []string) {
			p.pool(w[1]).Spec.Disruption.ConsolidationPolicy = "WhenEmptyOrUnderutilized"
		}},
	{regexp.MustCompile(`^drop spreading over .* of (\S+)$`), func(p *person, w []string) {
		p.pods(w[1], func(pod *corev1.Pod) { pod.Spec.TopologySpreadConstraints = nil })
	}},
	{regexp.MustCompile(`^drop keeping away from other pods .* of (\S+)$`), func(p *person, w []string) {
		p.affinity(w[1], func(a *corev1.Affinity) { a.PodAntiAffinity = nil })
	}},
	{regexp.MustCompile(`^drop being near other pods .* of (\S+)$`), func(p *person, w []string) {
		p.affinity(w[1], func(a *corev1.Affinity) { a.PodAffinity = nil })
	}},
	{regexp.MustCompile(`^drop required nodeAffinity of (\S+)$`), func(p *person, w []string) {
		p.affinity(w[1], func(a *corev1.Affinity) {
			if a.NodeAffinity != nil {
				a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution = nil
			}
		})
	}},
	{regexp.MustCompile(`^drop nodeSelector (\S+) of (\S+)$`), func(p *person, w []string) {
		p.pods(w[2], func(pod *corev1.Pod) {
			for key, value := range pod.Spec.NodeSelector {
				if !slices.Contains(strings.Split(w[1], ","), key+"="+value) {
					return // another pod of the workload asks for something else
				}
			}
			pod.Spec.NodeSelector = nil
		})
	}},
	{regexp.MustCompile(`^let (\S+) tolerate the taints of NodePool (\S+)$`), func(p *person, w []string) {
		p.pods(w[1], func(pod *corev1.Pod) {
			for _, t := range p.pool(w[2]).Spec.Template.Spec.Taints {
				pod.Spec.Tolerations = append(pod.Spec.Tolerations, corev1.Toleration{
					Key: t.Key, Operator: "Equal", Value: t.Value, Effect: t.Effect,
				})
			}
		})
	}},
	{regexp.MustCompile(`^drop the limit (\S+) \S+ of NodePool (\S+)$`), func(p *person, w []string) {
		delete(p.pool(w[2]).Spec.Limits, corev1.ResourceName(w[1]))
	}},
	{regexp.MustCompile(`^drop minValues \d+ of (\S+) of NodePool (\S+)$`), func(p *person, w []string) {
		list := p.pool(w[2]).Spec.Template.Spec.Requirements
		for i := range list {
			if list[i].Key == w[1] {
				list[i].MinValues = nil
			}
		}
	}},
	{regexp.MustCompile(`^let spot be replaced by spot \(feature gate SpotToSpotConsolidation\)$`),
		func(p *person, _ []string) { p.rules.SpotToSpot = true }},
	{regexp.MustCompile(`^let moves be made that save little \(--consolidation-min-saving 0, ` +
		`--consolidation-payback 0\)$`), func(p *person, _ []string) { p.rules.MinSaving, p.rules.Payback = 0, 0 }},
	{regexp.MustCompile(`^let (\S+) request at most (\d+) % of its (.*)$`), func(p *person, w []string) {
		percent, _ := strconv.Atoi(w[2])
		p.pods(w[1], func(pod *corev1.Pod) { requestLess(pod, int64(percent), strings.Split(w[3], ", ")) })
	}},
	{regexp.MustCompile(`^run \d+ pods? less of \S+: (.*)$`), func(p *person, w []string) {
		p.in.Set.Pods = slices.DeleteFunc(p.in.Set.Pods, func(pod *corev1.Pod) bool {
			return slices.Contains(strings.Split(w[1], ", "), pod.Namespace+"/"+pod.Name)
		})
	}},
	{regexp.MustCompile(`^wait (\S+), since `), func(p *person, w []string) {
		d, err := time.ParseDuration(w[1])
		if err != nil {
			panic(err)
		}
		p.in.Now = p.in.Now.Add(d)
	}},
}

// asked is a person who has done all of what a cluster's remedy says. The error is a sentence that nobody understands.
func asked(in roster.Input, changes []string) (*person, error) {
	p := &person{in, roster.Rules()}
	set := *in.Set
	p.in.Set = &set
	set.Pods, set.Nodes = copies(set.Pods), copies(set.Nodes)
	set.NodePools, set.Budgets = copies(set.NodePools), copies(set.Budgets)
	for _, order := range changes {
		understood := false
		for _, s := range skills {
			if words := s.order.FindStringSubmatch(order); words != nil {
				s.do(p, words)
				understood = true
				break
			}
		}
		if !understood {
			return nil, fmt.Errorf("nobody understands %q", order)
		}
	}
	return p, nil
}

// copies are objects that may be changed.
func copies[T interface{ DeepCopy() T }](list []T) []T {
	out := make([]T, len(list))
	for i, o := range list {
		out[i] = o.DeepCopy()
	}
	return out
}

func (p *person) pool(name string) *karpenterv1.NodePool {
	for _, np := range p.in.Set.NodePools {
		if np.Name == name {
			return np
		}
	}
	panic("no NodePool " + name)
}

func (p *person) node(name string) *corev1.Node {
	for _, n := range p.in.Set.Nodes {
		if n.Name == name {
			return n
		}
	}
	panic("no node " + name)
}

// pods are changed, those of a workload or one by its name.
func (p *person) pods(name string, change func(*corev1.Pod)) {
	for _, pod := range p.in.Set.Pods {
		owner := metav1.GetControllerOf(pod)
		if pod.Namespace+"/"+pod.Name == name || owner != nil && pod.Namespace+"/"+owner.Name == name {
			change(pod)
		}
	}
}

func (p *person) affinity(name string, change func(*corev1.Affinity)) {
	p.pods(name, func(pod *corev1.Pod) {
		if pod.Spec.Affinity != nil {
			change(pod.Spec.Affinity)
		}
	})
}

func requestLess(pod *corev1.Pod, percent int64, names []string) {
	list := slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers)
	all := make([]corev1.ResourceList, 0, len(list)+1)
	for i := range list {
		all = append(all, list[i].Resources.Requests)
	}
	if pod.Spec.Resources != nil {
		all = append(all, pod.Spec.Resources.Requests)
	}
	for _, requests := range all {
		for _, name := range names {
			key := corev1.ResourceName(name)
			if q, ok := requests[key]; ok {
				requests[key] = *resource.NewMilliQuantity(q.MilliValue()*percent/100, q.Format)
			}
		}
	}
}
