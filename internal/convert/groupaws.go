package convert

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// awsOutput is what the command line of AWS prints: describe-auto-scaling-groups of autoscaling, or describe-nodegroup
// of eks.
type awsOutput struct {
	AutoScalingGroups []scalingGroup
	Nodegroup         *managedGroup `json:"nodegroup"`
}

type scalingGroup struct {
	AutoScalingGroupName              string
	MinSize, MaxSize, DesiredCapacity int
	AvailabilityZones                 []string
	VPCZoneIdentifier                 string
	Tags                              []struct{ Key, Value string }
	Instances                         []struct{ InstanceType string }
	SuspendedProcesses                []struct{ ProcessName string }
	MixedInstancesPolicy              *struct {
		InstancesDistribution struct {
			OnDemandBaseCapacity                int
			OnDemandPercentageAboveBaseCapacity *int
		}
		LaunchTemplate struct {
			Overrides []struct {
				InstanceType         string
				InstanceRequirements map[string]any
			}
		}
	}
}

type managedGroup struct {
	NodegroupName, ClusterName, NodegroupArn string
	ScalingConfig                            struct{ MinSize, MaxSize, DesiredSize int }
	InstanceTypes, Subnets                   []string
	AmiType, NodeRole, CapacityType          string
	DiskSize                                 int
	Labels                                   map[string]string
	Taints                                   []Taint
	Tags                                     map[string]string
	LaunchTemplate                           map[string]any
}

// AWSGroups reads groups from what `aws autoscaling describe-auto-scaling-groups` or `aws eks describe-nodegroup`
// print as JSON.
func AWSGroups(s Source) ([]Group, error) {
	var in awsOutput
	if err := json.Unmarshal(s.Text, &in); err != nil {
		return nil, Problem{File: s.Name,
			Text: "this is not what `aws autoscaling describe-auto-scaling-groups --output json` or " +
				"`aws eks describe-nodegroup --output json` print: " + err.Error()}
	}
	var out []Group
	for i := range in.AutoScalingGroups {
		out = append(out, in.AutoScalingGroups[i].group())
	}
	if in.Nodegroup != nil {
		out = append(out, in.Nodegroup.group())
	}
	return out, nil
}

// Prefixes of tags by which Cluster Autoscaler learns what nodes of an empty group would be like.
const (
	tagLabel   = "k8s.io/cluster-autoscaler/node-template/label/"
	tagTaint   = "k8s.io/cluster-autoscaler/node-template/taint/"
	tagCluster = "kubernetes.io/cluster/"
)

func (a *scalingGroup) group() Group {
	g := Group{
		Name: a.AutoScalingGroupName, Min: a.MinSize, Max: a.MaxSize, Desired: a.DesiredCapacity,
		Zones:  sorted(a.AvailabilityZones),
		Region: zonesRegion(a.AvailabilityZones), Labels: map[string]string{}, Capacity: []string{"on-demand"},
	}
	for _, id := range strings.Split(a.VPCZoneIdentifier, ",") {
		if id = strings.TrimSpace(id); id != "" {
			g.Subnets = append(g.Subnets, id)
		}
	}
	for _, t := range a.Tags {
		g.tag(t.Key, t.Value)
	}
	for _, i := range a.Instances {
		g.Types = append(g.Types, i.InstanceType)
	}
	if m := a.MixedInstancesPolicy; m != nil {
		g.Types = nil
		for _, o := range m.LaunchTemplate.Overrides {
			if o.InstanceType != "" {
				g.Types = append(g.Types, o.InstanceType)
			}
			if len(o.InstanceRequirements) > 0 {
				g.notes = append(g.notes,
					"InstanceRequirements are not taken over: name instance types, "+
						"or write requirements such as karpenter.k8s.aws/instance-cpu")
			}
		}
		switch share := m.InstancesDistribution.OnDemandPercentageAboveBaseCapacity; {
		case share == nil || *share == 100:
		case *share == 0 && m.InstancesDistribution.OnDemandBaseCapacity == 0:
			g.Capacity = []string{"spot"}
		default:
			g.Capacity = []string{"on-demand", "spot"}
			g.notes = append(g.notes, "its share of on-demand nodes is not kept: spot is bought while it is cheaper")
		}
	}
	for _, p := range a.SuspendedProcesses {
		g.notes = append(g.notes, "its process "+p.ProcessName+" is suspended, which a NodePool knows nothing of")
	}
	g.Types = sorted(g.Types)
	return g
}

