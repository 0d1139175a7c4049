package userdata

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// bottlerocket overwrites settings.kubernetes in the user's TOML and keeps the rest.
func bottlerocket(o Options) (string, error) {
	doc := map[string]any{}
	if err := toml.Unmarshal([]byte(o.User), &doc); err != nil {
		return "", describeTOML(err)
	}
	settings, err := table(o.User, doc, "settings")
	if err != nil {
		return "", err
	}
	kubernetes, err := table(o.User, settings, "kubernetes")
	if err != nil {
		return "", err
	}
	kubernetes["api-server"] = o.Endpoint
	if o.CABundle != "" {
		kubernetes["cluster-certificate"] = o.CABundle
	}
	kubernetes["cluster-name"] = o.ClusterName
	if dns := o.dns(); len(dns) > 0 {
		kubernetes["cluster-dns-ip"] = dns[0]
	}
	kubernetes["max-pods"] = o.MaxPods
	kubernetes["node-labels"] = o.nodeLabels()
	kubernetes["node-taints"] = bottlerocketTaints(o)
	bottlerocketKubelet(o, kubernetes)
	if o.RAID0 {
		commands, err := table(o.User, settings, "bootstrap-commands")
		if err != nil {
			return "", err
		}
		commands["000-mount-instance-storage"] = mountInstanceStorage()
	}
	text, err := toml.Marshal(doc)
	if err != nil {
		return "", fmt.Errorf("writing user data: %w", err)
	}
	return string(text), nil
}

func describeTOML(err error) error {
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		row, _ := decode.Position()
		return &Malformed{Line: row, Detail: fmt.Sprintf("not TOML, which Bottlerocket needs: %v", decode)}
	}
	return &Malformed{Detail: fmt.Sprintf("not TOML, which Bottlerocket needs: %v", err)}
}

// table is the table under a key of the user's text, made if it is not there.
func table(text string, in map[string]any, key string) (map[string]any, error) {
	switch t := in[key].(type) {
	case nil:
		made := map[string]any{}
		in[key] = made
		return made, nil
	case map[string]any:
		return t, nil
	default:
		return nil, &Malformed{Line: lineOfKey(text, key), Detail: fmt.Sprintf("%s must be a table", key)}
	}
}

// lineOfKey is the line, from 1, that first speaks of a key outside of comments; 0 if none does.
func lineOfKey(text, key string) int {
	for i, line := range strings.Split(text, "\n") {
		if strings.Contains(line, key) && !strings.HasPrefix(strings.TrimSpace(line), "#") {
			return i + 1
		}
	}
	return 0
}

// bottlerocketTaints groups taints by key.
func bottlerocketTaints(o Options) map[string][]string {
	out := map[string][]string{}
	for _, t := range o.nodeTaints() {
		out[t.Key] = append(out[t.Key], fmt.Sprintf("%s:%s", t.Value, t.Effect))
	}
	return out
}

func bottlerocketKubelet(o Options, into map[string]any) {
	k := o.Kubelet
	put := func(key string, value any, set bool) {
		if set {
			into[key] = value
		}
	}
	number := func(p *int32) string {
		if p == nil {
			return ""
		}
		return strconv.Itoa(int(*p))
	}
	put("system-reserved", k.SystemReserved, len(k.SystemReserved) > 0)
	put("kube-reserved", k.KubeReserved, len(k.KubeReserved) > 0)
	put("eviction-hard", k.EvictionHard, len(k.EvictionHard) > 0)
	put("eviction-soft", k.EvictionSoft, len(k.EvictionSoft) > 0)
	put("eviction-soft-grace-period", gracePeriods(k), len(k.EvictionSoftGracePeriod) > 0)
	put("eviction-max-pod-grace-period", k.EvictionMaxPodGracePeriod, k.EvictionMaxPodGracePeriod != nil)
	put(
		"image-gc-high-threshold-percent",
		number(k.ImageGCHighThresholdPercent),
		k.ImageGCHighThresholdPercent != nil,
	)
	put("image-gc-low-threshold-percent", number(k.ImageGCLowThresholdPercent), k.ImageGCLowThresholdPercent != nil)
	put("cpu-cfs-quota-enforced", k.CPUCFSQuota, k.CPUCFSQuota != nil)
}

// mountInstanceStorage joins the disks inside the machine and puts pods' directories there.
func mountInstanceStorage() map[string]any {
	return map[string]any{
		"commands": [][]string{
			{"apiclient", "ephemeral-storage", "init"},
			{
				"apiclient",
				"ephemeral-storage",
				"bind",
				"--dirs",
				"/var/lib/containerd",
				"/var/lib/kubelet",
				"/var/log/pods",
			},
		},
		"essential": true,
		"mode":      "always",
	}
}
