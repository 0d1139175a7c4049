package translate_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// storage is a cluster's storage in short: objects of what the cases below vary.
type storage struct {
	objects translate.Objects
	pod     *corev1.Pod
}

func newStorage() *storage {
	s := &storage{pod: pod(corev1.PodSpec{})}
	s.class("disk", "ebs.csi.aws.com", storagev1.VolumeBindingWaitForFirstConsumer)
	s.class("static", "kubernetes.io/no-provisioner", storagev1.VolumeBindingWaitForFirstConsumer)
	return s
}

func (s *storage) class(name, provisioner string, mode storagev1.VolumeBindingMode) *storagev1.StorageClass {
	c := &storagev1.StorageClass{
		ObjectMeta:        metav1.ObjectMeta{Name: name},
		Provisioner:       provisioner,
		VolumeBindingMode: &mode,
	}
	s.objects.StorageClasses = append(s.objects.StorageClasses, c)
	return c
}

// claim adds a claim and has the pod use it.
func (s *storage) claim(name, class, size string) *corev1.PersistentVolumeClaim {
	c := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	c.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
	c.Spec.StorageClassName = &class
	c.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(size)}
	s.objects.Claims = append(s.objects.Claims, c)
	s.pod.Spec.Volumes = append(s.pod.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name}}})
	return c
}

// volume adds a volume that can be reached from a zone.
func (s *storage) volume(name, class, size, zone string) *corev1.PersistentVolume {
	v := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name}}
	v.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
	v.Spec.StorageClassName = class
	v.Spec.Capacity = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(size)}
	v.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{
		Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{
			{
				MatchExpressions: []corev1.NodeSelectorRequirement{
					{Key: shape.LabelZone, Operator: corev1.NodeSelectorOpIn, Values: []string{zone}},
				},
			},
		}},
	}
	s.objects.Volumes = append(s.objects.Volumes, v)
	return v
}

func inZones(zones ...string) []shape.NodeTerm {
	var out []shape.NodeTerm
	for _, z := range zones {
		out = append(out, shape.NodeTerm{Labels: []shape.Requirement{{Key: shape.LabelZone, Values: []string{z}}}})
	}
	return out
}

func slot(volume, zone string) shape.Slot { return shape.Slot{Volume: volume, Terms: inZones(zone)} }

