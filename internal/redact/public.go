package redact

import (
	"reflect"
	"slices"
	"strings"

	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// domains are those of label keys, taints and resources that everybody has.
var domains = []string{
	"kubernetes.io",
	"k8s.io",
	"karpenter.sh",
	"karpenter.k8s.aws",
	"eks.amazonaws.com",
	"ebs.csi.aws.com",
	"csi.aws.com",
	"dovetail.sh",
	"nvidia.com",
	"amd.com",
	"aws.amazon.com",
	"vpc.amazonaws.com",
	"k8s.aws",
	"kwok.sh",
}

// named are keys whose values are names.
var named = map[string]bool{
	shape.LabelHostname:                         true,
	shape.LabelNodePool:                         true,
	"karpenter.k8s.aws/ec2nodeclass":            true,
	"karpenter.k8s.aws/capacity-reservation-id": true,
	"karpenter.k8s.aws/instance-id":             true,
	"eks.amazonaws.com/nodegroup":               true,
	"alpha.eksctl.io/nodegroup-name":            true,
	"karpenter.kwok.sh/kwoknodeclass":           true,
}

// common are texts that say nothing of anybody.
var common = []string{
	shape.CPU,
	shape.Memory,
	shape.Ephemeral,
	shape.Pods,
	shape.LimitNodes,
	shape.OnDemand,
	shape.Spot,
	shape.Reserved,
	"TCP",
	"UDP",
	"SCTP",
	"0.0.0.0",
	"::",
	"true",
	"false",
	"amd64",
	"arm64",
	"linux",
	"windows",
}

// ours reports whether a key is one that everybody has.
func ours(key string) bool {
	domain, _, prefixed := strings.Cut(key, "/")
	if !prefixed {
		return false
	}
	for _, d := range domains {
		if domain == d || strings.HasSuffix(domain, "."+d) {
			return true
		}
	}
	return false
}

// publicOf is what of a Snapshot's texts is public: what the cloud sells, and labels that everybody has.
func publicOf(s *shape.Snapshot) map[string]bool {
	out := map[string]bool{}
	for _, text := range common {
		out[text] = true
	}
	add := func(key string, values ...string) {
		if !ours(key) || named[key] {
			return
		}
		out[key] = true
		for _, v := range values {
			out[v] = true
		}
	}
	for _, t := range s.Types {
		out[t.Name] = true
		for _, r := range t.Requirements {
			add(r.Key, r.Values...)
		}
		for i := range t.Offerings {
			out[t.Offerings[i].Zone], out[t.Offerings[i].CapacityType] = true, true
		}
	}
	for _, p := range s.Pools {
		for _, r := range p.Requirements {
			add(r.Key, r.Values...)
		}
	}
	for key := range named {
		out[key] = true
	}
	return out
}

// holders are kinds of types that hold others.
var holders = []reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Map, reflect.Array}

// fields are the names of the fields of everything that is redacted, as JSON has them.
var fields = func() map[string]bool {
	out := map[string]bool{}
	seen := map[reflect.Type]bool{}
	var add func(reflect.Type)
	add = func(t reflect.Type) {
		for slices.Contains(holders, t.Kind()) {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || seen[t] {
			return
		}
		seen[t] = true
		for i := range t.NumField() {
			f := t.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "" {
				name = f.Name
			}
			out[name] = true
			add(f.Type)
		}
	}
	for _, v := range []any{shape.Snapshot{}, refit.Course{}, refit.Policy{}} {
		add(reflect.TypeOf(v))
	}
	return out
}()
