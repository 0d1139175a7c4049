package translate_test

import (
	"errors"
	"math/rand"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/randfill"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// FuzzSnapshot fills whole clusters with nonsense: nothing may panic, every index must point somewhere, and what
// no API server accepts is reported by its field.
func FuzzSnapshot(f *testing.F) {
	for seed := range int64(50) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed int64) {
		s, problems := translate.Snapshot(nonsense(seed), noon)
		for _, p := range problems {
			if !namesField(p.Err) {
				t.Errorf("%s: the error %q names no field", p.Object, p.Err)
			}
		}
		check := func(p shape.Pod) {
			if p.Class < 0 || int(p.Class) >= len(s.Classes) {
				t.Errorf("class %d of %s is not among %d", p.Class, p.ID, len(s.Classes))
			}
		}
		for i, p := range s.Pods {
			check(p)
			if i > 0 && s.Pods[i-1].ID > p.ID {
				t.Errorf("%s comes after %s", p.ID, s.Pods[i-1].ID)
			}
		}
		for i, n := range s.Nodes {
			if n.Profile < 0 || int(n.Profile) >= len(s.Profiles) {
				t.Errorf("profile %d of %s is not among %d", n.Profile, n.Name, len(s.Profiles))
			}
			if i > 0 && s.Nodes[i-1].Name >= n.Name {
				t.Errorf("%q comes after %q", n.Name, s.Nodes[i-1].Name)
			}
			for _, p := range n.Pods {
				check(p)
			}
		}
		for _, c := range s.Classes {
			for _, v := range []int64{c.Requests.CPU, c.Requests.Memory, c.Requests.Ephemeral} {
				if v > 1<<60 || v < -1<<60 {
					t.Errorf("amount %d cannot be summed safely", v)
				}
			}
		}
	})
}

// namesField reports whether an error, or each of several, is about a field.
func namesField(err error) bool {
	var several utilerrors.Aggregate
	if errors.As(err, &several) {
		return !slices.ContainsFunc(several.Errors(), func(err error) bool { return !namesField(err) })
	}
	var one *field.Error
	return errors.As(err, &one) && one.Field != ""
}

func nonsense(seed int64) translate.Objects {
	dice := rand.New(rand.NewSource(seed)) // a seed must repeat
	names := []string{"a", "b", "c", ""}
	filler := randfill.NewWithSeed(seed).NilChance(.3).NumElements(0, 3).MaxDepth(12).Funcs(
		func(s *string, c randfill.Continue) {
			words := []string{
				"a",
				"b",
				"c",
				"",
				"In",
				"Exists",
				"DoNotSchedule",
				"NoSchedule",
				"true",
				"5",
				"topology.kubernetes.io/zone",
				"metadata.name",
				"Always",
				"100m",
			}
			*s = words[c.Intn(len(words))]
		},
		func(q *resource.Quantity, c randfill.Continue) {
			texts := []string{
				"0",
				"1",
				"100m",
				"-5",
				"1Gi",
				"9223372036854775807",
				"100E",
				"0.0000001",
				"-100E",
				"123456789012345678901234567890",
			}
			*q = resource.MustParse(texts[c.Intn(len(texts))])
		},
	)
	var o translate.Objects
	for range 6 {
		o.Pods = append(o.Pods, filled(filler, &corev1.Pod{}))
		o.Nodes = append(o.Nodes, filled(filler, &corev1.Node{}))
		o.NodeClaims = append(o.NodeClaims, filled(filler, &karpenterv1.NodeClaim{}))
	}
	for range 2 {
		o.NodePools = append(o.NodePools, filled(filler, &karpenterv1.NodePool{}))
		o.DaemonSets = append(o.DaemonSets, filled(filler, &appsv1.DaemonSet{}))
		o.Namespaces = append(o.Namespaces, filled(filler, &corev1.Namespace{}))
		o.Claims = append(o.Claims, filled(filler, &corev1.PersistentVolumeClaim{}))
		o.Volumes = append(o.Volumes, filled(filler, &corev1.PersistentVolume{}))
		o.StorageClasses = append(o.StorageClasses, filled(filler, &storagev1.StorageClass{}))
		o.CSINodes = append(o.CSINodes, filled(filler, &storagev1.CSINode{}))
	}
	for range 2 {
		o.Services = append(o.Services, filled(filler, &corev1.Service{}))
		o.Workloads = append(o.Workloads, filled(filler, &appsv1.ReplicaSet{}), filled(filler, &appsv1.StatefulSet{}),
			filled(filler, &corev1.ReplicationController{}), filled(filler, &appsv1.Deployment{}))
		o.Defaults = append(o.Defaults, *filled(filler, &corev1.TopologySpreadConstraint{}))
	}
	o.Nominated = map[shape.PodID]string{}
	filler.Fill(&o.Nominated)
	o.Offers = map[string]*translate.Offer{
		"a": translate.NewOffer([]*shape.InstanceType{filled(filler, &shape.InstanceType{})}, ""),
		"b": nil,
	}
	o.TrustPools = dice.Intn(2) == 0
	// Names repeat in nonsense only; a Snapshot needs nodes with names of their own.
	for i, n := range o.Nodes {
		n.Name = names[i%3] + string(rune('0'+i))
	}
	for i, c := range o.NodeClaims {
		c.Name = names[i%3] + string(rune('0'+i))
	}
	return o
}

func filled[T any](f *randfill.Filler, object T) T {
	f.Fill(object)
	return object
}
