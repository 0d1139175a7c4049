package podadmission_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/dovetail-sh/dovetail/playground/podadmission"
)

func node(change func(*corev1.Node)) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{"disk": "ssd"},
		Annotations: map[string]string{"kwok.x-k8s.io/node": "fake"}}}
	n.Status.Allocatable = corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("2"), corev1.ResourceMemory: resource.MustParse("2Gi"),
		corev1.ResourcePods: resource.MustParse("3"),
	}
	change(n)
	return n
}

func pod(i int, change func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "d", Name: fmt.Sprintf("p%d", i),
		UID: types.UID(fmt.Sprint(i))}}
	p.Spec.NodeName = "n"
	p.Spec.Containers = []corev1.Container{{Name: "c",
		Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{}}}}
	change(p)
	return p
}

// TestWhatAKubeletRefuses binds three pods that are alike to one node.
func TestWhatAKubeletRefuses(t *testing.T) {
	t.Parallel()
	asks := func(name corev1.ResourceName, much string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Spec.Containers[0].Resources.Requests[name] = resource.MustParse(much) }
	}
	same := func(*corev1.Node) {}
	for name, tc := range map[string]struct {
		pod  func(*corev1.Pod)
		node func(*corev1.Node)
		want []string
	}{
		"all fit": {func(*corev1.Pod) {}, same, nil},
		"CPU":     {asks(corev1.ResourceCPU, "1"), same, []string{"p2 OutOfcpu"}},
		"memory":  {asks(corev1.ResourceMemory, "1Gi"), same, []string{"p2 OutOfmemory"}},
		"pods": {func(*corev1.Pod) {},
			func(n *corev1.Node) { n.Status.Allocatable[corev1.ResourcePods] = resource.MustParse("2") },
			[]string{"p2 OutOfpods"}},
		"selector": {func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"disk": "hdd"} }, same,
			[]string{"p0 NodeAffinity", "p1 NodeAffinity", "p2 NodeAffinity"}},
		"ports": {func(p *corev1.Pod) {
			p.Spec.Containers[0].Ports = []corev1.ContainerPort{{HostPort: 80, ContainerPort: 80,
				Protocol: corev1.ProtocolTCP}}
		}, same, []string{"p1 NodePorts", "p2 NodePorts"}},
		"a taint that evicts": {func(*corev1.Pod) {}, func(n *corev1.Node) {
			n.Spec.Taints = []corev1.Taint{{Key: "x", Effect: corev1.TaintEffectNoExecute}}
		}, []string{"p0 TaintToleration", "p1 TaintToleration", "p2 TaintToleration"}},
		"a taint that keeps off": {func(*corev1.Pod) {}, func(n *corev1.Node) {
			n.Spec.Taints = []corev1.Taint{{Key: "x", Effect: corev1.TaintEffectNoSchedule}}
		}, nil},
		"a node of Windows": {func(p *corev1.Pod) {
			p.Spec.NodeSelector = map[string]string{corev1.LabelOSStable: "windows"}
		}, func(n *corev1.Node) {
			n.Labels = map[string]string{corev1.LabelOSStable: "windows"}
		}, nil},
		"a real kubelet's node": {asks(corev1.ResourceCPU, "1"), func(n *corev1.Node) { n.Annotations = nil }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			a := podadmission.New(func(p *corev1.Pod, reason, _ string) { got = append(got, p.Name+" "+reason) })
			a.Pod(pod(0, tc.pod), false) // before its node is known
			a.Node(node(tc.node))
			a.Pod(pod(1, tc.pod), false)
			a.Pod(pod(1, tc.pod), false)
			a.Pod(pod(2, tc.pod), false)
			seen := map[string]bool{} // a pod that is refused is told so again with each event
			var once []string
			for _, line := range got {
				if !seen[line] {
					once = append(once, line)
				}
				seen[line] = true
			}
			if diff := cmp.Diff(tc.want, once); diff != "" {
				t.Errorf("refused: -want +got\n%s", diff)
			}
		})
	}
}

func TestRoomThatIsGivenBackIsUsedAgain(t *testing.T) {
	t.Parallel()
	whole := func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU] = resource.MustParse("2")
	}
	var got []string
	a := podadmission.New(func(p *corev1.Pod, reason, _ string) { got = append(got, p.Name+" "+reason) })
	a.Node(node(func(*corev1.Node) {}))
	ran := pod(0, whole)
	ran.Status.Phase = corev1.PodRunning
	a.Pod(ran, true) // it ran before
	a.Pod(pod(1, whole), false)
	a.PodGone(ran)
	a.Pod(pod(2, whole), false)
	done := pod(2, whole)
	done.Status.Phase = corev1.PodSucceeded
	a.Pod(done, false)
	a.Pod(pod(3, whole), false)
	if diff := cmp.Diff([]string{"p1 OutOfcpu"}, got); diff != "" {
		t.Errorf("refused: -want +got\n%s", diff)
	}
}
