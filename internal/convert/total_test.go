package convert_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/internal/convert"
)

// drawing draws an old object, and remembers what of it must be found in the new ones.
type drawing struct {
	t     *rapid.T
	n     int
	marks []string // each must be in the output
}

// mark is a text that nothing else holds.
func (d *drawing) mark(prefix string) string {
	d.n++
	m := fmt.Sprintf("%smark%dx", prefix, d.n)
	d.marks = append(d.marks, m)
	return m
}

func (d *drawing) maybe(label string) bool { return rapid.Bool().Draw(d.t, label) }

// some sets fields in a map, each or not.
func (d *drawing) some(to map[string]any, fields map[string]func() any) {
	for _, name := range sorted(fields) {
		if d.maybe(name) {
			to[name] = fields[name]()
		}
	}
}

func sorted(m map[string]func() any) []string {
	var out []string
	for name := range m {
		out = append(out, name)
	}
	for i := range out {
		for j := i; j > 0 && out[j] < out[j-1]; j-- {
			out[j], out[j-1] = out[j-1], out[j]
		}
	}
	return out
}

func (d *drawing) tags() any { return map[string]any{d.mark("key"): d.mark("value")} }
func (d *drawing) taints() any {
	return []any{map[string]any{"key": d.mark("taint"), "effect": "NoSchedule"}}
}
func (d *drawing) quantity() any { return map[string]any{"cpu": "73m"} }
func (d *drawing) requirements() any {
	return []any{map[string]any{"key": d.mark("label"), "operator": "In", "values": []any{d.mark("is")}}}
}

func (d *drawing) kubelet() any {
	out := map[string]any{}
	d.some(out, map[string]func() any{
		"clusterDNS":                  func() any { return []any{"10.9.8.7"} },
		"maxPods":                     func() any { return 77 },
		"podsPerCore":                 func() any { return 9 },
		"systemReserved":              d.quantity,
		"kubeReserved":                d.quantity,
		"evictionHard":                func() any { return map[string]any{"memory.available": "6%"} },
		"evictionSoft":                func() any { return map[string]any{"memory.available": "7%"} },
		"imageGCHighThresholdPercent": func() any { return 91 },
		"cpuCFSQuota":                 func() any { return true },
	})
	if out["evictionSoft"] != nil {
		out["evictionSoftGracePeriod"] = map[string]any{"memory.available": "1m7s"}
	}
	return out
}

func (d *drawing) machines(beta bool) map[string]any {
	out := map[string]any{"instanceProfile": d.mark("profile")}
	d.some(out, map[string]func() any{
		"userData":           func() any { return d.mark("data") },
		"tags":               d.tags,
		"detailedMonitoring": func() any { return true },
		"context":            func() any { return d.mark("context") },
		"metadataOptions":    func() any { return map[string]any{"httpTokens": "required"} },
		"blockDeviceMappings": func() any {
			return []any{
				map[string]any{
					"deviceName": d.mark("/dev/"),
					"ebs":        map[string]any{"volumeSize": "31Gi", "volumeType": "gp3"},
				},
			}
		},
	})
	names := []string{"AL2", "AL2023", "Bottlerocket", "Ubuntu", "Custom", "Windows2022"}
	if beta || d.maybe("family") {
		out["amiFamily"] = rapid.SampledFrom(names).Draw(d.t, "amiFamily")
	}
	return out
}

func (d *drawing) provisioner() map[string]any {
	spec := map[string]any{"providerRef": map[string]any{"name": "class"}}
	d.some(spec, map[string]func() any{
		"labels":                 d.tags,
		"annotations":            d.tags,
		"taints":                 d.taints,
		"startupTaints":          d.taints,
		"requirements":           d.requirements,
		"kubeletConfiguration":   d.kubelet,
		"weight":                 func() any { return 42 },
		"ttlSecondsAfterEmpty":   func() any { return 37 },
		"ttlSecondsUntilExpired": func() any { return 8123 },
		"consolidation":          func() any { return map[string]any{"enabled": d.maybe("on")} },
		"limits":                 func() any { return map[string]any{"resources": map[string]any{"cpu": "777"}} },
	})
	return map[string]any{
		"apiVersion": "karpenter.sh/v1alpha5",
		"kind":       "Provisioner",
		"metadata":   map[string]any{"name": "pool"},
		"spec":       spec,
	}
}

func (d *drawing) nodeTemplate() map[string]any {
	spec := d.machines(false)
	spec["subnetSelector"], spec["securityGroupSelector"] = d.tags(), d.tags()
	if d.maybe("images") {
		spec["amiSelector"] = d.tags()
	}
	return map[string]any{
		"apiVersion": "karpenter.k8s.aws/v1alpha1",
		"kind":       "AWSNodeTemplate",
		"metadata":   map[string]any{"name": "class"},
		"spec":       spec,
	}
}

func (d *drawing) betaPool() map[string]any {
	node := map[string]any{"requirements": d.requirements(), "nodeClassRef": map[string]any{"name": "class"}}
	d.some(node, map[string]func() any{"taints": d.taints, "startupTaints": d.taints, "kubelet": d.kubelet})
	template := map[string]any{"spec": node}
	if d.maybe("metadata") {
		template["metadata"] = map[string]any{"labels": d.tags(), "annotations": d.tags()}
	}
	spec := map[string]any{"template": template}
	d.some(spec, map[string]func() any{
		"weight": func() any { return 42 },
		"limits": func() any { return map[string]any{"cpu": "777"} },
		"disruption": func() any {
			out := map[string]any{"consolidationPolicy": "WhenEmpty", "consolidateAfter": "37s"}
			d.some(out, map[string]func() any{
				"expireAfter": func() any { return "8123s" },
				"budgets": func() any {
					return []any{map[string]any{"nodes": "17%", "schedule": "13 9 * * *",
						"duration": "11h"}}
				},
			})
			return out
		},
	})
	return map[string]any{
		"apiVersion": "karpenter.sh/v1beta1",
		"kind":       "NodePool",
		"metadata":   map[string]any{"name": "pool"},
		"spec":       spec,
	}
}

