package admissionoracle

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// The oracle itself must be able to say no: to pods that differ in any one thing that a plan looks at, to their number
// and to refusals.
func TestTheOracleSeesDifferences(t *testing.T) {
	t.Parallel()
	set := &appsv1.StatefulSet{}
	sc := &scene{name: "scene-0"}
	for seed := uint64(1); set.Name == "" && seed < 1000; seed++ {
		sc = newScene(seed)
		for _, of := range sc.subjects {
			if o, ok := of.object.(*appsv1.StatefulSet); ok && plan(t, sc, of).err == nil &&
				len(plan(t, sc, of).pods) > 0 {
				set = o
			}
		}
	}
	of := &subject{object: set}
	ours := plan(t, sc, of)
	theirs := func() []*corev1.Pod {
		var out []*corev1.Pod
		for _, p := range ours.pods {
			out = append(out, p.DeepCopy())
		}
		return out
	}
	if got := disagreements(of, ours, theirs(), ""); len(got) > 0 {
		t.Fatalf("of equal pods it says %q", got)
	}
	for name, change := range map[string]func(*corev1.Pod){
		"a request": func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Requests = corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse("777m"),
			}
		},
		"overhead": func(p *corev1.Pod) {
			p.Spec.Overhead = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("777m")}
		},
		"a selector": func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"other": "x"} },
		"a toleration": func(p *corev1.Pod) {
			p.Spec.Tolerations = append(p.Spec.Tolerations,
				corev1.Toleration{Key: "other", Operator: corev1.TolerationOpExists})
		},
		"a label":      func(p *corev1.Pod) { p.Labels["other"] = "x" },
		"its name":     func(p *corev1.Pod) { p.Name += "0" },
		"its priority": func(p *corev1.Pod) { *p.Spec.Priority += 1 },
		"a volume": func(p *corev1.Pod) {
			p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: "v",
				VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
		},
		"no revision": func(p *corev1.Pod) { delete(p.Labels, appsv1.ControllerRevisionHashLabelKey) },
	} {
		pods := theirs()
		change(pods[0])
		if got := disagreements(of, ours, pods, ""); len(got) == 0 {
			t.Errorf("%s: it sees no difference", name)
		}
	}
	if len(disagreements(of, ours, append(theirs(), theirs()[0]), "")) == 0 {
		t.Error("it does not see that there is a pod more")
	}
	if len(disagreements(of, ours, nil, "forbidden")) == 0 {
		t.Error("it does not see that the server refuses the pods")
	}
	if len(disagreements(of, &offline{err: fmt.Errorf("refused")}, theirs(), "")) == 0 {
		t.Error("it does not see that the server accepts the pods")
	}
}

// What is drawn must be worth looking at: of every kind, some of it refused and most of it not.
func TestDrawsAreOfAllKinds(t *testing.T) {
	t.Parallel()
	drawn, refused := map[string]int{}, map[string]int{}
	for seed := uint64(1); seed <= 60; seed++ {
		sc := newScene(seed)
		for _, of := range sc.subjects {
			kind := fmt.Sprintf("%T", of.object)
			drawn[kind]++
			if plan(t, sc, of).err != nil {
				refused[kind]++
			}
		}
	}
	if len(drawn) != len(families) {
		t.Errorf("drew %v, want %d kinds", drawn, len(families))
	}
	for kind, n := range drawn {
		if share := refused[kind] * 100 / n; share < 5 || share > 70 {
			t.Errorf("of %d %s %d are refused", n, kind, refused[kind])
		}
	}
	t.Logf("drawn %v, of which refused %v", drawn, refused)
}
