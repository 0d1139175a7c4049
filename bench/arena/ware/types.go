package ware

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/kwok"
)

// listed is an instance type as both controllers read it from --instance-types-file-path.
type listed struct {
	Name             string              `json:"name"`
	Offerings        []offering          `json:"offerings"`
	Architecture     string              `json:"architecture"`
	OperatingSystems []string            `json:"operatingSystems"`
	Resources        corev1.ResourceList `json:"resources"`
}

type offering struct {
	Price        float64                          `json:"Price"`
	Available    bool                             `json:"Available"`
	Requirements []corev1.NodeSelectorRequirement `json:"Requirements"`
}

// Types are the types on sale: those of Linux on amd64 of the kwok cloud, 36 from 1 to 256 cores.
func Types() []*shape.InstanceType {
	var out []*shape.InstanceType
	for _, t := range kwok.GenericTypes() {
		if label(t, shape.LabelOS) == string(corev1.Linux) && label(t, shape.LabelArch) == "amd64" {
			out = append(out, t)
		}
	}
	return out
}

// label is the only value that a type has for a key.
func label(t *shape.InstanceType, key string) string {
	for _, r := range t.Requirements {
		if r.Key == key && len(r.Values) == 1 {
			return r.Values[0]
		}
	}
	return ""
}

// File is the file of instance types that every contestant is given.
func File(types []*shape.InstanceType) ([]byte, error) {
	list := make([]listed, 0, len(types))
	for _, t := range types {
		l := listed{
			Name: t.Name, Architecture: label(t, shape.LabelArch), OperatingSystems: []string{label(t, shape.LabelOS)},
			Resources: provider.ResourceListOf(t.Capacity),
		}
		for _, o := range t.Offerings {
			l.Offerings = append(
				l.Offerings,
				offering{
					Price:     o.Price.Float(),
					Available: o.Available,
					Requirements: []corev1.NodeSelectorRequirement{
						{
							Key:      shape.LabelCapacityType,
							Operator: corev1.NodeSelectorOpIn,
							Values:   []string{o.CapacityType},
						},
						{Key: shape.LabelZone, Operator: corev1.NodeSelectorOpIn, Values: []string{o.Zone}},
					},
				},
			)
		}
		list = append(list, l)
	}
	text, err := json.MarshalIndent(list, "", " ")
	if err != nil {
		return nil, fmt.Errorf("writing instance types: %w", err)
	}
	return text, nil
}

// Price is what a node with these labels costs an hour, whoever launched it and whatever it says of itself: the
// reference's kwok nodes report what was requested as their capacity.
func Price(types []*shape.InstanceType) func(labels map[string]string) (float64, bool) {
	type key struct{ name, zone, capacityType string }
	prices := map[key]float64{}
	for _, t := range types {
		for _, o := range t.Offerings {
			prices[key{t.Name, o.Zone, o.CapacityType}] = o.Price.Float()
		}
	}
	return func(labels map[string]string) (float64, bool) {
		dollars, known := prices[key{
			labels[shape.LabelInstanceType], labels[shape.LabelZone], labels[shape.LabelCapacityType],
		}]
		return dollars, known
	}
}
