package admissionoracle

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// families draw one object each that has pods, or is one. Whoever adds a family adds what its pods are known by, see
// owner.
var families = []func(d dice, meta metav1.ObjectMeta) client.Object{
	func(d dice, meta metav1.ObjectMeta) client.Object {
		meta.Labels = labels(d)
		return &corev1.Pod{ObjectMeta: meta, Spec: d.spec()}
	},
	func(d dice, meta metav1.ObjectMeta) client.Object {
		o := &appsv1.Deployment{ObjectMeta: meta}
		o.Spec.Replicas, o.Spec.Selector, o.Spec.Template = d.replicas(), selector(meta.Name), d.template(meta.Name)
		o.Spec.Paused = d.percent(5)
		return o
	},
	func(d dice, meta metav1.ObjectMeta) client.Object {
		o := &appsv1.ReplicaSet{ObjectMeta: meta}
		o.Spec.Replicas, o.Spec.Selector, o.Spec.Template = d.replicas(), selector(meta.Name), d.template(meta.Name)
		return o
	},
	func(d dice, meta metav1.ObjectMeta) client.Object {
		o := &corev1.ReplicationController{ObjectMeta: meta}
		template := d.template(meta.Name)
		o.Spec.Replicas, o.Spec.Selector, o.Spec.Template = d.replicas(), selector(meta.Name).MatchLabels, &template
		return o
	},
	func(d dice, meta metav1.ObjectMeta) client.Object {
		o := &appsv1.StatefulSet{ObjectMeta: meta}
		o.Spec.Replicas, o.Spec.Selector, o.Spec.Template = d.replicas(), selector(meta.Name), d.template(meta.Name)
		o.Spec.ServiceName = pick(d, "", "peers")
		o.Spec.PodManagementPolicy = appsv1.ParallelPodManagement // in order each would wait for the one before to run
		if d.percent(30) {
			o.Spec.Ordinals = &appsv1.StatefulSetOrdinals{Start: int32(d.IntN(7))}
		}
		return o
	},
	func(d dice, meta metav1.ObjectMeta) client.Object {
		o := &appsv1.DaemonSet{ObjectMeta: meta}
		o.Spec.Selector, o.Spec.Template = selector(meta.Name), d.template(meta.Name)
		for key, value := range o.Spec.Template.Spec.NodeSelector {
			if nodeLabels[key] != value {
				o.Spec.Template.Spec.NodeSelector = nil // or it would have no pod
			}
		}
		return o
	},
	func(d dice, meta metav1.ObjectMeta) client.Object {
		o := &batchv1.Job{ObjectMeta: meta}
		o.Spec.Template = d.template(meta.Name)
		o.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
		if d.percent(60) {
			n := int32(d.IntN(4))
			o.Spec.Parallelism = &n
		}
		if d.percent(60) {
			n := int32(d.IntN(4))
			o.Spec.Completions = &n
			if d.percent(50) {
				mode := batchv1.IndexedCompletion
				o.Spec.CompletionMode = &mode
			}
		}
		suspended := d.percent(5)
		o.Spec.Suspend = &suspended
		return o
	},
}

// nodeLabels are those of the one node, on which DaemonSets run.
var nodeLabels = map[string]string{team: "red", "example.com/sandbox": "blue", "disk": "red"}

func labels(d dice) map[string]string {
	return map[string]string{"app": "drawn", "app.kubernetes.io/part": pick(d, "front", "back")}
}

func (d dice) template(name string) corev1.PodTemplateSpec {
	out := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels(d)}, Spec: d.spec()}
	out.Labels["of"] = name
	if d.percent(20) {
		out.Annotations = map[string]string{"example.com/note": "kept"}
	}
	return out
}

func selector(name string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"of": name}}
}

func (d dice) replicas() *int32 {
	if d.percent(20) {
		return nil
	}
	n := int32(d.IntN(4))
	return &n
}

// scene is a namespace.
type scene struct {
	seed     uint64
	name     string
	around   []client.Object // namespaced, created before the subjects
	subjects []*subject
}

// subject is an object whose pods are looked at.
type subject struct {
	object  client.Object
	refused error // by the server, when it was created
}

const subjectsPerScene = 6

// newScene draws a namespace.
func newScene(seed uint64) *scene {
	d := newDice(seed)
	s := &scene{seed: seed, name: fmt.Sprintf("scene-%d", seed), around: d.surroundings()}
	for _, o := range s.around {
		o.SetNamespace(s.name)
	}
	for i := range subjectsPerScene {
		meta := metav1.ObjectMeta{Namespace: s.name, Name: fmt.Sprintf("s%d", i)}
		s.subjects = append(s.subjects, &subject{object: pick(d, families...)(d, meta)})
	}
	return s
}
