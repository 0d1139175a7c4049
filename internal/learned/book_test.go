package learned_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/learned"
)

var (
	noon  = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	class = karpenterv1.NodeClassReference{Group: "karpenter.k8s.aws", Kind: "EC2NodeClass", Name: "default"}
)

const hash = "karpenter.k8s.aws/ec2nodeclass-hash"

// machine is the n-th claim of type m, launched with an image and settings.
func machine(n int, image, settings string) *karpenterv1.NodeClaim {
	c := &karpenterv1.NodeClaim{ObjectMeta: metav1.ObjectMeta{
		Name: fmt.Sprintf(
			"general-%d",
			n,
		),
		UID:               types.UID(fmt.Sprint(n)),
		CreationTimestamp: metav1.NewTime(noon.Add(time.Duration(n) * time.Minute)),
		Labels: map[string]string{
			corev1.LabelInstanceTypeStable: "m",
		},
		Annotations: map[string]string{hash: settings},
	}}
	c.Spec.NodeClassRef, c.Status.ImageID = &class, image
	return c
}

// with is a node that tells so much of each resource.
func with(pairs ...string) *corev1.Node {
	n := &corev1.Node{}
	n.Status.Allocatable, n.Status.Capacity = corev1.ResourceList{}, corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		n.Status.Allocatable[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return n
}

// sold is a type as clouds plan it: 4 cores, 8Gi, 58 pods and a device.
func sold() []*shape.InstanceType {
	v := shape.Vector{
		CPU:       4000,
		Memory:    8 << 30,
		Ephemeral: 20 << 30,
		Pods:      58,
		Extended:  []shape.Amount{{Resource: "example.com/device", Value: 2}},
	}
	own := v
	return []*shape.InstanceType{
		{Name: "l", Capacity: v, Allocatable: v},
		{
			Name:        "m",
			Capacity:    v,
			Allocatable: v,
			Offerings:   []shape.Offering{{Zone: "a"}, {Zone: "b", Allocatable: &own}},
		},
	}
}

func TestNodesTeachHowMuchRoomTheirTypeHas(t *testing.T) {
	t.Parallel()
	full := sold()[1].Allocatable
	less := func(change func(*shape.Vector)) shape.Vector {
		v := full
		change(&v)
		return v
	}
	cases := map[string]struct {
		why  string
		note func(*learned.Book)
		want shape.Vector
	}{
		"Nothing": {"Nothing was seen.", func(*learned.Book) {}, full},
		"Memory": {"A kubelet keeps half of the memory to itself.", func(b *learned.Book) {
			b.Note(machine(1, "ami-1", "x"), with("cpu", "4", "memory", "4Gi", "pods", "58"))
		}, less(func(v *shape.Vector) { v.Memory = 4 << 30 })},
		"EveryResource": {"So it is with cores, disk, pods and devices.", func(b *learned.Book) {
			b.Note(
				machine(1, "ami-1", "x"),
				with(
					"cpu",
					"3920m",
					"memory",
					"8Gi",
					"ephemeral-storage",
					"10Gi",
					"pods",
					"8",
					"example.com/device",
					"1",
				),
			)
		}, shape.Vector{CPU: 3920, Memory: 8 << 30, Ephemeral: 10 << 30, Pods: 8,
			Extended: []shape.Amount{{Resource: "example.com/device", Value: 1}}}},
		"DeviceUntold": {"A device that no plugin has registered is not known to be missing.", func(b *learned.Book) {
			b.Note(machine(1, "ami-1", "x"), with("cpu", "4", "memory", "8Gi", "example.com/device", "0"))
		}, full},
		"More": {
			"More than planned is not counted on.",
			func(b *learned.Book) { b.Note(machine(1, "ami-1", "x"), with("cpu", "8", "memory", "9Gi")) },
			full,
		},
		"NotYet": {
			"A node that has told nothing teaches nothing.",
			func(b *learned.Book) { b.Note(machine(1, "ami-1", "x"), with()) },
			full,
		},
		"LastWord": {"A node's last word counts.", func(b *learned.Book) {
			b.Note(machine(1, "ami-1", "x"), with("cpu", "4", "memory", "4Gi"))
			b.Note(machine(1, "ami-1", "x"), with("cpu", "4", "memory", "7Gi"))
		}, less(func(v *shape.Vector) { v.Memory = 7 << 30 })},
		"LeastOfSome": {"Of several nodes the least counts.", func(b *learned.Book) {
			b.Note(machine(1, "ami-1", "x"), with("cpu", "4", "memory", "5Gi"))
			b.Note(machine(2, "ami-1", "x"), with("cpu", "4", "memory", "7Gi"))
		}, less(func(v *shape.Vector) { v.Memory = 5 << 30 })},
		"Forgotten": {
			"A node that was wrong by chance is forgotten once eight newer ones were seen.",
			func(b *learned.Book) {
				for n := range 9 {
					b.Note(
						machine(n, "ami-1", "x"),
						with("cpu", "4", "memory", map[bool]string{true: "1Gi", false: "7Gi"}[n == 0]),
					)
				}
			},
			less(func(v *shape.Vector) { v.Memory = 7 << 30 }),
		},
		"OtherImage": {"A newer image has its own figures.", func(b *learned.Book) {
			b.Note(machine(1, "ami-1", "x"), with("cpu", "4", "memory", "4Gi"))
			b.Note(machine(2, "ami-2", "x"), with("cpu", "4", "memory", "7Gi"))
			b.Note(machine(1, "ami-1", "x"), with("cpu", "4", "memory", "3Gi"))
		}, less(func(v *shape.Vector) { v.Memory = 7 << 30 })},
		"OtherSettings": {"The class was changed since: perhaps to mend just that.", func(b *learned.Book) {
			b.Note(machine(1, "ami-1", "before"), with("cpu", "4", "memory", "4Gi"))
		}, full},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, list := learned.NewBook(), sold()
			tc.note(b)
			got := b.Apply(class, map[string]string{hash: "x"}, list)
			if diff := cmp.Diff(tc.want, got[1].Allocatable); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.why, diff)
			}
			if diff := cmp.Diff(tc.want, *got[1].Offerings[1].Allocatable); diff != "" {
				t.Errorf("%s\noffering with its own figures: -want +got\n%s", tc.why, diff)
			}
			if got[0] != list[0] {
				t.Error("a type that nobody has seen was changed")
			}
			if diff := cmp.Diff(sold(), list); diff != "" {
				t.Errorf("the cloud's list was changed: -want +got\n%s", diff)
			}
		})
	}
}

// Plans compare lists by identity to see whether anything has changed.
func TestTheAnswerIsTheSameUntilSomethingIsLearned(t *testing.T) {
	t.Parallel()
	b, list := learned.NewBook(), sold()
	stamp := map[string]string{hash: "x"}
	if got := b.Apply(class, stamp, list); &got[0] != &list[0] {
		t.Error("nothing was learned, and the list is another one")
	}
	b.Note(machine(1, "ami-1", "x"), with("cpu", "4", "memory", "4Gi"))
	one := b.Apply(class, stamp, list)
	if b.Note(machine(1, "ami-1", "x"), with("cpu", "4", "memory", "4Gi")) {
		t.Error("the same figures again count as news")
	}
	if two := b.Apply(class, stamp, list); &one[0] != &two[0] {
		t.Error("nothing was learned since, and the list is another one")
	}
	b.Note(machine(2, "ami-1", "x"), with("cpu", "4", "memory", "3Gi"))
	if three := b.Apply(class, stamp, list); &one[0] == &three[0] || three[1].Allocatable.Memory != 3<<30 {
		t.Error("what was learned since is not in the list")
	}
}
