package contest

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestAPodNeedsAVolumeForEachOfItsClaims(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		why    string
		zone   string
		claims []string
		want   bool
	}{
		{"the only shared volume of the zone", "zone-a", []string{"static-3"}, true},
		{"the same claim in two volumes of the pod", "zone-a", []string{"static-3", "static-3"}, true},
		{"one volume for two claims", "zone-a", []string{"static-2", "static-3"}, false},
		{"bound elsewhere", "zone-a", []string{"zone-b-1"}, false},
		{"made where the class may", "zone-b", []string{"partly-1"}, true},
		{"not made where the class may not", "zone-c", []string{"partly-1"}, false},
	} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "p"}}
		for _, claim := range tc.claims {
			pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim},
			}})
		}
		if got := newStorage().reaches(pod, tc.zone); got != tc.want {
			t.Errorf("%s: reaches %v in %s is %v", tc.why, tc.claims, tc.zone, got)
		}
	}
}
