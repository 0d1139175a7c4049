package boot

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// flags reads the kubelet's command line into k. Flags that do not shape the
// Node are passed over.
func (k *Kubelet) flags(args []string) error {
	for i := 0; i < len(args); i++ {
		name, value, joined := strings.Cut(args[i], "=")
		if !joined && i+1 < len(args) && !strings.HasPrefix(args[i+1], "--") {
			i++
			value = args[i]
		}
		if err := k.flag(name, value); err != nil {
			return fmt.Errorf("kubelet flag %s: %w", name, err)
		}
	}
	return checkLabels(k.Labels)
}

func (k *Kubelet) flag(name, value string) (err error) {
	switch name {
	case "--node-labels":
		var labels map[string]string
		if labels, err = assignments(value, "="); err == nil {
			if k.Labels == nil {
				k.Labels = map[string]string{}
			}
			maps.Copy(k.Labels, labels)
		}
	case "--register-with-taints":
		var taints []corev1.Taint
		if taints, err = parseTaints(value); err == nil {
			k.Taints = append(k.Taints, taints...)
		}
	case "--max-pods":
		k.MaxPods, err = strconv.Atoi(value)
	case "--pods-per-core":
		k.PodsPerCore, err = strconv.Atoi(value)
	case "--kube-reserved":
		k.KubeReserved, err = assignments(value, "=")
	case "--system-reserved":
		k.SystemReserved, err = assignments(value, "=")
	case "--eviction-hard":
		k.EvictionHard, err = assignments(value, "<")
	}
	return err
}

// assignments reads "a=1,b=2".
func assignments(text, between string) (map[string]string, error) {
	out := map[string]string{}
	for item := range strings.SplitSeq(text, ",") {
		if item == "" {
			continue
		}
		key, value, found := strings.Cut(item, between)
		if !found {
			return nil, fmt.Errorf("%q is no key%svalue", item, between)
		}
		out[key] = value
	}
	return out, nil
}

// parseTaints reads "key=value:Effect,key:Effect".
func parseTaints(text string) ([]corev1.Taint, error) {
	var out []corev1.Taint
	for item := range strings.SplitSeq(text, ",") {
		if item == "" {
			continue
		}
		rest, effect, found := strings.Cut(item, ":")
		if !found || !slices.Contains([]string{"NoSchedule", "PreferNoSchedule", "NoExecute"}, effect) {
			return nil, fmt.Errorf("taint %q has no effect that is known", item)
		}
		key, value, _ := strings.Cut(rest, "=")
		out = append(out, corev1.Taint{Key: key, Value: value, Effect: corev1.TaintEffect(effect)})
	}
	return out, nil
}

// kubeletLabels are those of Kubernetes' own that a kubelet may set on itself.
var kubeletLabels = []string{
	corev1.LabelHostname, corev1.LabelTopologyZone, corev1.LabelTopologyRegion, corev1.LabelFailureDomainBetaZone,
	corev1.LabelFailureDomainBetaRegion, corev1.LabelInstanceType, corev1.LabelInstanceTypeStable, corev1.LabelOSStable,
	corev1.LabelArchStable, "beta.kubernetes.io/os", "beta.kubernetes.io/arch",
}

// checkLabels does what the kubelet does when it starts: with a label that it
// may not set it exits, and the machine never joins.
func checkLabels(labels map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		domain, _, hasDomain := strings.Cut(key, "/")
		if !hasDomain || slices.Contains(kubeletLabels, key) {
			continue
		}
		if under(domain, "kubelet.kubernetes.io") || under(domain, "node.kubernetes.io") {
			continue
		}
		if under(domain, "kubernetes.io") || under(domain, "k8s.io") {
			return fmt.Errorf("the kubelet does not start: it may not set the label %s on itself", key)
		}
	}
	return nil
}

func under(domain, parent string) bool {
	return domain == parent || strings.HasSuffix(domain, "."+parent)
}
