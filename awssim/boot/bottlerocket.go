package boot

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	corev1 "k8s.io/api/core/v1"
)

// bottlerocketSettings is the part of Bottlerocket's settings that shapes a
// Node.
type bottlerocketSettings struct {
	Settings struct {
		Kubernetes struct {
			Cluster        string              `toml:"cluster-name"`
			Endpoint       string              `toml:"api-server"`
			CA             string              `toml:"cluster-certificate"`
			MaxPods        int                 `toml:"max-pods"`
			Labels         map[string]string   `toml:"node-labels"`
			Taints         map[string][]string `toml:"node-taints"` // "value:effect" by key
			KubeReserved   map[string]string   `toml:"kube-reserved"`
			SystemReserved map[string]string   `toml:"system-reserved"`
			EvictionHard   map[string]string   `toml:"eviction-hard"`
		} `toml:"kubernetes"`
		BootstrapCommands map[string]any `toml:"bootstrap-commands"`
	} `toml:"settings"`
}

func readBottlerocket(raw []byte) (*Kubelet, error) {
	var s bottlerocketSettings
	if err := toml.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("reading Bottlerocket settings: %w", err)
	}
	settings := s.Settings.Kubernetes
	k := &Kubelet{
		Cluster:        settings.Cluster,
		Endpoint:       settings.Endpoint,
		CA:             settings.CA,
		MaxPods:        settings.MaxPods,
		Labels:         settings.Labels,
		KubeReserved:   settings.KubeReserved,
		SystemReserved: settings.SystemReserved,
		EvictionHard:   settings.EvictionHard,
	}
	for name := range s.Settings.BootstrapCommands {
		k.LocalDisks = k.LocalDisks || strings.Contains(name, "mount-instance-storage")
	}
	for name, value := range map[string]string{"cluster-name": k.Cluster, "api-server": k.Endpoint,
		"cluster-certificate": k.CA} {
		if value == "" {
			return nil, fmt.Errorf("the user data lacks settings.kubernetes.%s", name)
		}
	}
	for key, list := range settings.Taints {
		for _, text := range list {
			value, effect, found := strings.Cut(text, ":")
			if !found {
				return nil, fmt.Errorf("settings.kubernetes.node-taints: %q of %s is no value:effect", text, key)
			}
			k.Taints = append(k.Taints, corev1.Taint{Key: key, Value: value, Effect: corev1.TaintEffect(effect)})
		}
	}
	slices.SortFunc(
		k.Taints,
		func(a, b corev1.Taint) int { return strings.Compare(a.Key+string(a.Effect), b.Key+string(b.Effect)) },
	)
	return k, checkLabels(k.Labels)
}
