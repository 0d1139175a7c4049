package sample

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DaemonSet is the i-th of a cluster.
func (d Dice) DaemonSet(i int) *appsv1.DaemonSet {
	ds := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: fmt.Sprintf("agent-%d", i)}}
	template := &ds.Spec.Template
	template.Labels = map[string]string{"agent": ds.Name}
	template.Spec.Containers = []corev1.Container{
		{Name: "agent", Image: "pause", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU: *resource.NewMilliQuantity(Pick[int64](d, 50, 100, 300), resource.DecimalSI),
		}}},
	}
	if d.Percent(40) {
		key, values := d.NodeLabel()
		template.Spec.NodeSelector = map[string]string{key: Pick(d, values...)}
	}
	if d.Percent(50) {
		template.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	}
	if d.Percent(20) {
		template.Spec.Containers[0].Ports = []corev1.ContainerPort{
			{ContainerPort: 8080, HostPort: 8080, Protocol: corev1.ProtocolTCP},
		}
	}
	return ds
}
