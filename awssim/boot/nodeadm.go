package boot

import (
	"fmt"
	"strings"

	"github.com/kballard/go-shellquote"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// nodeConfigKind is the media type of nodeadm's configuration.
const nodeConfigKind = "application/node.eks.aws"

// nodeConfig is nodeadm's NodeConfig, node.eks.aws/v1alpha1, as far as joining
// needs it. The kubelet's configuration is kept open.
type nodeConfig struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Spec       struct {
		Cluster struct {
			Name     string `json:"name"`
			Endpoint string `json:"apiServerEndpoint"`
			CA       string `json:"certificateAuthority"`
			CIDR     string `json:"cidr"`
		} `json:"cluster"`
		Kubelet struct {
			Config kubeletConfig `json:"config"`
			Flags  []string      `json:"flags"`
		} `json:"kubelet"`
		Instance struct {
			LocalStorage struct {
				Strategy string `json:"strategy"`
			} `json:"localStorage"`
		} `json:"instance"`
	} `json:"spec"`
}

// kubeletConfig is the part of KubeletConfiguration that shapes a Node.
type kubeletConfig struct {
	MaxPods            int               `json:"maxPods"`
	PodsPerCore        int               `json:"podsPerCore"`
	KubeReserved       map[string]string `json:"kubeReserved"`
	SystemReserved     map[string]string `json:"systemReserved"`
	EvictionHard       map[string]string `json:"evictionHard"`
	RegisterWithTaints []corev1.Taint    `json:"registerWithTaints"`
}

// readNodeadm merges all NodeConfigs in order, as nodeadm does: later values
// win, flags add up.
func readNodeadm(parts []part) (*Kubelet, error) {
	merged := map[string]any{}
	count := 0
	for i, p := range parts {
		if p.kind != nodeConfigKind {
			continue // scripts run beside nodeadm and do not join
		}
		one := map[string]any{}
		if err := yaml.Unmarshal([]byte(p.body), &one); err != nil {
			return nil, fmt.Errorf("reading the NodeConfig in part %d of the user data: %w", i+1, err)
		}
		if one["apiVersion"] != "node.eks.aws/v1alpha1" || one["kind"] != "NodeConfig" {
			return nil, fmt.Errorf(
				"part %d of the user data is %v %v, want node.eks.aws/v1alpha1 NodeConfig",
				i+1,
				one["apiVersion"],
				one["kind"],
			)
		}
		lay(merged, one, "")
		count++
	}
	if count == 0 {
		return nil, fmt.Errorf("no part of the user data is a NodeConfig (%s)", nodeConfigKind)
	}
	text, err := yaml.Marshal(merged)
	if err != nil {
		return nil, fmt.Errorf("merging NodeConfigs: %w", err)
	}
	config := nodeConfig{}
	if err := yaml.Unmarshal(text, &config); err != nil {
		return nil, fmt.Errorf("reading the merged NodeConfig: %w", err)
	}
	return config.kubelet()
}

// lay puts the values of over on top of under.
func lay(under, over map[string]any, path string) {
	for key, value := range over {
		at := path + "." + key
		old, isMap := under[key].(map[string]any)
		more, alsoMap := value.(map[string]any)
		flags, isFlags := under[key].([]any)
		moreFlags, alsoFlags := value.([]any)
		switch {
		case isMap && alsoMap:
			lay(old, more, at)
		case at == ".spec.kubelet.flags" && isFlags && alsoFlags:
			under[key] = append(flags[:len(flags):len(flags)], moreFlags...)
		default:
			under[key] = value
		}
	}
}

func (c *nodeConfig) kubelet() (*Kubelet, error) {
	cluster, config := c.Spec.Cluster, c.Spec.Kubelet.Config
	for name, value := range map[string]string{
		"name": cluster.Name, "apiServerEndpoint": cluster.Endpoint, "certificateAuthority": cluster.CA,
		"cidr": cluster.CIDR,
	} {
		if value == "" {
			return nil, fmt.Errorf("the NodeConfig lacks spec.cluster.%s", name)
		}
	}
	k := &Kubelet{
		Cluster: cluster.Name, Endpoint: cluster.Endpoint, CA: cluster.CA,
		Taints: config.RegisterWithTaints, MaxPods: config.MaxPods, PodsPerCore: config.PodsPerCore,
		KubeReserved: config.KubeReserved, SystemReserved: config.SystemReserved, EvictionHard: config.EvictionHard,
		LocalDisks: c.Spec.Instance.LocalStorage.Strategy != "",
	}
	// nodeadm writes all flags into one line of an environment file, and systemd
	// splits that at blanks and takes the quotes away.
	line := strings.Join(c.Spec.Kubelet.Flags, " ")
	flags, err := shellquote.Split(line)
	if err != nil {
		return nil, fmt.Errorf("the NodeConfig's kubelet flags %s: %w", line, err)
	}
	return k, k.flags(flags)
}
