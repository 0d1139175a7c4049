package simulate

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	policyv1 "k8s.io/api/policy/v1"

	autoscalingv1beta1 "github.com/dovetail-sh/dovetail/api/autoscaling/v1beta1"
	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	karpenterv1alpha1 "github.com/dovetail-sh/dovetail/api/karpenter/v1alpha1"
	kwokv1alpha1 "github.com/dovetail-sh/dovetail/api/kwok/v1alpha1"
	"github.com/dovetail-sh/dovetail/internal/manifest"
)

// bearing is what a field has to do with a plan that is made offline.
type bearing uint8

const (
	// counts: it is reckoned with.
	counts bearing = iota
	// consolidates: it is reckoned with when nodes are given up.
	consolidates
	// tells: it says how things are in a cluster; what is in the spec counts.
	tells
	// moot: it has nothing to do with which pods fit where, and at what price.
	moot
	// noted: it matters, and what it comes to is known only to the cloud, so a note says what was assumed.
	noted
)

// bearings are the fields of the kinds that plans are made of, each with all below it. A field that is not here is a
// mistake.
var bearings = map[string]map[string]bearing{
	"NodePool": {
		"spec.template.metadata":                    counts,
		"spec.template.spec.taints":                 counts,
		"spec.template.spec.startupTaints":          counts,
		"spec.template.spec.requirements":           counts,
		"spec.template.spec.nodeClassRef":           counts,
		"spec.template.spec.terminationGracePeriod": consolidates,
		"spec.template.spec.expireAfter":            consolidates,
		"spec.disruption":                           consolidates,
		"spec.limits":                               counts,
		"spec.weight":                               counts,
		"spec.replicas":                             counts,
		"status.conditions":                         counts, // a pool that its controller calls not ready buys nothing
		"status":                                    tells,
	},
	"EC2NodeClass": {
		"spec.subnetSelectorTerms":              noted,
		"spec.amiSelectorTerms":                 noted,
		"spec.capacityReservationSelectorTerms": noted,
		"spec.placementGroupSelector":           noted,
		"spec.amiFamily":                        counts,
		"spec.kubelet":                          counts,
		"spec.blockDeviceMappings":              counts,
		"spec.instanceStorePolicy":              counts,
		"spec.networkInterfaces":                counts,
		"spec.cpuOptions":                       counts,
		"spec.enclaveOptions":                   counts,
		"spec.securityGroupSelectorTerms":       moot,
		"spec.associatePublicIPAddress":         moot,
		"spec.ipPrefixCount":                    moot,
		"spec.userData":                         moot, // the controller does not read it either
		"spec.role":                             moot,
		"spec.instanceProfile":                  moot,
		"spec.tags":                             moot,
		"spec.detailedMonitoring":               moot,
		"spec.metadataOptions":                  moot,
		"spec.connectionTracking":               moot,
		"spec.context":                          moot,
		"status.subnets":                        counts,
		"status.capacityReservations":           counts,
		"status.idleCapacityReservations":       tells,
		"status.amis":                           counts,
		"status":                                tells,
	},
	"KWOKNodeClass": {
		"spec.nodeRegistrationDelay": moot,
		"status":                     tells,
	},
	"NodeOverlay": {
		"spec":   counts,
		"status": tells,
	},
	"CapacityBuffer": {
		"spec":   counts,
		"status": tells, // the controller's count, which is made anew
	},
	"PodDisruptionBudget": {
		"spec":   consolidates,
		"status": consolidates,
	},
}

// Somebody has thought of every field of the kinds that plans are made of: it counts, or it is known why it does not.
func TestEveryFieldHasABearing(t *testing.T) {
	t.Parallel()
	for kind, object := range map[string]any{
		"NodePool": karpenterv1.NodePool{}, "EC2NodeClass": awsv1.EC2NodeClass{},
		"KWOKNodeClass": kwokv1alpha1.KWOKNodeClass{},
		"NodeOverlay":   karpenterv1alpha1.NodeOverlay{}, "CapacityBuffer": autoscalingv1beta1.CapacityBuffer{},
		"PodDisruptionBudget": policyv1.PodDisruptionBudget{},
	} {
		used := map[string]bool{}
		for _, part := range []string{"Spec", "Status"} {
			field, _ := reflect.TypeOf(object).FieldByName(part)
			for _, path := range leaves(strings.ToLower(part), field.Type) {
				entry := covering(kind, path)
				if entry == "" {
					t.Errorf("%s %s: is it reckoned with offline? say so in bearings", kind, path)
				}
				used[entry] = true
			}
		}
		for entry := range bearings[kind] {
			if !used[entry] {
				t.Errorf("%s has no field %s, or others name all below it", kind, entry)
			}
		}
	}
}

// covering is the longest entry that a path is in.
func covering(kind, path string) string {
	best := ""
	for entry := range bearings[kind] {
		if (path == entry || strings.HasPrefix(path, entry+".")) && len(entry) > len(best) {
			best = entry
		}
	}
	return best
}

// leaves are the fields of a type, as they are written.
func leaves(path string, of reflect.Type) []string {
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct || !strings.Contains(of.PkgPath(), "dovetail") || of.NumField() == 0 {
		return []string{path}
	}
	var out []string
	for i := range of.NumField() {
		name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		out = append(out, leaves(path+"."+name, of.Field(i).Type)...)
	}
	if out == nil {
		return []string{path}
	}
	return out
}

// What only AWS knows of a class is told, and what is assumed instead.
func TestWhatAClassLeavesToAWSIsNoted(t *testing.T) {
	t.Parallel()
	said := map[string]string{
		"spec.subnetSelectorTerms":              "every zone of us-east-1 is taken to have one",
		"spec.amiSelectorTerms":                 "images: they are taken to be Bottlerocket's",
		"spec.capacityReservationSelectorTerms": "which capacity reservations it selects is not known",
		"spec.placementGroupSelector":           "placement group: nodes are taken to be anywhere",
	}
	for path, is := range bearings["EC2NodeClass"] {
		if _, ok := said[path]; ok != (is == noted) {
			t.Errorf("%s: it is to be noted, or is not, and the test does not agree", path)
		}
	}
	family := awsv1.AMIFamilyBottlerocket
	class := &awsv1.EC2NodeClass{}
	class.Name = defaultPool
	class.Spec.AMIFamily = &family
	class.Spec.SubnetSelectorTerms = []awsv1.SubnetSelectorTerm{{ID: "subnet-1"}}
	class.Spec.AMISelectorTerms = []awsv1.AMISelectorTerm{{ID: "ami-1"}}
	class.Spec.CapacityReservationSelectorTerms = []awsv1.CapacityReservationSelectorTerm{{ID: "cr-1"}}
	class.Spec.PlacementGroupSelector = &awsv1.PlacementGroupSelector{}
	p, err := Prepare(
		Input{
			Set: &manifest.Set{EC2NodeClasses: []*awsv1.EC2NodeClass{class}},
			Now: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC),
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	for path, words := range said {
		if !slices.ContainsFunc(p.notes, func(note string) bool {
			return strings.HasPrefix(note, "EC2NodeClass default: ") && strings.Contains(note, words)
		}) {
			t.Errorf("%s: no %q in %q", path, words, p.notes)
		}
	}
}