func TestWhichVolumesAClaimMayGet(t *testing.T) {
	t.Parallel()
	block := corev1.PersistentVolumeBlock
	fast := "fast"
	cases := map[string]struct {
		why   string
		setup func(*storage)
		want  []shape.Slot
	}{
		"SmallestFirst": {"The smallest that is large enough is taken.", func(s *storage) {
			s.claim("c", "static", "5Gi")
			s.volume("v1", "static", "20Gi", "a")
			s.volume("v2", "static", "10Gi", "b")
		}, []shape.Slot{slot("v2", "b"), slot("v1", "a")}},
		"TooSmall": {"A volume must hold what is asked for.", func(s *storage) {
			s.claim("c", "static", "15Gi")
			s.volume("v1", "static", "20Gi", "a")
			s.volume("v2", "static", "10Gi", "b")
		}, []shape.Slot{slot("v1", "a")}},
		"Class": {"Other classes' volumes do not count.", func(s *storage) {
			s.claim("c", "static", "5Gi")
			s.volume("v1", "disk", "20Gi", "a")
			s.volume("v2", "static", "10Gi", "b")
		}, []shape.Slot{slot("v2", "b")}},
		"ClassByAnnotation": {"Old volumes have their class as an annotation.", func(s *storage) {
			s.claim("c", "static", "5Gi")
			s.volume("v1", "", "20Gi", "a").Annotations = map[string]string{
				corev1.BetaStorageClassAnnotation: "static",
			}
			s.volume("v2", "static", "10Gi", "b").Annotations = map[string]string{
				corev1.BetaStorageClassAnnotation: "other",
			}
		}, []shape.Slot{slot("v1", "a")}},
		"AccessModes": {"A volume must allow all that the claim wants.", func(s *storage) {
			c := s.claim("c", "static", "5Gi")
			c.Spec.AccessModes = append(c.Spec.AccessModes, corev1.ReadWriteMany)
			s.volume("v1", "static", "20Gi", "a")
			s.volume("v2", "static", "10Gi", "b").Spec.AccessModes = []corev1.PersistentVolumeAccessMode{
				corev1.ReadWriteMany,
				corev1.ReadWriteOnce,
			}
		}, []shape.Slot{slot("v2", "b")}},
		"Mode": {"A block device is no file system.", func(s *storage) {
			s.claim("c", "static", "5Gi")
			s.volume("v1", "static", "20Gi", "a").Spec.VolumeMode = &block
			s.volume("v2", "static", "10Gi", "b")
		}, []shape.Slot{slot("v2", "b")}},
		"AttributesClass": {
			"A claim with a VolumeAttributesClass gets a volume of that one, others one of none.",
			func(s *storage) {
				s.claim("c", "static", "5Gi")
				s.volume("v1", "static", "20Gi", "a").Spec.VolumeAttributesClassName = &fast
				s.volume("v2", "static", "10Gi", "b")
			},
			[]shape.Slot{slot("v2", "b")},
		},
		"Selector": {"A claim may choose by labels.", func(s *storage) {
			s.claim("c", "static", "5Gi").Spec.Selector = &metav1.LabelSelector{
				MatchLabels: map[string]string{"tier": "gold"},
			}
			s.volume("v1", "static", "20Gi", "a").Labels = map[string]string{"tier": "gold"}
			s.volume("v2", "static", "10Gi", "b")
		}, []shape.Slot{slot("v1", "a")}},
		"Taken": {"A volume with a claim, or one that is released, failed or going, is nobody's.", func(s *storage) {
			s.claim("c", "static", "5Gi")
			s.volume("v1", "static", "20Gi", "a").Spec.ClaimRef = &corev1.ObjectReference{
				Namespace: "default",
				Name:      "other",
			}
			s.volume("v2", "static", "20Gi", "a").Status.Phase = corev1.VolumeFailed
			s.volume("v3", "static", "20Gi", "a").DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
			s.volume("v4", "static", "10Gi", "b").Status.Phase = corev1.VolumeAvailable
		}, []shape.Slot{slot("v4", "b")}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStorage()
			tc.setup(s)
			got, _ := one(t, s.pod, s.objects)
			want := []shape.Binding{{Claim: "default/c", Slots: tc.want}}
			if diff := cmp.Diff(want, got.Bindings, cmpopts.EquateEmpty()); diff != "" || got.Refused != "" {
				t.Errorf("%s\nrefused %q, -want +got\n%s", tc.why, got.Refused, diff)
			}
		})
	}
}

