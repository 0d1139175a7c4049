package integration

import (
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/controller/expire"
)

// expiredNodeIsReplacedFirst has a pool whose expired nodes are replaced like drifted ones.
func expiredNodeIsReplacedFirst(t *testing.T, c *corner) {
	c.pool.Annotations = map[string]string{expire.AnnotationGraceful: "true"}
	c.pool.Spec.Template.Spec.ExpireAfter = karpenterv1.After(20 * time.Second)
	d := web(c.name, 1, "500m", c.here)
	c.create(t, c.pool, d)
	c.running(t, c.name, 1)
	old := c.nodesReady(t, 1)[0].Name
	ready := false
	eventually(t, "the expired node to be replaced", func() string {
		claims := c.mine(t)
		for i := range claims {
			if claims[i].Name == old {
				continue
			}
			ready = ready || condition.IsTrue(&claims[i], condition.Ready)
		}
		for i := range claims {
			if claims[i].Name == old && !claims[i].DeletionTimestamp.IsZero() && !ready {
				t.Fatal("the expired node goes, and its replacement is not ready")
			}
			if claims[i].Name == old {
				return fmt.Sprintf(
					"%d claims, the expired one among them: %s",
					len(claims),
					conditions(claims[i].Status.Conditions),
				)
			}
		}
		return ""
	})
	c.running(t, c.name, 1)
	c.leave(t, d)
}

// daemonSetDefaultsCount leaves the DaemonSet's request to a LimitRange: a pod that would fit beside none does not fit
// beside it.
func daemonSetDefaultsCount(t *testing.T, c *corner) {
	c.types(smallest, "c-4x-amd64-linux")
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: c.name}}
	limits := &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Namespace: c.name, Name: "defaults"}}
	limits.Spec.Limits = []corev1.LimitRangeItem{
		{Type: corev1.LimitTypeContainer, Default: cores("1"), DefaultRequest: cores("800m")},
	}
	pod := web(c.name, 1, "1m", c.here).Spec.Template
	pod.Spec.Containers[0].Resources = corev1.ResourceRequirements{}
	daemons := &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.name, Name: "agent"},
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: pod.Labels}, Template: pod,
		},
	}
	c.create(t, space, limits, c.pool, daemons)
	d := web(c.name+"-pod", 1, "1500m", c.here)
	c.create(t, d)
	c.running(t, d.Name, 1)
	claims := c.nodesReady(t, 1)
	if got := claims[0].Labels[corev1.LabelInstanceTypeStable]; got != "c-4x-amd64-linux" {
		t.Errorf("the pod and the daemon share a %s", got)
	}
	c.leave(t, d, daemons, space)
}

// runtimeOverheadCounts has a DaemonSet whose RuntimeClass takes room beside its pods, and is made after it.
func runtimeOverheadCounts(t *testing.T, c *corner) {
	c.types(smallest, "c-4x-amd64-linux")
	class := &nodev1.RuntimeClass{
		ObjectMeta: metav1.ObjectMeta{Name: c.name},
		Handler:    "vm",
		Overhead:   &nodev1.Overhead{PodFixed: cores("800m")},
	}
	pod := web(c.name+"-agent", 1, "1m", c.here).Spec.Template
	pod.Spec.RuntimeClassName = &class.Name
	daemons := &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: c.name + "-agent"},
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: pod.Labels}, Template: pod,
		},
	}
	c.create(t, c.pool, daemons)
	c.create(t, class)
	d := web(c.name, 1, "1500m", c.here)
	c.create(t, d)
	c.running(t, d.Name, 1)
	claims := c.nodesReady(t, 1)
	if got := claims[0].Labels[corev1.LabelInstanceTypeStable]; got != "c-4x-amd64-linux" {
		t.Errorf("the pod and the daemon with its overhead share a %s", got)
	}
	c.leave(t, d, daemons, class)
}

// dynamicResourcesAreRefused says on a pod with claims for devices that no node is launched for it.
func dynamicResourcesAreRefused(t *testing.T, c *corner) {
	class := &resourcev1.DeviceClass{ObjectMeta: metav1.ObjectMeta{Name: c.name}}
	claim := c.name
	wish := &resourcev1.ResourceClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: claim}}
	wish.Spec.Devices.Requests = []resourcev1.DeviceRequest{
		{Name: "one", Exactly: &resourcev1.ExactDeviceRequest{DeviceClassName: class.Name}},
	}
	c.create(t, class, wish)
	d := web(c.name, 1, "100m", c.here, func(s *corev1.PodSpec) {
		s.ResourceClaims = []corev1.PodResourceClaim{{Name: "device", ResourceClaimName: &claim}}
	})
	c.create(t, c.pool, d)
	eventually(t, "an event on the pod", func() string {
		return missingFrom(
			c.events(t, c.podOf(t, c.name)),
			"FailedScheduling",
			"pod has Dynamic Resource Allocation requirements that are not yet supported by Karpenter",
		)
	})
	c.stays(t, 0, 2*time.Second)
	c.leave(t, d, wish, class)
}
