package awspeer_test

import (
	"encoding/json"
	"flag"
	"maps"
	"slices"
	"testing"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/bench/awspeer"
)

var every = flag.Int("every", 10, "look at every so many-th type only")

// settings are what classes say beside their family, as JSON of the spec.
var settings = map[string]string{
	"plain":              `{}`,
	"maxPods":            `{"kubelet":{"maxPods":30}}`,
	"podsPerCore":        `{"kubelet":{"podsPerCore":4}}`,
	"maxPods and core":   `{"kubelet":{"maxPods":200,"podsPerCore":10}}`,
	"kubeReserved":       `{"kubelet":{"kubeReserved":{"cpu":"200m","memory":"1Gi","ephemeral-storage":"3Gi"}}}`,
	"kubeReserved cpu":   `{"kubelet":{"kubeReserved":{"cpu":"1"}}}`,
	"systemReserved":     `{"kubelet":{"systemReserved":{"cpu":"100m","memory":"500Mi","ephemeral-storage":"2Gi"}}}`,
	"evictionHard":       `{"kubelet":{"evictionHard":{"memory.available":"500Mi","nodefs.available":"12Gi"}}}`,
	"evictionHard share": `{"kubelet":{"evictionHard":{"memory.available":"7.5%","nodefs.available":"15%"}}}`,
	"evictionHard off":   `{"kubelet":{"evictionHard":{"memory.available":"100%","nodefs.available":"100%"}}}`,
	"evictionSoft": `{"kubelet":{"evictionSoft":{"memory.available":"1Gi"},
		"evictionSoftGracePeriod":{"memory.available":"1m"}}}`,
	"root volume": `{"blockDeviceMappings":[{"deviceName":"/dev/sdb","ebs":{"volumeSize":"30Gi"}},
		{"deviceName":"/dev/sdc","rootVolume":true,"ebs":{"volumeSize":"123Gi"}}]}`,
	"devices": `{"blockDeviceMappings":[{"deviceName":"/dev/xvda","ebs":{"volumeSize":"51Gi"}},
		{"deviceName":"/dev/xvdb","ebs":{"volumeSize":"52Gi"}},
		{"deviceName":"/dev/sda1","ebs":{"volumeSize":"53Gi"}}]}`,
	"another device": `{"blockDeviceMappings":[{"deviceName":"/dev/sdf","ebs":{"volumeSize":"70Gi"}}]}`,
	"no size":        `{"blockDeviceMappings":[{"deviceName":"/dev/xvda","ebs":{"snapshotID":"snap-0123456789"}}]}`,
	"RAID0":          `{"instanceStorePolicy":"RAID0"}`,
	"RAID0 and root": `{"instanceStorePolicy":"RAID0",
		"blockDeviceMappings":[{"deviceName":"/dev/xvda","rootVolume":true,"ebs":{"volumeSize":"77Gi"}}]}`,
	"EFA only": `{"networkInterfaces":[{"networkCardIndex":0,"deviceIndex":0,"interfaceType":"interface"},
		{"networkCardIndex":0,"deviceIndex":1,"interfaceType":"efa-only"}]}`,
	"two cards": `{"networkInterfaces":[{"networkCardIndex":0,"deviceIndex":0,"interfaceType":"interface"},
		{"networkCardIndex":1,"deviceIndex":1,"interfaceType":"efa-only"}]}`,
	"tracking": `{"connectionTracking":{"tcpEstablishedTimeout":600}}`,
	"nested":   `{"cpuOptions":{"nestedVirtualization":"enabled"}}`,
}

var families = []string{
	awsv1.AMIFamilyAL2, awsv1.AMIFamilyAL2023, awsv1.AMIFamilyBottlerocket, awsv1.AMIFamilyCustom,
	awsv1.AMIFamilyWindows2019, awsv1.AMIFamilyWindows2022, awsv1.AMIFamilyWindows2025,
}

// account counts differences by their names.
type account struct {
	values map[string]int
	types  map[string]map[string]bool
	first  map[string]string
}

func (a *account) add(t *testing.T, d awspeer.Difference) {
	t.Helper()
	name, meant := d.Name()
	if !meant {
		name = "fault: " + d.What
	}
	if a.values[name]++; a.types[name] == nil {
		a.types[name], a.first[name] = map[string]bool{}, d.String()
	}
	a.types[name][d.Type] = true
	if !meant && a.values[name] <= 5 {
		t.Errorf("%s", d)
	}
}

func TestTypesAreThePeersButForWhatIsMeant(t *testing.T) {
	t.Parallel()
	a := account{map[string]int{}, map[string]map[string]bool{}, map[string]string{}}
	for _, family := range families {
		for name, text := range settings {
			class := &awsv1.EC2NodeClass{}
			if err := json.Unmarshal([]byte(text), &class.Spec); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			class.Name, class.Spec.AMIFamily = name, &family
			list, err := awspeer.Compare(t.Context(), class, *every)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range list {
				a.add(t, d)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.values)) {
		t.Logf("%6d values of %3d types: %s; the first: %s", a.values[name], len(a.types[name]), name, a.first[name])
	}
}

// The comparison itself must be able to say no.
func TestADifferenceIsSeen(t *testing.T) {
	t.Parallel()
	class := &awsv1.EC2NodeClass{}
	class.Spec.AMIFamily = &families[1]
	list, err := awspeer.Compare(t.Context(), class, 1)
	if err != nil || len(list) == 0 {
		t.Fatalf("%d differences, %v", len(list), err)
	}
	d := list[0]
	d.What, d.Ours, d.Theirs = "capacity pods", "29", "30"
	if name, ok := d.Name(); ok {
		t.Errorf("another number of pods is called %q", name)
	}
}