func TestVolumesThatAreThereAreTriedBeforeOneIsMade(t *testing.T) {
	t.Parallel()
	s := newStorage()
	s.claim("c", "disk", "5Gi")
	s.volume("v1", "disk", "10Gi", "a")
	s.objects.StorageClasses[0].AllowedTopologies = []corev1.TopologySelectorTerm{
		{
			MatchLabelExpressions: []corev1.TopologySelectorLabelRequirement{
				{Key: "failure-domain.beta.kubernetes.io/zone", Values: []string{"b"}},
			},
		},
		{
			MatchLabelExpressions: []corev1.TopologySelectorLabelRequirement{
				{Key: shape.LabelZone, Values: []string{"c"}},
			},
		},
	}
	got, _ := one(t, s.pod, s.objects)
	want := shape.Class{VolumeTerms: inZones("b", "c", "a"), Bindings: []shape.Binding{
		{
			Claim: "default/c",
			Slots: []shape.Slot{slot("v1", "a")},
			Made:  true,
			Terms: inZones("b", "c"),
			Key:   shape.LabelZone,
		},
	}}
	if diff := cmp.Diff(want, shape.Class{VolumeTerms: got.VolumeTerms, Bindings: got.Bindings}); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestClaimsGetTheirVolumesByTheirSize(t *testing.T) {
	t.Parallel()
	s := newStorage()
	s.claim("large", "static", "9Gi")
	s.claim("small", "static", "1Gi")
	s.volume("v1", "static", "10Gi", "a")
	got, _ := one(t, s.pod, s.objects)
	if len(got.Bindings) != 2 || got.Bindings[0].Claim != "default/small" {
		t.Errorf("got %v, want the binding of claim small first", got.Bindings)
	}
}

// What no node can help with is a reason by itself.
func TestClaimsForWhichNoNodeIsBought(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		setup func(*storage)
		want  string
	}{
		"NoneFree": {
			func(s *storage) { s.claim("c", "static", "5Gi") },
			"no volume of storage class static is free for its volume claim c",
		},
		"Going": {
			func(s *storage) { s.claim("c", "disk", "5Gi").DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} },
			"its volume claim c is being deleted",
		},
		"Lost": {
			func(s *storage) { s.claim("c", "disk", "5Gi").Status.Phase = corev1.ClaimLost },
			"its volume claim c has lost its volume",
		},
		"SomebodyElses": {func(s *storage) {
			s.claim("c", "disk", "5Gi").Spec.VolumeName = "v"
			s.volume("v", "disk", "5Gi", "a").Spec.ClaimRef = &corev1.ObjectReference{Namespace: "shop", Name: "d"}
		}, "volume v of its volume claim c is the volume of claim shop/d"},
		"NotOfThePod": {func(s *storage) {
			s.claim("web-1-scratch", "disk", "5Gi")
			s.pod.Spec.Volumes = []corev1.Volume{
				{Name: "scratch", VolumeSource: corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{
					VolumeClaimTemplate: &corev1.PersistentVolumeClaimTemplate{}}}},
			}
		}, "its volume claim web-1-scratch was not made for its ephemeral volume scratch"},
		"NoClassNeeded": {
			func(s *storage) { s.claim("c", "", "5Gi").UID = "1" },
			"its volume claim c is not bound and has no storage class",
		},
		"NamesOneTooSmall": {func(s *storage) {
			s.claim("c", "disk", "5Gi").Spec.VolumeName = "v"
			s.volume("v", "disk", "1Gi", "a")
		}, "volume v, which its volume claim c names, does not suit it"},
		"NamesOneOfAnotherClass": {func(s *storage) {
			s.claim("c", "disk", "5Gi").Spec.VolumeName = "v"
			s.volume("v", "static", "5Gi", "a")
		}, "volume v, which its volume claim c names, does not suit it"},
		"KeptOneOfOtherModes": {func(s *storage) {
			s.claim("c", "static", "5Gi")
			v := s.volume("v", "static", "5Gi", "a")
			v.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "default", Name: "c"}
			v.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadOnlyMany}
		}, "volume v is kept for its volume claim c and lacks an access mode"},
		"Nowhere": {func(s *storage) {
			s.claim("c", "disk", "5Gi").Spec.VolumeName = "v"
			s.claim("d", "disk", "5Gi").Spec.VolumeName = "w"
			s.volume("v", "disk", "5Gi", "a")
			s.volume("w", "disk", "5Gi", "b")
		}, "no node can reach all of its volumes"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStorage()
			tc.setup(s)
			if got, _ := one(t, s.pod, s.objects); !strings.Contains(got.Refused, tc.want) {
				t.Errorf("the pod is refused with %q, want %q", got.Refused, tc.want)
			}
		})
	}
}

// Where nobody waits for a node only the volume controller looks for a volume, and it has one made.
func TestAKeptVolumeOfOtherModesDoesNotMatterToAClassThatBindsAtOnce(t *testing.T) {
	t.Parallel()
	s := newStorage()
	s.class("now", "ebs.csi.aws.com", storagev1.VolumeBindingImmediate)
	s.claim("c", "now", "5Gi")
	v := s.volume("v", "now", "5Gi", "a")
	v.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "default", Name: "c"}
	v.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadOnlyMany}
	v.Spec.NodeAffinity = nil
	got, _ := one(t, s.pod, s.objects)
	if got.Refused != "" || len(got.VolumeTerms) > 0 || len(got.Bindings) != 1 || !got.Bindings[0].Made {
		t.Errorf(
			"refused with %q, terms %v, bindings %+v; want one that is made anywhere",
			got.Refused,
			got.VolumeTerms,
			got.Bindings,
		)
	}
}

