package kubelet

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
)

// Settings are the fields that shape a node, or that nodes of every AMI family can be told. The zero value sets
// nothing.
type Settings struct {
	ClusterDNS []string `json:"clusterDNS,omitempty"`

	// MaxPods is a number, or an expression until Resolve has worked it out.
	MaxPods     *intstr.IntOrString `json:"maxPods,omitempty"`
	PodsPerCore *int32              `json:"podsPerCore,omitempty"`

	// SystemReserved and KubeReserved are quantities by resource, or expressions until Resolve has worked them out.
	SystemReserved map[string]string `json:"systemReserved,omitempty"`
	KubeReserved   map[string]string `json:"kubeReserved,omitempty"`

	EvictionHard              map[string]string          `json:"evictionHard,omitempty"`
	EvictionSoft              map[string]string          `json:"evictionSoft,omitempty"`
	EvictionSoftGracePeriod   map[string]metav1.Duration `json:"evictionSoftGracePeriod,omitempty"`
	EvictionMaxPodGracePeriod *int32                     `json:"evictionMaxPodGracePeriod,omitempty"` // seconds

	ImageGCHighThresholdPercent *int32 `json:"imageGCHighThresholdPercent,omitempty"`
	ImageGCLowThresholdPercent  *int32 `json:"imageGCLowThresholdPercent,omitempty"`

	CPUCFSQuota *bool `json:"cpuCFSQuota,omitempty"`
}

// managed are the names of the fields of Settings.
var managed = []string{
	"clusterDNS", "maxPods", "podsPerCore", "systemReserved", "kubeReserved", "evictionHard", "evictionSoft",
	"evictionSoftGracePeriod", "evictionMaxPodGracePeriod", "imageGCHighThresholdPercent", "imageGCLowThresholdPercent",
	"cpuCFSQuota",
}

// Parse reads the fields of Settings out of a class's configuration. Others are left alone.
func Parse(from awsv1.KubeletConfiguration) (Settings, error) {
	var out Settings
	if len(from) == 0 {
		return out, nil
	}
	text, err := json.Marshal(from)
	if err != nil {
		return Settings{}, fmt.Errorf("parsing spec.kubelet: %w", err)
	}
	if err := json.Unmarshal(text, &out); err != nil {
		return Settings{}, fmt.Errorf("parsing spec.kubelet: %w", err)
	}
	return out, nil
}

// Pods is what maxPods says. False if it is not set, or an expression.
func (s Settings) Pods() (int32, bool) {
	if s.MaxPods == nil || s.MaxPods.Type != intstr.Int {
		return 0, false
	}
	return s.MaxPods.IntVal, true
}

// expression is a value that has to be worked out for each instance type.
type expression struct {
	field string // such as spec.kubelet.kubeReserved[cpu]
	text  string
}

// expressions lists those of the settings, in a fixed order. Whatever maxPods says as a string is one, and so is a
// reservation that is no quantity.
func (s Settings) expressions() []expression {
	var out []expression
	if s.MaxPods != nil && s.MaxPods.Type == intstr.String {
		out = append(out, expression{"spec.kubelet.maxPods", s.MaxPods.StrVal})
	}
	for _, reserved := range []struct {
		field string
		of    map[string]string
	}{{"kubeReserved", s.KubeReserved}, {"systemReserved", s.SystemReserved}} {
		for _, name := range slices.Sorted(maps.Keys(reserved.of)) {
			if text := reserved.of[name]; isExpression(text) {
				out = append(out, expression{fmt.Sprintf("spec.kubelet.%s[%s]", reserved.field, name), text})
			}
		}
	}
	return out
}

// HasExpressions reports whether Resolve has something to do.
func (s Settings) HasExpressions() bool { return len(s.expressions()) > 0 }

// isExpression reports whether a reservation is not the quantity that it would otherwise have to be.
func isExpression(reservation string) bool {
	_, err := resource.ParseQuantity(reservation)
	return err != nil
}
