package manifest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	storageKinds = `
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: now}
provisioner: efs.csi.aws.com
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: later}
provisioner: ebs.csi.aws.com
volumeBindingMode: WaitForFirstConsumer
---
`
	claimOf = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: c}\nspec: {accessModes: " +
		"[ReadWriteOnce], resources: {requests: {storage: 5Gi}}, "
	volumeOf = "\n---\napiVersion: v1\nkind: PersistentVolume\nmetadata: {name: "
)

// volume is a PersistentVolume in short.
func volume(name, size, rest string) string {
	return volumeOf + name + "}\nspec: {accessModes: [ReadWriteOnce], capacity: {storage: " + size + "}, " + rest + "}"
}

func TestWrittenClaimsAreBoundAsTheVolumeControllerDoes(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why, text, want string
	}{
		"Smallest": {
			"A claim that does not wait gets the smallest volume that holds it.",
			claimOf + "storageClassName: now}" + volume(
				"big",
				"20Gi",
				"storageClassName: now",
			) + volume(
				"fits",
				"6Gi",
				"storageClassName: now",
			) + volume(
				"small",
				"1Gi",
				"storageClassName: now",
			),
			"fits",
		},
		"FewestModes": {
			"Volumes that can do less are given out before others.",
			claimOf + "storageClassName: now}" + volumeOf +
				"able}\nspec: {accessModes: [ReadWriteOnce, ReadWriteMany], capacity: {storage: 6Gi}, " +
				"storageClassName: now}" +
				volume(
					"plain",
					"20Gi",
					"storageClassName: now",
				),
			"plain",
		},
		"NoClass": {
			"The empty class is one of its own, whatever the default is.",
			claimOf + "storageClassName: ''}" + volume(
				"other",
				"6Gi",
				"storageClassName: now",
			) + volume(
				"none",
				"20Gi",
				"persistentVolumeReclaimPolicy: Retain",
			),
			"none",
		},
		"ClassWithoutObject": {
			"A class that nobody wrote down does not wait.",
			claimOf + "storageClassName: manual}" + volume("v", "6Gi", "storageClassName: manual"),
			"v",
		},
		"Waits": {
			"kube-scheduler gives out volumes of a class that waits.",
			claimOf + "storageClassName: later}" + volume("v", "6Gi", "storageClassName: later"),
			"",
		},
		"Prebound": {
			"A volume kept for the claim is the claim's, also of a class that waits.",
			claimOf + "storageClassName: later}" + volume(
				"v",
				"6Gi",
				"storageClassName: later, claimRef: {namespace: default, name: c}",
			),
			"v",
		},
		"PreboundByUID": {
			"It is not if it is kept for another claim of that name.",
			claimOf + "storageClassName: later}" + volume(
				"v",
				"6Gi",
				"storageClassName: later, claimRef: {namespace: default, name: c, uid: u}",
			),
			"",
		},
		"PreboundTooSmall": {
			"Nor if it is too small.",
			claimOf + "storageClassName: later}" + volume(
				"v",
				"1Gi",
				"storageClassName: later, claimRef: {namespace: default, name: c}",
			),
			"",
		},
		"PreboundOfMoreModes": {
			"A free volume with fewer modes is found first.",
			claimOf + "storageClassName: now}" + volumeOf +
				"v}\nspec: {accessModes: [ReadWriteOnce, ReadWriteMany], capacity: {storage: 6Gi}, storageClassName: " +
				"now, claimRef: {namespace: default, name: c}}" +
				volume(
					"w",
					"9Gi",
					"storageClassName: now",
				),
			"w",
		},
		"PreboundTooSmallBesideAFree": {
			"One that is kept and too small does not keep the claim from others.",
			claimOf + "storageClassName: now}" + volume(
				"v",
				"1Gi",
				"storageClassName: now, claimRef: {namespace: default, name: c}",
			) + volume(
				"w",
				"9Gi",
				"storageClassName: now",
			),
			"w",
		},
		"Taken": {
			"A volume of another claim is not free.",
			claimOf + "storageClassName: now}" + volume(
				"v",
				"6Gi",
				"storageClassName: now, claimRef: {namespace: default, name: d}",
			),
			"",
		},
		"Seen": {
			"A claim from a server is bound as far as it says.",
			claimOf + "storageClassName: now}\nstatus: {phase: Pending}" + volume(
				"v",
				"6Gi",
				"storageClassName: now",
			),
			"",
		},
		"ByName": {
			"A claim may name its volume.",
			claimOf + "storageClassName: later, volumeName: v}" + volume("v", "6Gi", "storageClassName: later"),
			"v",
		},
		"OldAnnotation": {
			"The class by annotation counts.",
			"apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: c, annotations: " +
				"{volume.beta.kubernetes.io/storage-class: now}}\nspec: {accessModes: [ReadWriteOnce], resources: " +
				"{requests: {storage: 5Gi}}}" +
				volume(
					"v",
					"6Gi",
					"storageClassName: now",
				),
			"v",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := read(t, storageKinds+tc.text)
			if got := set.Claims[0].Spec.VolumeName; got != tc.want {
				t.Errorf("%s\nthe claim got volume %q, want %q", tc.why, got, tc.want)
			}
		})
	}
}

func TestNoTwoClaimsGetOneVolume(t *testing.T) {
	t.Parallel()
	second := "\n---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: d}\nspec: {accessModes: " +
		"[ReadWriteOnce], storageClassName: now, resources: {requests: {storage: 1Gi}}}"
	set := read(t, storageKinds+claimOf+"storageClassName: now}"+second+volume("v", "6Gi", "storageClassName: now"))
	got := []string{set.Claims[0].Spec.VolumeName, set.Claims[1].Spec.VolumeName}
	if diff := cmp.Diff([]string{"v", ""}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