// A volume that is kept for a claim and cannot be bound to it spoils the nodes that reach it, and no other.
func TestAKeptVolumeOfOtherModesIsAvoided(t *testing.T) {
	t.Parallel()
	s := newStorage()
	s.claim("c", "disk", "5Gi")
	s.volume("free", "disk", "5Gi", "b")
	v := s.volume("v", "disk", "5Gi", "a")
	v.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "default", Name: "c"}
	v.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadOnlyMany}
	got, _ := one(t, s.pod, s.objects)
	want := []shape.NodeTerm{
		{Labels: []shape.Requirement{{Key: shape.LabelZone, Operator: shape.NotIn, Values: []string{"a"}}}},
	}
	if diff := cmp.Diff(
		want,
		got.VolumeTerms,
	); diff != "" ||
		slices.ContainsFunc(got.Bindings, func(b shape.Binding) bool { return len(b.Slots) > 0 }) {
		t.Errorf(
			"where the volume is made: -want +got\n%s; bindings %+v, want none with a volume that is there",
			diff,
			got.Bindings,
		)
	}
}

func TestWhichClassAClaimHas(t *testing.T) {
	t.Parallel()
	const mark, betaMark = "storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"
	type class struct {
		name, mark string
		made       int64
	}
	cases := map[string]struct {
		why     string
		classes []class
		claim   func(*corev1.PersistentVolumeClaim)
		want    string // zone of the class, which is its name
	}{
		"Newest": {"The newest default counts.", []class{{"a", mark, 5}, {"b", mark, 9}, {"c", mark, 7}}, nil, "b"},
		"ByName": {
			"Of equally new ones the first by name.",
			[]class{{"c", mark, 5}, {"b", mark, 5}, {"d", mark, 5}},
			nil,
			"b",
		},
		"BetaMark": {"The older name of the mark counts too.", []class{{"a", "", 9}, {"b", betaMark, 5}}, nil, "b"},
		"Annotation": {
			"A claim's annotation comes before its field.",
			[]class{{"a", mark, 9}, {"b", "", 5}, {"c", "", 5}},
			func(c *corev1.PersistentVolumeClaim) {
				other := "c"
				c.Annotations, c.Spec.StorageClassName = map[string]string{
					corev1.BetaStorageClassAnnotation: "b",
				}, &other
			},
			"b",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &storage{pod: pod(corev1.PodSpec{})}
			for _, c := range tc.classes {
				made := s.class(c.name, "ebs.csi.aws.com", storagev1.VolumeBindingWaitForFirstConsumer)
				made.CreationTimestamp = metav1.Unix(c.made, 0)
				made.Annotations = map[string]string{c.mark: "true"}
				made.AllowedTopologies = []corev1.TopologySelectorTerm{
					{
						MatchLabelExpressions: []corev1.TopologySelectorLabelRequirement{
							{Key: shape.LabelZone, Values: []string{c.name}},
						},
					},
				}
			}
			claim := s.claim("c", "", "5Gi")
			claim.Spec.StorageClassName = nil
			if tc.claim != nil {
				tc.claim(claim)
			}
			got, _ := one(t, s.pod, s.objects)
			if diff := cmp.Diff(inZones(tc.want), got.VolumeTerms); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.why, diff)
			}
		})
	}
}

func TestWhereVolumesAreThatExist(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why   string
		setup func(*corev1.PersistentVolume)
		want  []shape.NodeTerm
	}{
		"Prebound": {
			"A volume that names the claim is the claim's, with whatever labels.",
			func(v *corev1.PersistentVolume) {},
			inZones("a"),
		},
		"OldLabels": {"Several zones stand in one label.", func(v *corev1.PersistentVolume) {
			v.Spec.NodeAffinity = nil
			v.Labels = map[string]string{corev1.LabelFailureDomainBetaZone: "b__a"}
		}, []shape.NodeTerm{{Labels: []shape.Requirement{{Key: shape.LabelZone, Values: []string{"a", "b"}}}}}},
		"OtherLabels": {"kube-scheduler looks at no other labels of a volume.", func(v *corev1.PersistentVolume) {
			v.Spec.NodeAffinity = nil
			v.Labels = map[string]string{"zone": "b", corev1.LabelArchStable: "arm64"}
		}, nil},
		"AnyLabel": {"Affinity may be on any label.", func(v *corev1.PersistentVolume) {
			v.Spec.NodeAffinity.Required.NodeSelectorTerms[0].MatchExpressions = []corev1.NodeSelectorRequirement{
				{Key: "rack", Operator: corev1.NodeSelectorOpIn, Values: []string{"7"}},
			}
		}, []shape.NodeTerm{{Labels: []shape.Requirement{{Key: "rack", Values: []string{"7"}}}}}},
		"NoTerm": {"An empty term matches no node.", func(v *corev1.PersistentVolume) {
			v.Spec.NodeAffinity.Required.NodeSelectorTerms[0].MatchExpressions = nil
		}, []shape.NodeTerm{{Names: []shape.Requirement{{Key: "metadata.name"}}}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStorage()
			s.claim("c", "static", "5Gi").Spec.Selector = &metav1.LabelSelector{
				MatchLabels: map[string]string{"tier": "gold"},
			}
			v := s.volume("v", "static", "5Gi", "a")
			v.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "default", Name: "c"}
			tc.setup(v)
			got, _ := one(t, s.pod, s.objects)
			if diff := cmp.Diff(tc.want, got.VolumeTerms); diff != "" || got.Refused != "" || len(got.Bindings) > 0 {
				t.Errorf("%s\nrefused %q, bindings %v, -want +got\n%s", tc.why, got.Refused, got.Bindings, diff)
			}
		})
	}
}

