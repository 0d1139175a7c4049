package enginetest

import (
	"fmt"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// dice is a small generator of pseudo-random numbers: the same seed, the same workload, in
// every version of Go.
type dice uint64

func (d *dice) roll(n int) int {
	*d += 0x9e3779b97f4a7c15
	z := uint64(*d)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return int((z ^ z>>31) % uint64(n))
}

// Fakes are n made-up instance types with 1 core, 2 GiB and 10 pods more each, in three zones,
// on demand and as spot, at a price in proportion.
func Fakes(w *World, n int) {
	for i := range n {
		v := shape.Vector{CPU: int64(i+1) * 1000, Memory: int64(i+1) << 31, Pods: int64(i+1) * 10, Ephemeral: 20 << 30}
		it := shape.InstanceType{Name: fmt.Sprintf("fake-%03d", i+1), Capacity: v, Allocatable: v}
		it.Allocatable.CPU -= 100
		it.Allocatable.Memory -= 10 << 20
		it.Requirements = []shape.Requirement{
			{Key: shape.LabelArch, Values: []string{"amd64"}},
			{Key: shape.LabelOS, Values: []string{"linux"}},
			{Key: shape.LabelInstanceType, Values: []string{it.Name}},
		}
		price := shape.Dollars(float64(i+1) * 0.045)
		for _, zone := range []string{"zone-1", "zone-2", "zone-3"} {
			it.Offerings = append(it.Offerings,
				shape.Offering{Zone: zone, CapacityType: shape.OnDemand, Price: price, Available: true},
				shape.Offering{Zone: zone, CapacityType: shape.Spot, Price: price * 7 / 10, Available: true})
		}
		w.Type(it)
	}
}

// Diverse is n pods in five equal parts: without constraints, spread over zones, spread over
// hosts, near each other by zone, and apart by host.
func Diverse(pods, types int) shape.Snapshot {
	w := NewWorld()
	Fakes(w, types)
	d := dice(42)
	letters := []string{"a", "b", "c", "d", "e", "f", "g"}
	one := func(value string) shape.Selector {
		return shape.Selector{Requirements: []shape.Requirement{{Key: "my-label", Values: []string{value}}}}
	}
	for i := range pods {
		c := shape.Class{Namespace: "default"}
		c.Requests = shape.Vector{
			CPU:    []int64{100, 250, 500, 1000, 1500}[d.roll(5)],
			Memory: []int64{100, 256, 512, 1024, 2048, 4096}[d.roll(6)] << 20,
			Pods:   1,
		}
		label := letters[d.roll(7)]
		switch i % 5 {
		case 1:
			c.Spread = []shape.Spread{{Key: shape.LabelZone, MaxSkew: 1, Hard: true, Selector: one(letters[d.roll(7)])}}
		case 2:
			c.Spread = []shape.Spread{
				{Key: shape.LabelHostname, MaxSkew: 1, Hard: true, Selector: one(letters[d.roll(7)])},
			}
		case 3:
			label = "near-" + label
			c.Affinity = []shape.PodTerm{{Key: shape.LabelZone, Namespaces: []string{"default"}, Selector: one(label)}}
		case 4:
			label = "apart"
			c.Affinity = []shape.PodTerm{
				{Key: shape.LabelHostname, Anti: true, Namespaces: []string{"default"}, Selector: one(label)},
			}
		}
		c.Labels = []shape.Label{{Key: "my-label", Value: label}}
		w.Pod(shape.PodID(fmt.Sprintf("default/pod-%06d", i)), c)
	}
	return w.Snapshot()
}

// Mixed is n pods of a few dozen sizes without constraints beyond a zone here and there.
func Mixed(pods, types int) shape.Snapshot { return Busy(pods, 0, types) }

// Busy is n pods to place beside so many existing nodes, each nearly full of running pods.
func Busy(pods, nodes, types int) shape.Snapshot {
	w := NewWorld()
	Fakes(w, types)
	d := dice(7)
	class := func() shape.Class {
		c := shape.Class{Namespace: "default"}
		c.Requests = shape.Vector{CPU: int64(1+d.roll(16)) * 250, Memory: int64(1+d.roll(16)) << 29, Pods: 1}
		if d.roll(10) == 0 {
			c.NodeSelector = []shape.Requirement{
				{Key: shape.LabelZone, Values: []string{fmt.Sprintf("zone-%d", 1+d.roll(3))}},
			}
		}
		return c
	}
	for i := range nodes {
		zone := fmt.Sprintf("zone-%d", 1+i%3)
		n := shape.Node{Name: fmt.Sprintf(
			"node-%06d", i,
		), Hostname: fmt.Sprintf(
			"node-%06d", i,
		), Pool: "general", Zone: zone, Stage: shape.Ready, InstanceType: "fake-032",
			Allocatable: shape.Vector{CPU: 32_000, Memory: 64 << 30, Pods: 110}}
		n.Profile = w.Profile(shape.Profile{
			Labels: []shape.Label{
				{Key: shape.LabelNodePool, Value: "general"}, {Key: shape.LabelArch, Value: "amd64"},
				{Key: shape.LabelOS, Value: "linux"}, {Key: shape.LabelInstanceType, Value: "fake-032"},
				{Key: shape.LabelZone, Value: zone},
			},
		})
		used := shape.Vector{}
		n.Requested = &used // as a mirror keeps it
		for k := range 12 {
			c := class()
			c.NodeSelector = nil
			n.Pods = append(n.Pods, shape.Pod{
				ID: shape.PodID(fmt.Sprintf("default/run-%06d-%02d", i, k)), Class: w.Class(c), EvictionCost: 1000,
			})
			used = used.Add(c.Requests)
		}
		w.Node(n)
	}
	for i := range pods {
		w.Pod(shape.PodID(fmt.Sprintf("default/pod-%06d", i)), class())
	}
	return w.Snapshot()
}

// Running is a fleet with so many nodes of a few sizes in three zones and so many pods on them, two thirds full on
// average: a few dozen kinds of pods, a fifth of them with rules about zones or hosts.
func Running(nodes, pods, types int) shape.Snapshot {
	w := NewWorld()
	Fakes(w, types)
	d := dice(11)
	sizes := []int{4, 8, 16}
	each := pods / nodes
	for i := range nodes {
		size := sizes[d.roll(len(sizes))]
		zone := fmt.Sprintf("zone-%d", 1+i%3)
		name := fmt.Sprintf("fake-%03d", size)
		n := shape.Node{Name: fmt.Sprintf(
			"node-%06d", i,
		), Hostname: fmt.Sprintf(
			"node-%06d", i,
		), Pool: "general", Claim: fmt.Sprintf("node-%06d", i), Zone: zone, Stage: shape.Ready,
			InstanceType: name, CapacityType: shape.OnDemand, Price: shape.Dollars(float64(size) * 0.045),
			Allocatable: shape.Vector{
				CPU: int64(size)*1000 - 100, Memory: int64(size)<<31 - 10<<20, Pods: int64(size) * 10,
				Ephemeral: 20 << 30,
			}}
		n.Profile = w.Profile(shape.Profile{Labels: []shape.Label{
			{Key: shape.LabelCapacityType, Value: shape.OnDemand}, {Key: shape.LabelNodePool, Value: "general"},
			{Key: shape.LabelArch, Value: "amd64"}, {Key: shape.LabelOS, Value: "linux"},
			{Key: shape.LabelInstanceType, Value: name}, {Key: shape.LabelZone, Value: zone}}})
		used := shape.Vector{}
		n.Requested = &used
		for k := range each {
			app := d.roll(60)
			c := shape.Class{
				Namespace: "default", Labels: []shape.Label{{Key: "app", Value: fmt.Sprintf("app-%02d", app)}},
			}
			share := int64(size) * 1000 * 2 / 3 / int64(each)
			c.Requests = shape.Vector{
				CPU: share/2 + int64(app%5)*share/4, Memory: (share/2 + int64(app%7)*share/6) << 21, Pods: 1,
			}
			own := shape.Selector{Requirements: []shape.Requirement{{Key: "app", Values: []string{c.Labels[0].Value}}}}
			if app%10 == 0 {
				c.Spread = []shape.Spread{{Key: shape.LabelZone, MaxSkew: 5, Hard: true, Selector: own}}
			}
			if app%10 == 1 {
				c.Spread = []shape.Spread{{Key: shape.LabelHostname, MaxSkew: 3, Hard: true, Selector: own}}
			}
			n.Pods = append(n.Pods, shape.Pod{
				ID: shape.PodID(fmt.Sprintf("default/run-%06d-%02d", i, k)), Class: w.Class(c), EvictionCost: 1000,
			})
			used = used.Add(c.Requests)
		}
		w.Node(n)
	}
	return w.Snapshot()
}
