package kubelet

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	kubeletconfig "k8s.io/kubelet/config/v1beta1"
	kubejson "sigs.k8s.io/json"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
)

// KubeletConfiguration is the kubelet's own type, with the field that Kubernetes 1.37 added.
type KubeletConfiguration struct {
	kubeletconfig.KubeletConfiguration `json:",inline"`

	DefaultPodSysctls map[string]string `json:"defaultPodSysctls,omitempty"`
}

// signals are what the kubelet evicts by, and a class may set.
var signals = []string{
	"memory.available", "nodefs.available", "nodefs.inodesFree", "imagefs.available", "imagefs.inodesFree",
	"pid.available",
}

// reservable are the resources that may be reserved.
var reservable = []string{"cpu", "memory", "ephemeral-storage", "pid"}

// structure lists what is wrong with a configuration whatever the AMI family.
func structure(k awsv1.KubeletConfiguration) []string {
	return append(decode(k), checker{config: k}.all()...)
}

// decode holds the configuration against the kubelet's own type: unknown and repeated names, or else the first value of
// the wrong type.
func decode(k awsv1.KubeletConfiguration) []string {
	if saysText(k["maxPods"].Raw) {
		k = maps.Clone(k) // an expression, which the kubelet's type has no place for
		k["maxPods"] = rawZero
	}
	text, err := json.Marshal(k)
	if err != nil {
		return []string{"spec.kubelet: " + err.Error()}
	}
	var into KubeletConfiguration
	strict, err := kubejson.UnmarshalStrict(text, &into)
	if err != nil {
		return []string{"spec.kubelet: " + err.Error()}
	}
	out := make([]string, len(strict))
	for i, e := range strict {
		out[i] = "spec.kubelet: " + e.Error()
	}
	return out
}

// checker collects what the kubelet's type does not tell. Values of the wrong type are left to decode.
type checker struct {
	config awsv1.KubeletConfiguration
	found  []string
}

func (c checker) all() []string {
	if _, set := c.config["registerWithTaints"]; set {
		c.add(".registerWithTaints: can't be set, Karpenter sets it from the NodeClaim's taints so " +
			"the node registers unschedulable until it's ready")
	}
	c.thresholds("evictionHard", threshold)
	c.thresholds("evictionSoft", threshold)
	c.thresholds("evictionSoftGracePeriod", gracePeriod)
	c.thresholds("evictionMinimumReclaim", threshold)
	c.pairs("evictionSoft", "evictionSoftGracePeriod")
	c.pairs("evictionSoftGracePeriod", "evictionSoft")
	c.reserved("kubeReserved")
	c.reserved("systemReserved")
	for _, field := range []string{imageHigh, imageLow} {
		if n, ok := c.number(field); ok && (n < 0 || n > 100) {
			c.add(".%s: %d must be between 0 and 100", field, n)
		}
	}
	for _, field := range []string{"podsPerCore", "evictionMaxPodGracePeriod", "maxPods"} {
		if n, ok := c.number(field); ok && n < 0 {
			c.add(".%s: %d can't be negative", field, n)
		}
	}
	high, hasHigh := c.number(imageHigh)
	low, hasLow := c.number(imageLow)
	if hasHigh && hasLow && high <= low {
		c.add(": %s (%d) must be greater than %s (%d)", imageHigh, high, imageLow, low)
	}
	return c.found
}

const (
	imageHigh = "imageGCHighThresholdPercent"
	imageLow  = "imageGCLowThresholdPercent"
)

func (c *checker) add(format string, args ...any) {
	c.found = append(c.found, "spec.kubelet"+fmt.Sprintf(format, args...))
}

// thresholds checks a map by eviction signal.
func (c *checker) thresholds(field string, check func(string) string) {
	set := c.texts(field)
	for _, signal := range slices.Sorted(maps.Keys(set)) {
		if !slices.Contains(signals, signal) {
			c.add(
				".%s: %q isn't a valid eviction signal, must be one of %s", field, signal, strings.Join(signals, ", "),
			)
		}
		if wrong := check(set[signal]); wrong != "" {
			c.add(".%s[%s]: %q %s", field, signal, set[signal], wrong)
		}
	}
}

// threshold says what is wrong with the amount that must be left; empty if nothing is.
func threshold(value string) string {
	const wrong = "must be a percentage or a resource quantity"
	if percent, ok := strings.CutSuffix(value, "%"); ok {
		n, err := strconv.ParseFloat(percent, 64)
		if err != nil || !(n >= 0 && n <= 100) { // not a number is neither
			return wrong
		}
		return ""
	}
	q, err := resource.ParseQuantity(value)
	switch {
	case err != nil:
		return wrong
	case q.Sign() < 0:
		return "can't be a negative resource quantity"
	}
	return ""
}

// gracePeriod says what is wrong with a duration; empty if nothing is.
func gracePeriod(value string) string {
	d, err := time.ParseDuration(value)
	switch {
	case err != nil:
		return "must be a duration"
	case d < 0:
		return "can't be a negative duration"
	}
	return ""
}

// pairs wants each key of a map in the other. A map that is not set is empty.
func (c *checker) pairs(field, other string) {
	set, partner := c.texts(field), c.texts(other)
	for _, signal := range slices.Sorted(maps.Keys(set)) {
		if _, ok := partner[signal]; !ok {
			c.add(".%s[%s]: has no matching %s", field, signal, other)
		}
	}
}

// reserved checks a map by resource. What is no quantity may be an expression.
func (c *checker) reserved(field string) {
	set := c.texts(field)
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if !slices.Contains(reservable, name) {
			c.add(".%s: %q isn't a reservable resource, must be one of %s", field, name, strings.Join(reservable, ", "))
		}
		if strings.HasPrefix(set[name], "-") {
			c.add(".%s[%s]: %q can't be a negative resource quantity", field, name, set[name])
		}
	}
}

func (c *checker) texts(field string) map[string]string {
	var out map[string]string
	if json.Unmarshal(c.config[field].Raw, &out) != nil {
		return nil
	}
	return out
}

func (c *checker) number(field string) (int64, bool) {
	var out *int64
	if json.Unmarshal(c.config[field].Raw, &out) != nil || out == nil {
		return 0, false
	}
	return *out, true
}

// saysText reports whether a JSON value is a string.
func saysText(raw []byte) bool {
	var text *string
	return json.Unmarshal(raw, &text) == nil && text != nil
}