func TestAVolumeThatIsBeingMadeIsMadeForOneNode(t *testing.T) {
	t.Parallel()
	s := newStorage()
	s.claim("c", "disk", "5Gi").Annotations = map[string]string{"volume.kubernetes.io/selected-node": "n1"}
	got, _ := one(t, s.pod, s.objects)
	want := []shape.NodeTerm{{Names: []shape.Requirement{{Key: "metadata.name", Values: []string{"n1"}}}}}
	if diff := cmp.Diff(want, got.VolumeTerms); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestClaimsOfOnePodAndOfSeveral(t *testing.T) {
	t.Parallel()
	s := newStorage()
	c := s.claim("data-web-1", "disk", "5Gi")
	c.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOncePod}
	if got, _ := one(t, s.pod, s.objects); len(got.Bindings) > 0 || got.Attach[0].Volume != "" {
		t.Errorf("bindings %v, attaches %v of a claim that only its pod uses", got.Bindings, got.Attach)
	}
	backup := pod(s.pod.Spec)
	backup.Name = "backup"
	s.objects.Pods = append(s.objects.Pods, backup)
	got, _ := one(t, s.pod, s.objects)
	want := []shape.Binding{
		{Claim: "default/data-web-1", Once: true},
		{Claim: "default/data-web-1", Made: true, Key: shape.LabelZone},
	}
	if diff := cmp.Diff(want, got.Bindings); diff != "" {
		t.Errorf("another pod uses the claim too: -want +got\n%s", diff)
	}
}

// Volumes of one disk take one slot of a node, whichever claims they are bound to.
func TestVolumesOfOneDiskAreAttachedOnce(t *testing.T) {
	t.Parallel()
	ebs := func(handle string) corev1.PersistentVolumeSource {
		return corev1.PersistentVolumeSource{
			CSI: &corev1.CSIPersistentVolumeSource{Driver: "ebs.csi.aws.com", VolumeHandle: handle},
		}
	}
	old := func(id string) corev1.PersistentVolumeSource {
		return corev1.PersistentVolumeSource{
			AWSElasticBlockStore: &corev1.AWSElasticBlockStoreVolumeSource{VolumeID: id},
		}
	}
	cases := map[string]struct {
		a, b corev1.PersistentVolumeSource
		same bool
	}{
		"OneDisk":  {ebs("vol-1"), ebs("vol-1"), true},
		"TwoDisks": {ebs("vol-1"), ebs("vol-2"), false},
		"InTree":   {ebs("vol-1"), old("aws://a/vol-1"), true},
		"OtherDriver": {ebs("vol-1"), corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{
			Driver: "csi.example.com", VolumeHandle: "vol-1"}}, false},
		"NoHandle": {ebs(""), ebs(""), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStorage()
			s.claim("c", "disk", "5Gi").Spec.VolumeName = "v"
			s.claim("data-web-1", "disk", "5Gi").Spec.VolumeName = "w" // the pod's own
			s.volume("v", "disk", "5Gi", "a").Spec.PersistentVolumeSource = tc.a
			s.volume("w", "disk", "5Gi", "a").Spec.PersistentVolumeSource = tc.b
			got, _ := one(t, s.pod, s.objects)
			if len(got.Attach) != 2 || (got.Attach[0] == got.Attach[1]) != tc.same {
				t.Errorf("the pod attaches %+v, want one volume twice: %v", got.Attach, tc.same)
			}
		})
	}
}
