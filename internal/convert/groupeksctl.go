package convert

import (
	"fmt"
	"slices"
	"strings"

	k8syaml "sigs.k8s.io/yaml"
)

// eksctlConfig is a ClusterConfig of eksctl, as far as it speaks of groups of nodes.
type eksctlConfig struct {
	Kind              string `json:"kind"`
	Metadata          struct{ Name, Region string }
	ManagedNodeGroups []eksctlGroup `json:"managedNodeGroups"`
	NodeGroups        []eksctlGroup `json:"nodeGroups"`
}

type eksctlGroup struct {
	Name            string            `json:"name"`
	InstanceType    string            `json:"instanceType"`
	InstanceTypes   []string          `json:"instanceTypes"`
	Spot            bool              `json:"spot"`
	MinSize         int               `json:"minSize"`
	MaxSize         int               `json:"maxSize"`
	DesiredCapacity int               `json:"desiredCapacity"`
	VolumeSize      int               `json:"volumeSize"`
	AMIFamily       string            `json:"amiFamily"`
	Zones           []string          `json:"availabilityZones"`
	Labels          map[string]string `json:"labels"`
	Taints          any               `json:"taints"` // a list, or key: value:effect
	Tags            map[string]string `json:"tags"`
	IAM             struct {
		InstanceRoleARN string `json:"instanceRoleARN"`
	} `json:"iam"`
	Distribution *struct {
		InstanceTypes        []string `json:"instanceTypes"`
		OnDemandBaseCapacity int      `json:"onDemandBaseCapacity"`
		OnDemandPercentage   *int     `json:"onDemandPercentageAboveBaseCapacity"`
	} `json:"instancesDistribution"`
	OverrideBootstrap string         `json:"overrideBootstrapCommand"`
	PreBootstrap      []string       `json:"preBootstrapCommands"`
	Selector          map[string]any `json:"instanceSelector"`
	SSH               map[string]any `json:"ssh"`
}

// EksctlGroups reads the groups of a ClusterConfig of eksctl.
func EksctlGroups(s Source) ([]Group, error) {
	var in eksctlConfig
	if err := k8syaml.Unmarshal(s.Text, &in); err != nil {
		return nil, Problem{File: s.Name, Text: "reading eksctl's ClusterConfig: " + err.Error()}
	}
	if in.Kind != "ClusterConfig" {
		return nil, Problem{File: s.Name, Text: fmt.Sprintf("kind is %q; want a ClusterConfig of eksctl", in.Kind)}
	}
	var out []Group
	for _, list := range [][]eksctlGroup{in.ManagedNodeGroups, in.NodeGroups} {
		for i := range list {
			g, err := list[i].group()
			if err != nil {
				return nil, Problem{File: s.Name, Object: "group " + list[i].Name, Text: err.Error()}
			}
			g.Cluster, g.Region = in.Metadata.Name, in.Metadata.Region
			out = append(out, g)
		}
	}
	sortGroups(out)
	return out, nil
}

func (e *eksctlGroup) group() (Group, error) {
	g := Group{
		Name: e.Name, Min: e.MinSize, Max: e.MaxSize, Desired: max(e.DesiredCapacity,
			e.MinSize), Labels: e.Labels, Zones: sorted(e.Zones),
		DiskGiB: e.VolumeSize, Tags: e.Tags, Types: append([]string{},
			e.InstanceTypes...), Capacity: []string{"on-demand"},
		Role: e.IAM.InstanceRoleARN[strings.LastIndexByte(e.IAM.InstanceRoleARN, '/')+1:],
	}
	if e.InstanceType != "" && e.InstanceType != "mixed" {
		g.Types = append(g.Types, e.InstanceType)
	}
	if e.Spot {
		g.Capacity = []string{"spot"}
	}
	if d := e.Distribution; d != nil {
		g.Types = append(g.Types, d.InstanceTypes...)
		switch {
		case d.OnDemandPercentage == nil || *d.OnDemandPercentage == 100:
		case *d.OnDemandPercentage == 0 && d.OnDemandBaseCapacity == 0:
			g.Capacity = []string{"spot"}
		default:
			g.Capacity = []string{"on-demand", "spot"}
			g.notes = append(g.notes, "its share of on-demand nodes is not kept: spot is bought while it is cheaper")
		}
	}
	if len(g.Types) == 0 && e.Selector == nil {
		g.Types = []string{"m5.large"} // eksctl's default
	}
	families := map[string]string{"": "al2023", "AmazonLinux2023": "al2023", "AmazonLinux2": "al2",
		"Bottlerocket":                   "bottlerocket",
		"WindowsServer2022CoreContainer": "windows2022", "WindowsServer2022FullContainer": "windows2022",
		"WindowsServer2019CoreContainer": "windows2019", "WindowsServer2019FullContainer": "windows2019"}
	g.Family = families[e.AMIFamily]
	for what, there := range map[string]bool{
		"overrideBootstrapCommand": e.OverrideBootstrap != "", "preBootstrapCommands": len(e.PreBootstrap) > 0,
		"ssh": len(e.SSH) > 0, "instanceSelector": len(e.Selector) > 0,
	} {
		if there {
			g.notes = append(g.notes,
				what+" is not taken over; what it does belongs into the EC2NodeClass or the requirements")
		}
	}
	g.Types = sorted(g.Types)
	var err error
	g.Taints, err = eksctlTaints(e.Taints)
	return g, err
}

// eksctlTaints reads both forms: a list of objects, or a map of key to value:effect.
func eksctlTaints(in any) (out []Taint, err error) {
	switch list := in.(type) {
	case nil:
	case map[string]any:
		for key, text := range list {
			value, effect, found := strings.Cut(fmt.Sprint(text), ":")
			if !found {
				value, effect = "", value
			}
			out = append(out, Taint{key, value, effect})
		}
		slices.SortFunc(out, func(a, b Taint) int { return strings.Compare(a.Key, b.Key) })
	case []any:
		for _, one := range list {
			m, _ := one.(map[string]any)
			word := func(key string) string {
				text, _ := m[key].(string)
				return text
			}
			out = append(out, Taint{word("key"), word("value"), word("effect")})
		}
	default:
		return nil, fmt.Errorf("taints are %T; want a list of key, value and effect", in)
	}
	return out, nil
}
