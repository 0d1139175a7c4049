package manifest

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/internal/translate"
)

// jobController is the value of spec.managedBy of Jobs whose pods Kubernetes' own controller makes.
const jobController = "kubernetes.io/job-controller"

// job is what a Job lacks of the pods that run at once; runs is false for one that begins none.
func (s *Set) job(j *batchv1.Job, pods []*corev1.Pod) (w workload, runs bool) {
	leave := ""
	switch manager := j.Spec.ManagedBy; {
	case over(j):
		return w, false
	case j.Spec.Suspend != nil && *j.Spec.Suspend:
		leave = "is suspended"
	case manager != nil && *manager != jobController:
		leave = "is managed by " + *manager
	}
	if leave != "" {
		s.Notes = append(s.Notes, fmt.Sprintf("Job %s/%s %s: its pods are not planned", j.Namespace, j.Name, leave))
		return w, false
	}
	w = workload{kind: "Job", meta: &j.ObjectMeta, wants: count(j.Spec.Parallelism), template: j.Spec.Template}
	if j.Spec.ManualSelector == nil || !*j.Spec.ManualSelector {
		uid := cmp.Or(string(j.UID), "planned-"+j.Name)
		w.labels = map[string]string{
			batchv1.JobNameLabel:       j.Name,
			"job-name":                 j.Name,
			batchv1.ControllerUidLabel: uid,
			"controller-uid":           uid,
		}
	}
	running, ending, done := tally(j, pods)
	w.lacks = int(w.wants)
	switch {
	case j.Spec.Completions != nil:
		w.lacks = min(w.lacks, max(0, int(*j.Spec.Completions)-done))
	case j.Spec.Parallelism != nil && done > 0:
		w.lacks = 0 // one that has succeeded says that the work is done
	case j.Spec.Parallelism == nil:
		w.lacks = min(w.lacks, max(0, 1-done))
	}
	w.lacks -= running
	if onlyFailed(j) {
		w.lacks -= ending
	}
	if indexed(j) {
		w.numbered, w.numbers = true, pending(j, pods, min(w.lacks, mostPods))
		w.lacks = len(w.numbers)
		w.finish = func(pod *corev1.Pod, number int) {
			index := strconv.Itoa(number)
			if pod.Annotations == nil {
				pod.Annotations = map[string]string{}
			}
			pod.Labels[batchv1.JobCompletionIndexAnnotation],
				pod.Annotations[batchv1.JobCompletionIndexAnnotation] = index, index
			pod.Spec.Hostname = j.Name + "-" + index
		}
	}
	return w, true
}

// over Jobs have succeeded or failed, or are about to fail.
func over(j *batchv1.Job) bool {
	return slices.ContainsFunc(j.Status.Conditions, func(c batchv1.JobCondition) bool {
		return c.Status == corev1.ConditionTrue && c.Type != batchv1.JobSuspended
	}) || j.Status.CompletionTime != nil
}

func indexed(j *batchv1.Job) bool {
	return j.Spec.CompletionMode != nil && *j.Spec.CompletionMode == batchv1.IndexedCompletion &&
		j.Spec.Completions != nil
}

// checkJobs refuses Jobs whose indexes nobody could number.
func (s *Set) checkJobs() error {
	for _, j := range s.jobs {
		if j.Spec.CompletionMode != nil && *j.Spec.CompletionMode == batchv1.IndexedCompletion &&
			j.Spec.Completions == nil {
			return jobProblem(j, "spec.completions is missing, which completionMode Indexed needs")
		}
		if j.Spec.Completions != nil && *j.Spec.Completions < 0 {
			return jobProblem(j, "spec.completions is %d; want 0 or more", *j.Spec.Completions)
		}
	}
	return nil
}

// onlyFailed Jobs wait for a pod to end before they replace it.
func onlyFailed(j *batchv1.Job) bool {
	if p := j.Spec.PodReplacementPolicy; p != nil {
		return *p == batchv1.Failed
	}
	return j.Spec.PodFailurePolicy != nil
}

// tally counts a Job's pods: those that run, those that are being deleted, and those that have succeeded, gone ones
// included.
func tally(j *batchv1.Job, pods []*corev1.Pod) (running, ending, done int) {
	there := 0
	for _, p := range pods {
		switch {
		case p.Status.Phase == corev1.PodSucceeded:
			there++
		case p.Status.Phase == corev1.PodFailed:
		case p.DeletionTimestamp != nil:
			ending++
		default:
			running++
		}
	}
	if indexed(j) {
		return running, ending, len(succeeded(j, pods))
	}
	return running, ending, max(there, int(j.Status.Succeeded))
}

// succeeded are the indexes of a Job that are done.
func succeeded(j *batchv1.Job, pods []*corev1.Pod) map[int]bool {
	out := indexesOf(j.Status.CompletedIndexes, int(*j.Spec.Completions))
	for _, p := range pods {
		if i, ok := indexOf(p); ok && p.Status.Phase == corev1.PodSucceeded {
			out[i] = true
		}
	}
	return out
}

// pending are the first indexes of which no pod runs and that are not done.
func pending(j *batchv1.Job, pods []*corev1.Pod, most int) []int {
	taken := succeeded(j, pods)
	if j.Status.FailedIndexes != nil {
		for i := range indexesOf(*j.Status.FailedIndexes, int(*j.Spec.Completions)) {
			taken[i] = true
		}
	}
	for _, p := range pods {
		if i, ok := indexOf(p); ok && (active(p) || p.DeletionTimestamp != nil && onlyFailed(j)) {
			taken[i] = true
		}
	}
	var out []int
	for i := 0; i < int(*j.Spec.Completions) && len(out) < most; i++ {
		if !taken[i] {
			out = append(out, i)
		}
	}
	return out
}

// indexOf is the index of an indexed Job's pod.
func indexOf(p *corev1.Pod) (int, bool) {
	i, err := strconv.Atoi(
		cmp.Or(p.Annotations[batchv1.JobCompletionIndexAnnotation], p.Labels[batchv1.JobCompletionIndexAnnotation]),
	)
	return i, err == nil
}

// indexesOf reads a list of indexes as a Job's status has it, "1,3-5,7", up to a bound. What cannot be read is left
// out.
func indexesOf(text string, below int) map[int]bool {
	out := map[int]bool{}
	for part := range strings.SplitSeq(text, ",") {
		from, to, ranged := strings.Cut(part, "-")
		if !ranged {
			to = from
		}
		first, err := strconv.Atoi(from)
		last, bad := strconv.Atoi(to)
		if err != nil || bad != nil {
			continue
		}
		for i := max(first, 0); i <= last && i < below; i++ {
			out[i] = true
		}
	}
	return out
}

// jobProblem is an error in a Job that names it.
func jobProblem(j *batchv1.Job, format string, args ...any) error {
	return translate.Problem{Object: fmt.Sprintf("Job %s/%s", j.Namespace, j.Name), Err: fmt.Errorf(format, args...)}
}
