package agreement

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Workload is Deployments by the requests of their pods.
type Workload struct {
	Name   string
	Groups []Group
}

// Group becomes one Deployment.
type Group struct {
	Name       string
	Replicas   int32
	Requests   corev1.ResourceList
	ZoneSpread bool // a hard topology spread over zones, maxSkew 1
}

// Pods is how many there are in all.
func (w Workload) Pods() int {
	n := 0
	for _, g := range w.Groups {
		n += int(g.Replicas)
	}
	return n
}

// Four is the four Deployments of a published scale run of the peer, shrunk or grown to about so many pods; it had
// 3,000.
func Four(pods int) Workload {
	w := Workload{Name: fmt.Sprintf("four deployments, %d pods", pods)}
	for _, g := range []struct {
		name, cpu, memory string
		share             int
		spread            bool
	}{
		{"small", "250m", "512Mi", 800, false},
		{"memory", "900m", "3Gi", 800, false},
		{"spread", "700m", "1500Mi", 700, true},
		{"compute", "1700m", "1Gi", 700, false},
	} {
		w.Groups = append(w.Groups, Group{
			Name:       g.name,
			Replicas:   int32(g.share * pods / 3000),
			ZoneSpread: g.spread,
			Requests: corev1.ResourceList{
				corev1.ResourceCPU:    resource.MustParse(g.cpu),
				corev1.ResourceMemory: resource.MustParse(g.memory),
			},
		})
	}
	return w
}

// OfPods makes one Deployment of all pods that request the same, in the order in which they first come.
func OfPods(name string, pods []*corev1.Pod) Workload {
	w := Workload{Name: fmt.Sprintf("%s, %d pods", name, len(pods))}
	at := map[string]int{}
	for _, pod := range pods {
		requests := pod.Spec.Containers[0].Resources.Requests
		key := requests.Cpu().String() + "/" + requests.Memory().String()
		i, ok := at[key]
		if !ok {
			i = len(w.Groups)
			at[key] = i
			w.Groups = append(w.Groups, Group{Name: fmt.Sprintf("group-%d", i+1), Requests: requests})
		}
		w.Groups[i].Replicas++
	}
	return w
}

// deployment has pods that end at once when they are told to.
func (g Group) deployment() *appsv1.Deployment {
	labels := map[string]string{"app": g.Name}
	var atOnce int64
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: g.Name}}
	d.Spec.Replicas = &g.Replicas
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	d.Spec.Template.Labels = labels
	d.Spec.Template.Spec = corev1.PodSpec{
		TerminationGracePeriodSeconds: &atOnce,
		Containers: []corev1.Container{
			{
				Name:      "main",
				Image:     "registry.k8s.io/pause:3.10",
				Resources: corev1.ResourceRequirements{Requests: g.Requests},
			},
		},
	}
	if g.ZoneSpread {
		d.Spec.Template.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
			MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: corev1.DoNotSchedule,
			LabelSelector: &metav1.LabelSelector{MatchLabels: labels},
		}}
	}
	return d
}