func (d *drawing) betaClass() map[string]any {
	spec := d.machines(true)
	spec["subnetSelectorTerms"], spec["securityGroupSelectorTerms"] = []any{
		map[string]any{"tags": d.tags()},
	}, []any{
		map[string]any{"tags": d.tags()},
	}
	if d.maybe("images") {
		spec["amiSelectorTerms"] = []any{map[string]any{"name": d.mark("image")}}
	}
	d.some(spec, map[string]func() any{
		"associatePublicIPAddress": func() any { return true },
		"instanceStorePolicy":      func() any { return "RAID0" },
	})
	return map[string]any{
		"apiVersion": "karpenter.k8s.aws/v1beta1",
		"kind":       "EC2NodeClass",
		"metadata":   map[string]any{"name": "class"},
		"spec":       spec,
	}
}

// numbers are amounts that must come out too, by the field that they were in.
var numbers = map[string]string{
	"ttlSecondsUntilExpired: 8123":   "expireAfter: 8123s",
	"expireAfter: 8123s":             "expireAfter: 8123s",
	"consolidateAfter: 37s":          "consolidateAfter: 37s",
	"maxPods: 77":                    "maxPods: 77",
	"podsPerCore: 9":                 "podsPerCore: 9",
	"10.9.8.7":                       "10.9.8.7",
	"1m7s":                           "1m7s",
	"cpu: 73m":                       "cpu: 73m",
	"memory.available: 6%":           "memory.available: 6%",
	"memory.available: 7%":           "memory.available: 7%",
	"PercentThreshold: 91":           "91",
	"weight: 42":                     "weight: 42",
	"cpu: \"777\"":                   "cpu: \"777\"",
	"volumeSize: 31Gi":               "volumeSize: 31Gi",
	"nodes: 17%":                     "nodes: 17%",
	"13 9":                           "13 9",
	"duration: 11h":                  "duration: 11h",
	"RAID0":                          "RAID0",
	"associatePublicIPAddress: true": "associatePublicIPAddress: true",
	"detailedMonitoring: true":       "detailedMonitoring: true",
	"httpTokens: required":           "httpTokens: required",
	"cpuCFSQuota: true":              "cpuCFSQuota: true",
}

var named = regexp.MustCompile(`^in\.yaml:\d+: (NodePool|EC2NodeClass|Provisioner|AWSNodeTemplate) (pool|class): `)

// Whatever an old object holds is in the new ones, or is named with file and line. Nothing vanishes.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	tried, converted := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		tried++
		d := &drawing{t: t}
		objects := []map[string]any{d.betaPool(), d.betaClass()}
		if d.maybe("alpha") {
			d.marks = nil
			objects = []map[string]any{d.provisioner(), d.nodeTemplate()}
		}
		var b strings.Builder
		for _, object := range objects {
			text, err := yaml.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			b.WriteString("---\n" + string(text))
		}
		old := b.String()
		r, err := convert.Files([]convert.Source{{Name: "in.yaml", Text: []byte(old)}}, convert.Options{})
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if !named.MatchString(line) {
					t.Fatalf("a problem does not say where: %s\n%s", line, old)
				}
			}
			return
		}
		converted++
		got := string(r.Files[0].Text)
		for _, m := range d.marks {
			if !strings.Contains(got, m) {
				t.Fatalf("%s is lost\n%s\n became\n%s", m, old, got)
			}
		}
		for was, now := range numbers {
			if strings.Contains(old, was) && !strings.Contains(got, now) {
				t.Fatalf("%s is lost\n%s\n became\n%s", was, old, got)
			}
		}
		again, err := convert.Files([]convert.Source{{Name: "in.yaml", Text: []byte(got)}}, convert.Options{})
		if err != nil || again.Files[0].Changed {
			t.Fatalf("a second run changes it: %v\n%s", err, got)
		}
	})
	if converted < tried/2 {
		t.Errorf("only %d of %d objects were converted: the rest was refused", converted, tried)
	}
}

// A field that no release had is named wherever it stands.
func TestUnknownFieldsAreNamedWhereverTheyStand(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := &drawing{t: t}
		objects := []map[string]any{d.betaPool(), d.betaClass(), d.provisioner(), d.nodeTemplate()}
		object := rapid.SampledFrom(objects).Draw(t, "object")
		at := object
		for _, name := range []string{"spec", "template", "spec", "kubelet"} {
			below, ok := at[name].(map[string]any)
			if !ok || name != "spec" && d.maybe("stop") {
				break
			}
			at = below
		}
		at["strayField"] = "x"
		text, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		_, err = convert.Files([]convert.Source{{Name: "in.yaml", Text: text}}, convert.Options{})
		if err == nil || !strings.Contains(err.Error(), "strayField: no release of Karpenter had this field here") {
			t.Fatalf("got %v\n%s", err, text)
		}
	})
}
