package admissionoracle

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/yaml"

	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// offline is what is made of a subject without a server.
type offline struct {
	text  []byte
	pods  []*corev1.Pod
	err   error
	world translate.World
}

// plan reads a subject and what stands around it as manifests.
func plan(t *testing.T, sc *scene, of *subject) *offline {
	t.Helper()
	out := &offline{text: manifests(t, slices.Concat(classes(), sc.around, []client.Object{of.object}))}
	set, err := manifest.Read([]string{"-"}, bytes.NewReader(out.text))
	if err != nil {
		out.err = err
		return out
	}
	out.world = translate.WorldOf(translate.Objects{LimitRanges: set.LimitRanges, RuntimeClasses: set.RuntimeClasses})
	out.pods = set.Pods
	for _, ds := range set.DaemonSets {
		pod, err := out.world.DaemonPod(ds)
		if err != nil {
			out.err = err
			return out
		}
		out.pods = append(out.pods, pod)
	}
	return out
}

// manifests are objects as kubectl would print them, one after the other.
func manifests(t *testing.T, objects []client.Object) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, o := range objects {
		kind, err := apiutil.GVKForObject(o, scheme.Scheme)
		if err != nil {
			t.Fatal(err)
		}
		o = o.DeepCopyObject().(client.Object)
		o.GetObjectKind().SetGroupVersionKind(kind)
		if err := json.NewEncoder(&out).Encode(o); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

// shown is a subject as YAML, for people.
func shown(t *testing.T, sc *scene, of *subject) string {
	t.Helper()
	var out []string
	for line := range bytes.Lines(manifests(t, append(slices.Clone(sc.around), of.object))) {
		text, err := yaml.JSONToYAML(line)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(text))
	}
	return strings.Join(out, "---\n")
}

// disagreements says what a server has made of a subject and we have not.
func disagreements(of *subject, ours *offline, pods []*corev1.Pod, failed string) []string {
	refused := failed
	if of.refused != nil {
		refused = of.refused.Error()
	}
	switch {
	case refused != "" && ours.err != nil:
		return nil
	case refused != "":
		return []string{"accepted what the server refuses: " + refused}
	case ours.err != nil && len(pods) > 0:
		return []string{"refused what the server accepts: " + ours.err.Error()}
	case ours.err != nil:
		return []string{"refused what the server did not refuse, though it has no pods: " + ours.err.Error()}
	case len(pods) != len(ours.pods):
		return []string{fmt.Sprintf("%d pods, and the server has %d", len(ours.pods), len(pods))}
	}
	ofOurs, ofServer := inOrder(of, ours.pods), inOrder(of, pods)
	var out []string
	for i := range ofOurs {
		out = append(out, compare(of, ours, ofOurs[i], ofServer[i])...)
		if len(out) > 0 {
			break
		}
	}
	return out
}

// inOrder sorts pods by what tells them apart.
func inOrder(of *subject, pods []*corev1.Pod) []*corev1.Pod {
	key := func(p *corev1.Pod) string {
		if _, ok := of.object.(*appsv1.StatefulSet); ok {
			return p.Name
		}
		return p.Labels[batchv1.JobCompletionIndexAnnotation]
	}
	return slices.SortedFunc(slices.Values(pods), func(a, b *corev1.Pod) int { return cmp.Compare(key(a), key(b)) })
}

// chosen are labels whose values the controllers choose: they have to be there, and nothing else is known of them.
var chosen = []string{
	appsv1.DefaultDeploymentUniqueLabelKey,
	appsv1.ControllerRevisionHashLabelKey,
	batchv1.ControllerUidLabel,
	"controller-uid",
}

