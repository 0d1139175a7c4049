package kwok

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

const g5 = `[{
	"name": "g5.4xlarge",
	"offerings": [{"Price": 1.624, "Available": true, "Requirements": [
		{"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]},
		{"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["us-east-1a"]}
	]}],
	"architecture": "amd64",
	"operatingSystems": ["linux"],
	"resources": {"cpu": "16", "memory": "64Gi", "ephemeral-storage": "600Gi", "nvidia.com/gpu": "1"}
}]`

func TestParseTypes(t *testing.T) {
	t.Parallel()
	got, err := ParseTypes([]byte(g5))
	if err != nil {
		t.Fatal(err)
	}
	want := []*shape.InstanceType{
		{
			Name: "g5.4xlarge",
			Requirements: []shape.Requirement{
				{Key: "karpenter.kwok.sh/instance-cpu", Values: []string{"16"}},
				{Key: "karpenter.kwok.sh/instance-family", Values: []string{"g5"}},
				{Key: "karpenter.kwok.sh/instance-memory", Values: []string{"65536"}},
				{Key: "karpenter.kwok.sh/instance-size", Values: []string{"4xlarge"}},
				{Key: "karpenter.sh/capacity-type", Values: []string{"on-demand"}},
				{Key: "kubernetes.io/arch", Values: []string{"amd64"}},
				{Key: "kubernetes.io/os", Values: []string{"linux"}},
				{Key: "node.kubernetes.io/instance-type", Values: []string{"g5.4xlarge"}},
				{Key: "topology.kubernetes.io/zone", Values: []string{"us-east-1a"}},
			},
			Capacity: shape.Vector{CPU: 16000, Memory: 64 << 30, Ephemeral: 600 << 30, Pods: 110,
				Extended: []shape.Amount{{Resource: "nvidia.com/gpu", Value: 1}}},
			Allocatable: shape.Vector{CPU: 15900, Memory: 64<<30 - 10<<20, Ephemeral: 600 << 30, Pods: 110,
				Extended: []shape.Amount{{Resource: "nvidia.com/gpu", Value: 1}}},
			Offerings: []shape.Offering{
				{Zone: "us-east-1a", CapacityType: "on-demand", Price: 1_624_000, Available: true},
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestParseTypesNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ why, old, new, want string }{
		"Syntax": {
			"a slip of the pen is found by its line",
			`"architecture": "amd64",`,
			`"architecture": "amd64"`,
			"line 8",
		},
		"NoName": {
			"an entry without a name is found by its place",
			`"name": "g5.4xlarge",`,
			``,
			"entry 1 has no name",
		},
		"NoCPU": {
			"a type without cores could never hold a pod",
			`"cpu": "16",`,
			``,
			"instance type g5.4xlarge has no cpu",
		},
		"NoZone": {
			"an offering is in a zone",
			`"topology.kubernetes.io/zone"`,
			`"zone"`,
			"topology.kubernetes.io/zone are missing",
		},
		"BadOperator": {
			"an offering is one thing, not a choice",
			`"In", "values": ["us-east-1a"]`,
			`"Exists"`,
			"must have operator In",
		},
		"Negative": {"nobody pays us", `1.624`, `-1`, "negative"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseTypes([]byte(strings.Replace(g5, tc.old, tc.new, 1)))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s\ngot error %v, want one with %q", tc.why, err, tc.want)
			}
		})
	}
}

func TestGenericTypes(t *testing.T) {
	t.Parallel()
	all := GenericTypes()
	if len(all) != 144 {
		t.Errorf("%d generic types, want 144", len(all))
	}
	for _, it := range all {
		if it.Name != "m-48x-arm64-windows" {
			continue
		}
		// 48 cores and 384 GiB: 48 x 0.025 + 412.316860416 x 0.001 dollars an hour.
		if od, spot := it.Offerings[0].Price, it.Offerings[1].Price; od != 1_612_316 || spot != 1_128_621 {
			t.Errorf("%s costs %d on demand and %d on spot", it.Name, od, spot)
		}
		if it.Capacity.Pods != 768 || len(it.Offerings) != 8 {
			t.Errorf(
				"%s holds %d pods and has %d offerings, want 768 and 8",
				it.Name,
				it.Capacity.Pods,
				len(it.Offerings),
			)
		}
		return
	}
	t.Error("m-48x-arm64-windows is missing")
}

// Files of real types list a name once for each operating system and architecture.
func TestANameMayBeListedForSeveralSystems(t *testing.T) {
	t.Parallel()
	entry := func(os, memory string) string {
		return `{"name": "x.nano", "architecture": "amd64", "operatingSystems": ["` + os + `"], "resources": {"cpu": "1", "memory": "` + memory + `"},
			"offerings": [{"Price": 1, "Available": true, "Requirements": [
				{"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["spot"]},
				{"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["a"]}]}]}`
	}
	types, err := ParseTypes([]byte("[" + entry("linux", "0") + "," + entry("windows", "1Gi") + "]"))
	if err != nil || len(types) != 2 {
		t.Errorf("got %d types and error %v, want both entries", len(types), err)
	}
	_, err = ParseTypes([]byte("[" + entry("linux", "1Gi") + "," + entry("linux", "2Gi") + "]"))
	if err == nil || !strings.Contains(err.Error(), "instance type x.nano is listed twice for amd64 and linux") {
		t.Errorf("got error %v, want one that names the type that is there twice", err)
	}
}
