package manifest

import (
	"fmt"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// podTemplateHash is what the Deployment controller puts on pods of one revision.
const podTemplateHash = "pod-template-hash"

// mostPods bounds one workload: far more than a cluster holds, and a typing error's worth of memory.
const mostPods = 1_000_000

// workload is what creates pods.
type workload struct {
	kind     string
	meta     *metav1.ObjectMeta
	replicas int
	template corev1.PodTemplateSpec
	labels   map[string]string // on top of the template's
	ordinal  int               // of the first pod
	claims   []corev1.PersistentVolumeClaim
}

// expand adds the pods that workloads still lack.
func (s *Set) expand() error {
	running := s.running()
	for _, w := range s.workloads() {
		switch {
		case w.replicas > mostPods:
			return fmt.Errorf("%s %s/%s: %d pods are more than the %d that are planned for; lower its number",
				w.kind, w.meta.Namespace, w.meta.Name, w.replicas, mostPods)
		case w.replicas < 0:
			return fmt.Errorf("%s %s/%s: it asks for %d pods; want 0 or more", w.kind, w.meta.Namespace, w.meta.Name, w.replicas)
		}
		have := running[w.kind+" "+w.meta.Namespace+"/"+w.meta.Name]
		missing := w.replicas - have
		for i := 0; missing > 0; i++ {
			pod := w.pod(w.ordinal + i)
			if _, taken := s.source["Pod "+pod.Namespace+"/"+pod.Name]; taken {
				continue
			}
			s.source["Pod "+pod.Namespace+"/"+pod.Name] = "the pods of " + w.kind + " " + w.meta.Name
			s.Pods = append(s.Pods, pod)
			s.claim(w, pod)
			missing--
		}
	}
	return nil
}

// running counts by controller the pods that are there and not finished. Pods of a Deployment's
// ReplicaSet count for the Deployment.
func (s *Set) running() map[string]int {
	out := map[string]int{}
	owner := map[string]string{}
	for _, rs := range s.replicaSets {
		if c := metav1.GetControllerOf(rs); c != nil {
			owner["ReplicaSet "+rs.Namespace+"/"+rs.Name] = c.Kind + " " + rs.Namespace + "/" + c.Name
		}
	}
	for _, d := range s.deployments {
		owner["Deployment "+d.Namespace+"/"+d.Name] = ""
	}
	for _, p := range s.Pods {
		c := metav1.GetControllerOf(p)
		if c == nil || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
			continue
		}
		id := c.Kind + " " + p.Namespace + "/" + c.Name
		out[id]++
		above, known := owner[id]
		if !known && c.Kind == "ReplicaSet" {
			// Printed without its ReplicaSet, which is named after the Deployment and the hash.
			above = "Deployment " + p.Namespace + "/" + strings.TrimSuffix(c.Name, "-"+p.Labels[podTemplateHash])
		}
		if above != "" {
			out[above]++
		}
	}
	return out
}

func (s *Set) workloads() []workload {
	var out []workload
	deployed := map[string]bool{}
	for _, d := range s.deployments {
		deployed[d.Namespace+"/"+d.Name] = true
		out = append(out, workload{kind: "Deployment", meta: &d.ObjectMeta, replicas: count(d.Spec.Replicas), template: d.Spec.Template,
			labels: map[string]string{podTemplateHash: "planned"}})
	}
	for _, rs := range s.replicaSets {
		if c := metav1.GetControllerOf(rs); c != nil && c.Kind == "Deployment" && deployed[rs.Namespace+"/"+c.Name] {
			continue
		}
		out = append(out, workload{kind: "ReplicaSet", meta: &rs.ObjectMeta, replicas: count(rs.Spec.Replicas), template: rs.Spec.Template})
	}
	for _, rc := range s.controllers {
		if rc.Spec.Template != nil {
			out = append(out, workload{kind: "ReplicationController", meta: &rc.ObjectMeta, replicas: count(rc.Spec.Replicas), template: *rc.Spec.Template})
		}
	}
	for _, sts := range s.statefulSets {
		w := workload{kind: "StatefulSet", meta: &sts.ObjectMeta, replicas: count(sts.Spec.Replicas), template: sts.Spec.Template, claims: sts.Spec.VolumeClaimTemplates}
		if sts.Spec.Ordinals != nil {
			w.ordinal = int(sts.Spec.Ordinals.Start)
		}
		out = append(out, w)
	}
	return append(out, s.runs()...)
}

// runs are Jobs that are neither finished nor suspended. What of their completions runs at once counts.
func (s *Set) runs() []workload {
	var out []workload
	for _, j := range s.jobs {
		if j.Spec.Suspend != nil && *j.Spec.Suspend || over(j) {
			continue
		}
		n := count(j.Spec.Parallelism)
		if j.Spec.Completions != nil && n > 0 {
			n = min(n, max(0, int(*j.Spec.Completions-j.Status.Succeeded)))
		}
		out = append(out, workload{kind: "Job", meta: &j.ObjectMeta, replicas: n, template: j.Spec.Template,
			labels: map[string]string{"batch.kubernetes.io/job-name": j.Name, "job-name": j.Name}})
	}
	return out
}

// over Jobs have succeeded or failed, or are about to fail.
func over(j *batchv1.Job) bool {
	return slices.ContainsFunc(j.Status.Conditions, func(c batchv1.JobCondition) bool {
		return c.Status == corev1.ConditionTrue && c.Type != batchv1.JobSuspended
	}) || j.Status.CompletionTime != nil
}

// count is a number of pods whose default is 1.
func count(n *int32) int {
	if n == nil {
		return 1
	}
	return int(*n)
}

// pod is the i-th pod of a workload.
func (w *workload) pod(i int) *corev1.Pod {
	pod := &corev1.Pod{Spec: *w.template.Spec.DeepCopy()}
	pod.Namespace, pod.Name = w.meta.Namespace, fmt.Sprintf("%s-%d", w.meta.Name, i)
	pod.Labels = map[string]string{}
	for _, labels := range []map[string]string{w.template.Labels, w.labels} {
		for key, value := range labels {
			pod.Labels[key] = value
		}
	}
	pod.Annotations = w.template.Annotations
	if w.kind == "StatefulSet" {
		pod.Labels["statefulset.kubernetes.io/pod-name"] = pod.Name
		pod.Labels["apps.kubernetes.io/pod-index"] = fmt.Sprint(i)
	}
	yes := true
	pod.OwnerReferences = []metav1.OwnerReference{{Kind: w.kind, Name: w.meta.Name, Controller: &yes}}
	return pod
}

// claim gives a StatefulSet's pod its volumes, with claims as the controller would create them.
func (s *Set) claim(w workload, pod *corev1.Pod) {
	for _, t := range w.claims {
		c := t.DeepCopy()
		c.Namespace, c.Name = pod.Namespace, t.Name+"-"+pod.Name
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: t.Name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: c.Name}}})
		id := "PersistentVolumeClaim " + c.Namespace + "/" + c.Name
		if _, ok := s.source[id]; !ok {
			s.source[id] = "the volumes of StatefulSet " + w.meta.Name
			s.Claims = append(s.Claims, c)
		}
	}
}