func compare(of *subject, ours *offline, a, b *corev1.Pod) []string {
	a, b = a.DeepCopy(), b.DeepCopy()
	var out []string
	for _, key := range chosen {
		if _, daemon := of.object.(*appsv1.DaemonSet); daemon {
			delete(b.Labels, key)
		}
		if (a.Labels[key] == "") != (b.Labels[key] == "") {
			out = append(out, fmt.Sprintf("label %s is %q, and on the server %q", key, a.Labels[key], b.Labels[key]))
		}
		if b.Labels[key] != "" {
			a.Labels[key] = b.Labels[key]
		}
	}
	delete(b.Labels, "pod-template-generation") // says how often a DaemonSet has changed
	if named(of) && a.Name != b.Name {
		out = append(out, fmt.Sprintf("the pod is called %s, and on the server %s", a.Name, b.Name))
	}
	if diff := gocmp.Diff(bare(b), bare(a), equalAmounts, cmpopts.EquateEmpty()); diff != "" {
		out = append(out, "pods differ, - the server's, + ours:\n"+diff)
	}
	if diff := gocmp.Diff(classOf(&ours.world, b), classOf(&ours.world, a), cmpopts.EquateEmpty()); diff != "" {
		out = append(out, "the planner sees other pods, - of the server's, + of ours:\n"+diff)
	}
	return out
}

// named subjects say what their pods are called. Other controllers draw the names.
func named(of *subject) bool {
	switch of.object.(type) {
	case *corev1.Pod, *appsv1.StatefulSet:
		return true
	}
	return false
}

var equalAmounts = gocmp.Comparer(func(a, b resource.Quantity) bool { return a.Cmp(b) == 0 })

// classOf is all that the planner looks at in a pod.
func classOf(w *translate.World, p *corev1.Pod) any {
	p = p.DeepCopy()
	p.Spec.Affinity = withoutNode(p.Spec.Affinity)
	in := translate.NewInterner(w)
	in.Observe(&p.Spec)
	i, err := in.Class(p)
	if err != nil {
		return err.Error()
	}
	return *in.Classes()[i]
}

// withoutNode is the affinity without the node that the DaemonSet controller names in it.
func withoutNode(a *corev1.Affinity) *corev1.Affinity {
	if a == nil || a.NodeAffinity == nil {
		return a
	}
	out := a.DeepCopy()
	if r := out.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution; r != nil {
		if len(r.NodeSelectorTerms) == 1 && len(r.NodeSelectorTerms[0].MatchFields) > 0 &&
			len(r.NodeSelectorTerms[0].MatchExpressions) == 0 {
			out.NodeAffinity = nil
		}
	}
	if reflect.DeepEqual(out, &corev1.Affinity{}) {
		return nil
	}
	return out
}

// bare is a pod without what no plan looks at, and without what an API server fills in wherever nothing stands.
func bare(p *corev1.Pod) *corev1.Pod {
	out := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:   p.Namespace,
			Labels:      p.Labels,
			Annotations: maps.Clone(p.Annotations),
		},
		Spec: *p.Spec.DeepCopy(),
	}
	delete(out.Annotations, "kubernetes.io/limit-ranger") // says what was done
	s := &out.Spec
	s.NodeName = ""
	s.DNSPolicy, s.RestartPolicy, s.SecurityContext, s.TerminationGracePeriodSeconds, s.SchedulerName = "", "", nil,
		nil, ""
	s.ServiceAccountName, s.DeprecatedServiceAccount, s.EnableServiceLinks = "", "", nil
	s.Volumes = slices.DeleteFunc(s.Volumes, func(v corev1.Volume) bool { return v.Projected != nil })
	slices.SortFunc(s.Volumes, func(a, b corev1.Volume) int { return cmp.Compare(a.Name, b.Name) })
	s.Affinity = withoutNode(s.Affinity)
	for _, list := range [][]corev1.Container{s.InitContainers, s.Containers} {
		for i := range list {
			c := &list[i]
			*c = corev1.Container{
				Name:          c.Name,
				Image:         c.Image,
				Ports:         c.Ports,
				Resources:     c.Resources,
				RestartPolicy: c.RestartPolicy,
			}
			for j := range c.Ports {
				c.Ports[j].Protocol = cmp.Or(c.Ports[j].Protocol, corev1.ProtocolTCP)
				if s.HostNetwork {
					c.Ports[j].HostPort = cmp.Or(c.Ports[j].HostPort, c.Ports[j].ContainerPort)
				}
			}
		}
	}
	for i := range s.TopologySpreadConstraints { // the planner's class says whether the selectors agree
		s.TopologySpreadConstraints[i].LabelSelector = nil
	}
	if s.Affinity != nil && s.Affinity.PodAntiAffinity != nil {
		for i := range s.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
			s.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution[i].LabelSelector = nil
		}
	}
	return out
}