// tag takes what a tag says of nodes. Those of AWS and of the autoscaler itself say nothing.
func (g *Group) tag(key, value string) {
	label, isLabel := strings.CutPrefix(key, tagLabel)
	taint, isTaint := strings.CutPrefix(key, tagTaint)
	cluster, isCluster := strings.CutPrefix(key, tagCluster)
	switch {
	case isLabel:
		g.Labels[label] = value
	case isTaint:
		text, effect, _ := strings.Cut(value, ":")
		g.Taints = append(g.Taints, Taint{taint, text, effect})
	case isCluster:
		g.Cluster = cluster
	case key == "eks:cluster-name":
		g.Cluster = value
	case strings.HasPrefix(key, "aws:"), strings.HasPrefix(key, "eks:"), strings.HasPrefix(key,
		"k8s.io/cluster-autoscaler/"), key == "Name":
	default:
		if g.Tags == nil {
			g.Tags = map[string]string{}
		}
		g.Tags[key] = value
	}
}

func (m *managedGroup) group() Group {
	g := Group{
		Name: m.NodegroupName, Cluster: m.ClusterName,
		Min: m.ScalingConfig.MinSize, Max: m.ScalingConfig.MaxSize, Desired: m.ScalingConfig.DesiredSize,
		Types: sorted(m.InstanceTypes), Capacity: []string{"on-demand"}, Labels: m.Labels,
		Subnets: sorted(m.Subnets), DiskGiB: m.DiskSize,
		Role: m.NodeRole[strings.LastIndexByte(m.NodeRole, '/')+1:], Family: familyOf(m.AmiType),
	}
	if parts := strings.Split(m.NodegroupArn, ":"); len(parts) > 3 {
		g.Region = parts[3]
	}
	if m.CapacityType == "SPOT" {
		g.Capacity = []string{"spot"}
	}
	for _, t := range m.Taints {
		effect := map[string]string{"NO_SCHEDULE": "NoSchedule", "NO_EXECUTE": "NoExecute",
			"PREFER_NO_SCHEDULE": "PreferNoSchedule"}[t.Effect]
		g.Taints = append(g.Taints, Taint{t.Key, t.Value, effect})
	}
	for k, v := range m.Tags {
		g.tag(k, v)
	}
	if len(m.LaunchTemplate) > 0 {
		g.notes = append(g.notes,
			fmt.Sprintf("its launch template %v is not read: what it says of user data, "+
				"disks and security groups belongs into the EC2NodeClass", m.LaunchTemplate["name"]))
	}
	return g
}

// familyOf is the alias of an AmiType of EKS; empty for CUSTOM and those that are not known.
func familyOf(amiType string) string {
	for _, f := range []struct{ prefix, family string }{
		{"AL2023_", "al2023"}, {"AL2_", "al2"}, {"BOTTLEROCKET_", "bottlerocket"},
		{"WINDOWS_CORE_2019", "windows2019"}, {"WINDOWS_FULL_2019", "windows2019"},
		{"WINDOWS_CORE_2022", "windows2022"}, {"WINDOWS_FULL_2022", "windows2022"},
	} {
		if strings.HasPrefix(amiType, f.prefix) {
			return f.family
		}
	}
	return ""
}

// sortGroups puts groups in the order of their names.
func sortGroups(list []Group) {
	slices.SortStableFunc(list, func(a, b Group) int { return strings.Compare(a.Name, b.Name) })
}
