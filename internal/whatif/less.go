package whatif

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// shares of a request that are tried, the smallest change first; in percent.
var shares = []int64{90, 75, 50, 25, 10}

// least is what is asked for at last: next to nothing.
const least = 1

// compressible are what a workload may ask less of; whole devices it asks for because it needs them.
var compressible = []corev1.ResourceName{
	corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage,
}

// requests are that workloads of a node ask for less.
func requests(set *manifest.Set, node string) (out []wayOut) {
	names, of := workloads(movable(set, node))
	for _, name := range names {
		if !slices.ContainsFunc(of[name], func(p *corev1.Pod) bool { return asks(p, compressible...) }) {
			continue
		}
		whole := asking(name, least, compressible...)
		for _, percent := range shares {
			whole.less = append(whole.less, single(of[name][0], name, percent)...)
			whole.less = append(whole.less, asking(name, percent, compressible...))
		}
		out = append(out, whole)
	}
	return out
}

// single is that a workload, of which one pod is given, asks for less cpu or less memory alone.
func single(p *corev1.Pod, workload string, percent int64) (out []wayOut) {
	for _, resource := range compressible[:2] {
		if asks(p, resource) {
			out = append(out, asking(workload, percent, resource))
		}
	}
	return out
}

// asks reports whether any container of a pod requests one of some resources.
func asks(p *corev1.Pod, list ...corev1.ResourceName) (any bool) {
	eachRequest(p.DeepCopy(), func(r *corev1.ResourceRequirements) {
		for _, name := range list {
			if q, ok := r.Requests[name]; ok && !q.IsZero() {
				any = true
			}
		}
	})
	return any
}

// asking is that a workload asks for so many percent of some resources.
func asking(workload string, percent int64, list ...corev1.ResourceName) wayOut {
	words := make([]string, len(list))
	for i, name := range list {
		words[i] = string(name)
	}
	return wayOut{
		kind: "request",
		what: fmt.Sprintf(
			"let %s request at most %d %% of its %s",
			workload,
			percent,
			strings.Join(words, ", "),
		),
		change: func(s *manifest.Set) {
			changePods(s, func(p *corev1.Pod) bool { return workloadOf(p) == workload }, func(p *corev1.Pod) {
				eachRequest(p, func(r *corev1.ResourceRequirements) { scale(r, percent, list) })
			})
		},
	}
}

// eachRequest is called with all of a pod.
func eachRequest(p *corev1.Pod, do func(*corev1.ResourceRequirements)) {
	for _, list := range [][]corev1.Container{p.Spec.InitContainers, p.Spec.Containers} {
		for i := range list {
			do(&list[i].Resources)
		}
	}
	if p.Spec.Resources != nil {
		do(p.Spec.Resources)
	}
}

func scale(r *corev1.ResourceRequirements, percent int64, list []corev1.ResourceName) {
	for _, name := range list {
		q, ok := r.Requests[name]
		if !ok {
			continue
		}
		if name == corev1.ResourceCPU {
			r.Requests[name] = *resource.NewMilliQuantity(q.MilliValue()*percent/100, q.Format)
		} else {
			r.Requests[name] = *resource.NewQuantity(q.Value()*percent/100, q.Format)
		}
	}
}

// scaled are that pods are not there, by workload.
func scaled(list []*corev1.Pod) (out []wayOut) {
	names, of := workloads(list)
	for _, name := range names {
		var pods []string
		for _, p := range of[name] {
			pods = append(pods, string(translate.IDOf(p)))
		}
		out = append(out, wayOut{
			kind: "replicas",
			what: fmt.Sprintf("run %s less of %s: %s", view.Count(len(pods), "pod"), name, strings.Join(pods, ", ")),
			change: func(s *manifest.Set) {
				s.Pods = slices.DeleteFunc(slices.Clone(s.Pods), func(p *corev1.Pod) bool {
					return slices.Contains(pods, string(translate.IDOf(p)))
				})
			},
		})
	}
	return out
}
