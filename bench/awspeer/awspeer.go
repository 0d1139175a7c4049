// Package awspeer holds what our AWS provider makes of EC2's instance types against what Karpenter's makes of the same
// descriptions and the same EC2NodeClass, value by value: capacity, what is left to pods, labels, and which types may
// be launched at all. It is a module of its own, because Karpenter's provider wants other versions of much.
package awspeer

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	peerv1 "github.com/aws/karpenter-provider-aws/pkg/apis/v1"
	"github.com/aws/karpenter-provider-aws/pkg/operator/options"
	"github.com/aws/karpenter-provider-aws/pkg/providers/instance/filter"
	peertypes "github.com/aws/karpenter-provider-aws/pkg/providers/instancetype"
	"github.com/aws/karpenter-provider-aws/pkg/providers/instancetype/compatibility"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/karpenter/pkg/cloudprovider"
	"sigs.k8s.io/karpenter/pkg/scheduling"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/catalog"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider/aws/instancetype"
	"github.com/dovetail-sh/dovetail/provider/aws/kubelet"
	"github.com/dovetail-sh/dovetail/provider/aws/launchtemplate"
	"github.com/dovetail-sh/dovetail/provider/aws/offline"
)

const (
	region = "us-east-1"
	zone   = "us-east-1a"

	// memoryOverhead is both controllers' default.
	memoryOverhead = 0.075
)

// Difference is one value that the two make different.
type Difference struct {
	Type  string // an instance type
	Class *awsv1.EC2NodeClass

	Bare  bool // the type has no hypervisor
	NVMe  bool // its disks are such
	Boots bool // our images of the class's family start on it

	What         string // "capacity pods", "allocatable memory", "label karpenter.k8s.aws/instance-cpu", "launched"
	Ours, Theirs string
}

func (d Difference) String() string {
	return fmt.Sprintf("%s as %s (%s): %s is %s, the peer's %s",
		d.Type, d.Class.AMIFamily(), d.Class.Name, d.What, d.Ours, d.Theirs)
}

// Compare lists what differs of every so many-th type that nodes run on, as nodes of a class.
func Compare(ctx context.Context, class *awsv1.EC2NodeClass, every int) ([]Difference, error) {
	said, err := kubelet.Parse(class.Spec.Kubelet)
	if err != nil {
		return nil, fmt.Errorf("reading the kubelet's settings of class %s: %w", class.Name, err)
	}
	text, err := json.Marshal(class)
	if err != nil {
		return nil, fmt.Errorf("writing class %s: %w", class.Name, err)
	}
	theirs := &peerv1.EC2NodeClass{}
	if err := json.Unmarshal(text, theirs); err != nil {
		return nil, fmt.Errorf("reading class %s as the peer's: %w", class.Name, err)
	}
	theirs.Status.Subnets = []peerv1.Subnet{{Zone: zone, ZoneID: "use1-az1"}}
	setup := instancetype.Setup{
		Region: region, Family: class.AMIFamily(), Kubelet: said,
		BlockDevices: class.Spec.BlockDeviceMappings, InstanceStore: class.Spec.InstanceStorePolicy,
		NetworkInterfaces: class.Spec.NetworkInterfaces, MemoryOverhead: memoryOverhead,
	}
	if len(setup.BlockDevices) == 0 {
		setup.BlockDevices = launchtemplate.DefaultBlockDevices(setup.Family)
	}
	ctx = options.ToContext(ctx, &options.Options{VMMemoryOverheadPercent: memoryOverhead})
	family := &awsv1.EC2NodeClass{Spec: awsv1.EC2NodeClassSpec{AMIFamily: class.Spec.AMIFamily}}
	resolver := peertypes.NewDefaultResolver(region)
	var out []Difference
	all := catalog.Types()
	for i := 0; i < len(all); i += max(every, 1) {
		info, ok := offline.Describe(&all[i])
		if !ok {
			continue
		}
		found := Difference{
			Type: all[i].Name, Class: class, Bare: all[i].Bare,
			NVMe:  info.InstanceStorageInfo != nil && info.InstanceStorageInfo.NvmeSupport != "unsupported",
			Boots: instancetype.Supported(info, family),
		}
		note := func(what, ours, other string) {
			if d := found; ours != other {
				d.What, d.Ours, d.Theirs = what, ours, other
				out = append(out, d)
			}
		}
		ok = compatibility.IsCompatibleWithNodeClass(info, theirs, nil)
		note(launched, strconv.FormatBool(instancetype.Supported(info, class)), strconv.FormatBool(ok))
		it, peer := instancetype.New(info, setup), resolver.Resolve(ctx, info, []string{zone}, theirs)
		compareType(it, peer, note)
		note("left out of launches", strconv.FormatBool(it.LastResort), strconv.FormatBool(leavesOut(peer)))
	}
	return out, nil
}

// leavesOut reports whether the peer's launches leave a type out while there is another one.
func leavesOut(t *cloudprovider.InstanceType) bool {
	_, out := filter.ExoticInstanceTypeFilter(scheduling.NewRequirements()).FilterReject([]*cloudprovider.InstanceType{
		t, {Name: "another", Requirements: scheduling.NewRequirements()},
	})
	return len(out) > 0
}

func compareType(ours *shape.InstanceType, theirs *cloudprovider.InstanceType, note func(what, ours, theirs string)) {
	for what, pair := range map[string][2]map[string]int64{
		"capacity":    {amounts(ours.Capacity), quantities(theirs.Capacity)},
		"allocatable": {amounts(ours.Allocatable), quantities(theirs.Allocatable())},
	} {
		for name := range union(pair[0], pair[1]) {
			note(what+" "+name, strconv.FormatInt(pair[0][name], 10), strconv.FormatInt(pair[1][name], 10))
		}
	}
	mine, its := labels(ours), map[string]string{}
	for key, r := range theirs.Requirements {
		its[key] = ""
		if r.Operator() == corev1.NodeSelectorOpIn {
			its[key] = fmt.Sprint(slices.Sorted(slices.Values(r.Values())))
		}
	}
	for key := range union(mine, its) {
		if !offered[key] {
			note("label "+key, mine[key], its[key])
		}
	}
}

// offered are labels that offerings have, not types.
var offered = map[string]bool{
	corev1.LabelTopologyZone: true, "karpenter.sh/capacity-type": true, awsv1.LabelTopologyZoneID: true,
	awsv1.LabelInstanceTenancy: true, awsv1.LabelCapacityReservationID: true, awsv1.LabelCapacityReservationType: true,
	awsv1.LabelCapacityReservationInterruptible: true,
}

func labels(t *shape.InstanceType) map[string]string {
	out := map[string]string{}
	for _, r := range t.Requirements {
		out[r.Key] = ""
		if r.Operator == shape.In {
			out[r.Key] = fmt.Sprint(r.Values)
		}
	}
	return out
}

func amounts(v shape.Vector) map[string]int64 {
	out := map[string]int64{}
	v.Each(func(name string, n int64) { out[name] = n })
	return out
}

func quantities(list corev1.ResourceList) map[string]int64 {
	out := map[string]int64{}
	for name, q := range list {
		if out[string(name)] = q.Value(); name == corev1.ResourceCPU {
			out[string(name)] = q.MilliValue()
		}
	}
	return out
}

func union[V cmp.Ordered](a, b map[string]V) map[string]V {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}
