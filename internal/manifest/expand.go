package manifest

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/internal/translate"
)

// mostPods bounds one workload: far more than a cluster holds, and a typing error's worth of memory.
const mostPods = 1_000_000

// workload is what creates pods.
type workload struct {
	kind     string
	meta     *metav1.ObjectMeta
	template corev1.PodTemplateSpec
	labels   map[string]string // on top of the template's
	claims   []corev1.PersistentVolumeClaim

	// wants is how many pods it asks for, as it is written.
	wants int32

	// lacks is how many pods have to come.
	lacks int

	// numbered workloads lack these pods and no others.
	numbered bool
	numbers  []int

	// finish makes of a copy of the template what its controller makes of the pod with that number; nil for nothing.
	finish func(pod *corev1.Pod, number int)
}

// id names a workload in errors.
func (w *workload) id() string { return fmt.Sprintf("%s %s/%s", w.kind, w.meta.Namespace, w.meta.Name) }

// expand adds the pods that workloads still lack.
func (s *Set) expand() error {
	if err := s.checkJobs(); err != nil {
		return err
	}
	for _, w := range s.workloads() {
		switch {
		case w.wants > mostPods:
			return fmt.Errorf(
				"%s: %d pods are more than the %d that are planned for; lower its number",
				w.id(),
				w.wants,
				mostPods,
			)
		case w.wants < 0:
			return fmt.Errorf("%s: it asks for %d pods; want 0 or more", w.id(), w.wants)
		}
		if w.lacks <= 0 {
			continue
		}
		if err := s.create(&w); err != nil {
			return fmt.Errorf("%s: %w", w.id(), err)
		}
	}
	return nil
}

// create adds the pods that a workload lacks. All that admission looks at is equal for all of them.
func (s *Set) create(w *workload) error {
	first := &corev1.Pod{Spec: *w.template.Spec.DeepCopy()}
	first.Namespace = w.meta.Namespace
	if err := s.rules.Pod(first); err != nil {
		return err
	}
	left := w.lacks
	for i := 0; left > 0; i++ {
		number := i
		if w.numbered {
			number = w.numbers[i]
		}
		pod := w.pod(first, number)
		id := "Pod " + pod.Namespace + "/" + pod.Name
		before, taken := s.source[id]
		switch {
		case taken && !w.numbered:
			continue
		case taken && w.kind == "Job": // its pods have names that nobody can know
			pod.Name += "-planned"
			id, before = id+"-planned", origin{}
		}
		left--
		if err := s.claim(w, pod); err != nil {
			return err
		}
		s.source[id] = origin{place: "the pods of " + w.kind + " " + w.meta.Name, object: pod}
		kinds["Pod"].keep(s, pod, before.object)
	}
	return nil
}

// pod is the pod of a workload with that number, of a spec that has been admitted.
func (w *workload) pod(admitted *corev1.Pod, number int) *corev1.Pod {
	pod := &corev1.Pod{Spec: admitted.Spec}
	pod.Namespace, pod.Name = w.meta.Namespace, w.meta.Name+"-"+strconv.Itoa(number)
	pod.Labels = map[string]string{}
	maps.Copy(pod.Labels, w.template.Labels)
	maps.Copy(pod.Labels, w.labels)
	pod.Annotations = maps.Clone(w.template.Annotations)
	yes := true
	pod.OwnerReferences = []metav1.OwnerReference{{Kind: w.kind, Name: w.meta.Name, Controller: &yes}}
	if w.finish != nil {
		w.finish(pod, number)
	}
	return pod
}

// claim gives a StatefulSet's pod its volumes, with claims as the controller would create them. They take the place of
// volumes of the same name.
func (s *Set) claim(w *workload, pod *corev1.Pod) error {
	if len(w.claims) == 0 {
		return nil
	}
	own := map[string]bool{}
	var volumes []corev1.Volume
	for _, t := range w.claims {
		c := t.DeepCopy()
		c.Namespace, c.Name = pod.Namespace, t.Name+"-"+pod.Name
		own[t.Name] = true
		volumes = append(volumes, corev1.Volume{Name: t.Name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: c.Name}}})
		id := "PersistentVolumeClaim " + c.Namespace + "/" + c.Name
		if _, ok := s.source[id]; ok {
			continue
		}
		if err := s.rules.Claim(c); err != nil {
			return fmt.Errorf("volume claim %s: %w", t.Name, err)
		}
		s.source[id] = origin{place: "the volumes of StatefulSet " + w.meta.Name, object: c}
		s.Claims = append(s.Claims, c)
	}
	for _, v := range pod.Spec.Volumes {
		if !own[v.Name] {
			volumes = append(volumes, v)
		}
	}
	pod.Spec.Volumes = volumes
	return nil
}

// active pods are neither finished nor ending: their controllers count them.
func active(p *corev1.Pod) bool { return !translate.Finished(p) && p.DeletionTimestamp == nil }

