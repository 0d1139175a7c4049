package userdata

import (
	"errors"
	"fmt"
	"mime"
	"regexp"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// al2023 hands nodeadm the user's parts, then ours. It merges NodeConfigs in order, so ours
// wins.
func al2023(o Options) (string, error) {
	var parts []part
	switch {
	case strings.TrimSpace(o.User) == "":
	case isMultipart(o.User):
		own, err := split(o.User)
		if err != nil {
			return "", err
		}
		if err := checkConfigs(o.User, own); err != nil {
			return "", err
		}
		parts = own
	default:
		own, err := plainPart(o.User)
		if err != nil {
			return "", err
		}
		parts = []part{own}
	}
	config, err := yaml.Marshal(nodeConfigOf(o))
	if err != nil {
		return "", fmt.Errorf("writing user data: %w", err)
	}
	return join(append(parts, newPart(nodeConfigType, string(config))))
}

const nodeConfigKind = "NodeConfig"

var (
	looksLikeNodeConfig = regexp.MustCompile(`(?m)^apiVersion:\s*["']?node\.eks\.aws/`)
	yamlLine            = regexp.MustCompile(`line (\d+)`)
)

// plainPart tells a NodeConfig from a script.
func plainPart(text string) (part, error) {
	var head configHead
	if !looksLikeNodeConfig.MatchString(text) &&
		(yaml.Unmarshal([]byte(text), &head) != nil || !strings.HasPrefix(head.APIVersion, "node.eks.aws/")) {
		return newPart(shellType, text), nil
	}
	if err := checkConfig(text); err != nil {
		return part{}, err
	}
	return newPart(nodeConfigType, text), nil
}

// configHead is what tells a NodeConfig from other YAML.
type configHead struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

// checkConfig refuses what nodeadm would not start with.
func checkConfig(text string) error {
	var head configHead
	if err := yaml.Unmarshal([]byte(text), &head); err != nil {
		line := 0
		if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
			line, _ = strconv.Atoi(m[1]) // digits only
		}
		return &Malformed{Line: line, Detail: fmt.Sprintf("the NodeConfig is not YAML: %v", err)}
	}
	if head.Kind != nodeConfigKind {
		return &Malformed{
			Line:   max(lineOf(text, "kind:"), 1),
			Detail: fmt.Sprintf("kind is %q, want %s", head.Kind, nodeConfigKind),
		}
	}
	return nil
}

// checkConfigs is checkConfig for the parts of MIME user data that say they are NodeConfigs. Lines count from the start
// of all.
func checkConfigs(text string, parts []part) error {
	for _, p := range parts {
		kind, _, err := mime.ParseMediaType(p.header.Get("Content-Type"))
		if err != nil || kind != nodeConfigType || p.header.Get("Content-Transfer-Encoding") != "" {
			continue
		}
		var malformed *Malformed
		if errors.As(checkConfig(p.body), &malformed) {
			before, _, _ := strings.Cut(text, p.body)
			malformed.Line += strings.Count(before, "\n")
			return malformed
		}
	}
	return nil
}

// nodeConfig is nodeadm's configuration, as far as we set it.
type nodeConfig struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Spec       nodeConfigSpec `json:"spec"`
}

type nodeConfigSpec struct {
	Cluster  clusterDetails   `json:"cluster"`
	Kubelet  kubeletOptions   `json:"kubelet"`
	Instance *instanceOptions `json:"instance,omitempty"`
}

type clusterDetails struct {
	Name                 string `json:"name"`
	APIServerEndpoint    string `json:"apiServerEndpoint"`
	CertificateAuthority string `json:"certificateAuthority"`
	CIDR                 string `json:"cidr"`
}

type kubeletOptions struct {
	Config map[string]any `json:"config"`
	Flags  []string       `json:"flags"`
}

type instanceOptions struct {
	LocalStorage localStorage `json:"localStorage"`
}

type localStorage struct {
	Strategy string `json:"strategy"`
}

func nodeConfigOf(o Options) nodeConfig {
	out := nodeConfig{APIVersion: "node.eks.aws/v1alpha1", Kind: nodeConfigKind, Spec: nodeConfigSpec{
		Cluster: clusterDetails{
			Name:                 o.ClusterName,
			APIServerEndpoint:    o.Endpoint,
			CertificateAuthority: o.CABundle,
			CIDR:                 o.ServiceCIDR,
		},
		Kubelet: kubeletOptions{
			Config: kubeletConfig(o),
			Flags:  []string{"--node-labels=" + pairs(o.nodeLabels(), "=")},
		},
	}}
	if o.RAID0 {
		out.Spec.Instance = &instanceOptions{localStorage{"RAID0"}}
	}
	return out
}

// kubeletConfig is the kubelet's configuration file, as far as we set it: every field of the class as it was written,
// and over it what was worked out.
func kubeletConfig(o Options) map[string]any {
	out := map[string]any{}
	for field, value := range o.KubeletConfig {
		out[field] = value
	}
	if dns := o.dns(); len(dns) > 0 {
		out["clusterDNS"] = dns
	}
	if len(o.Kubelet.SystemReserved) > 0 {
		out["systemReserved"] = o.Kubelet.SystemReserved
	}
	if len(o.Kubelet.KubeReserved) > 0 {
		out["kubeReserved"] = o.Kubelet.KubeReserved
	}
	out["maxPods"] = o.MaxPods
	out["registerWithTaints"] = taintObjects(o.nodeTaints())
	return out
}

func taintObjects(taints []corev1.Taint) []map[string]string {
	out := make([]map[string]string, len(taints))
	for i, t := range taints {
		out[i] = map[string]string{"key": t.Key, "effect": string(t.Effect)}
		if t.Value != "" {
			out[i]["value"] = t.Value
		}
	}
	return out
}
