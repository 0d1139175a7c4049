package simulate

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestANoteTellsOfVolumesWhosePlaceNobodyKnows(t *testing.T) {
	t.Parallel()
	waits := storagev1.VolumeBindingWaitForFirstConsumer
	one := []corev1.TopologySelectorTerm{
		{
			MatchLabelExpressions: []corev1.TopologySelectorLabelRequirement{
				{Key: corev1.LabelTopologyZone, Values: []string{"a"}},
			},
		},
	}
	cases := map[string]struct {
		why   string
		class storagev1.StorageClass
		uid   string
		want  bool
	}{
		"Disk": {
			"A disk is in one zone, and the class does not wait for a pod.",
			storagev1.StorageClass{Provisioner: "ebs.csi.aws.com"},
			"",
			true,
		},
		"Waits": {
			"It is made where the pod is.",
			storagev1.StorageClass{Provisioner: "ebs.csi.aws.com", VolumeBindingMode: &waits},
			"",
			false,
		},
		"OneZone": {
			"There is one zone for it.",
			storagev1.StorageClass{Provisioner: "ebs.csi.aws.com", AllowedTopologies: one},
			"",
			false,
		},
		"Files": {
			"A file system is reached from everywhere.",
			storagev1.StorageClass{Provisioner: "efs.csi.aws.com"},
			"",
			false,
		},
		"Seen": {
			"A server's claim is bound as far as it says.",
			storagev1.StorageClass{Provisioner: "ebs.csi.aws.com"},
			"1",
			false,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.class.Name = "disk"
			claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "db"}}
			claim.Spec.StorageClassName, claim.UID = &tc.class.Name, ""
			if tc.uid != "" {
				claim.UID = "1"
			}
			p := &Prepared{}
			p.objects.Claims, p.objects.StorageClasses = []*corev1.PersistentVolumeClaim{
				claim,
			}, []*storagev1.StorageClass{
				&tc.class,
			}
			p.noteVolumes()
			if got := strings.Contains(strings.Join(p.notes, "\n"), "claim shop/db"); got != tc.want {
				t.Errorf("%s\nnotes %q", tc.why, p.notes)
			}
		})
	}
}