// owned lists pods by their controller: "ReplicaSet default/web-5d9". Pods of a Deployment's ReplicaSet are the
// Deployment's, too.
func (s *Set) owned() map[string][]*corev1.Pod {
	above := map[string]string{}
	for _, rs := range s.replicaSets {
		above["ReplicaSet "+rs.Namespace+"/"+rs.Name] = ""
		if c := metav1.GetControllerOf(rs); c != nil {
			above["ReplicaSet "+rs.Namespace+"/"+rs.Name] = c.Kind + " " + rs.Namespace + "/" + c.Name
		}
	}
	out := map[string][]*corev1.Pod{}
	for _, p := range s.Pods {
		c := metav1.GetControllerOf(p)
		if c == nil {
			continue
		}
		id := c.Kind + " " + p.Namespace + "/" + c.Name
		out[id] = append(out[id], p)
		upper, known := above[id]
		if !known && c.Kind == "ReplicaSet" {
			// Printed without its ReplicaSet, which is named after the Deployment and the hash.
			upper = "Deployment " + p.Namespace + "/" + strings.TrimSuffix(c.Name, "-"+p.Labels[podTemplateHash])
		}
		if upper != "" {
			out[upper] = append(out[upper], p)
		}
	}
	return out
}

func (s *Set) workloads() []workload {
	owned := s.owned()
	pods := func(kind string, meta *metav1.ObjectMeta) []*corev1.Pod {
		return owned[kind+" "+meta.Namespace+"/"+meta.Name]
	}
	var out []workload
	deployed := map[string]bool{}
	for _, d := range s.deployments {
		deployed[d.Namespace+"/"+d.Name] = true
		w := s.deployment(d, pods("Deployment", &d.ObjectMeta))
		out = append(out, w)
	}
	for _, rs := range s.replicaSets {
		if c := metav1.GetControllerOf(rs); c != nil && c.Kind == "Deployment" && deployed[rs.Namespace+"/"+c.Name] {
			continue
		}
		w := replicas(
			"ReplicaSet",
			&rs.ObjectMeta,
			rs.Spec.Replicas,
			&rs.Spec.Template,
			pods("ReplicaSet", &rs.ObjectMeta),
		)
		out = append(out, w)
	}
	for _, rc := range s.controllers {
		if rc.Spec.Template != nil {
			out = append(
				out,
				replicas(
					"ReplicationController",
					&rc.ObjectMeta,
					rc.Spec.Replicas,
					rc.Spec.Template,
					pods("ReplicationController", &rc.ObjectMeta),
				),
			)
		}
	}
	for _, sts := range s.statefulSets {
		out = append(out, s.statefulSet(sts, pods("StatefulSet", &sts.ObjectMeta)))
	}
	for _, j := range s.jobs {
		if w, runs := s.job(j, pods("Job", &j.ObjectMeta)); runs {
			out = append(out, w)
		}
	}
	return out
}

// replicas is a workload whose pods are all alike.
func replicas(
	kind string,
	meta *metav1.ObjectMeta,
	wants *int32,
	template *corev1.PodTemplateSpec,
	pods []*corev1.Pod,
) workload {
	w := workload{kind: kind, meta: meta, wants: count(wants), template: *template}
	w.lacks = int(w.wants)
	for _, p := range pods {
		if active(p) {
			w.lacks--
		}
	}
	return w
}

// deployment is replicas of the Deployment's newest revision. A paused one begins no new revision.
func (s *Set) deployment(d *appsv1.Deployment, pods []*corev1.Pod) workload {
	w := replicas("Deployment", &d.ObjectMeta, d.Spec.Replicas, &d.Spec.Template, pods)
	hash, known := s.revisionOf(d, pods)
	if d.Spec.Paused && !known && w.lacks > 0 {
		s.Notes = append(
			s.Notes,
			fmt.Sprintf("Deployment %s/%s is paused: the pods that it lacks are not planned", d.Namespace, d.Name),
		)
		w.lacks = 0
	}
	w.labels = map[string]string{podTemplateHash: hash}
	return w
}

// statefulSet lacks the pods of certain names. One that has failed or has succeeded is replaced.
func (s *Set) statefulSet(sts *appsv1.StatefulSet, pods []*corev1.Pod) workload {
	w := workload{
		kind:     "StatefulSet",
		meta:     &sts.ObjectMeta,
		wants:    count(sts.Spec.Replicas),
		template: sts.Spec.Template,
		claims:   sts.Spec.VolumeClaimTemplates,
		numbered: true,
	}
	start := 0
	if sts.Spec.Ordinals != nil {
		start = int(sts.Spec.Ordinals.Start)
	}
	for i := start; i < start+min(int(w.wants), mostPods); i++ {
		before, there := s.source[fmt.Sprintf("Pod %s/%s-%d", sts.Namespace, sts.Name, i)]
		if pod, ok := before.object.(*corev1.Pod); there && ok && !translate.Finished(pod) {
			continue
		}
		w.numbers = append(w.numbers, i)
	}
	w.lacks = len(w.numbers)
	revision := revisionOfSet(sts, pods)
	w.finish = func(pod *corev1.Pod, ordinal int) {
		pod.Labels[appsv1.StatefulSetPodNameLabel] = pod.Name
		pod.Labels[appsv1.PodIndexLabel] = strconv.Itoa(ordinal)
		pod.Labels[appsv1.ControllerRevisionHashLabelKey] = revision(ordinal)
		pod.Spec.Hostname, pod.Spec.Subdomain = pod.Name, sts.Spec.ServiceName
	}
	return w
}

// count is a number of pods whose default is 1.
func count(n *int32) int32 {
	if n == nil {
		return 1
	}
	return *n
}
