package admitted

import (
	"context"
	"flag"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiserver "k8s.io/apiserver/pkg/admission"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	podutil "k8s.io/kubernetes/pkg/api/pod"
	api "k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	"k8s.io/kubernetes/pkg/apis/core/validation"
	_ "k8s.io/kubernetes/pkg/apis/scheduling/install"
	"k8s.io/kubernetes/plugin/pkg/admission/defaulttolerationseconds"
	"k8s.io/kubernetes/plugin/pkg/admission/limitranger"
	"k8s.io/kubernetes/plugin/pkg/admission/priority"
	"k8s.io/kubernetes/plugin/pkg/admission/runtimeclass"
	"sigs.k8s.io/yaml"

	"github.com/dovetail-sh/dovetail/internal/admission"
	"github.com/dovetail-sh/dovetail/internal/admissionoracle"
)

var pods = flag.Int("pods", 3000, "how many pods to draw")

const namespace = "drawn"

// server is what an API server does to pods, without the server.
type server struct {
	mutating []apiserver.MutationInterface
	runtime  *runtimeclass.RuntimeClass
}

func newServer(t *testing.T) (*server, *admission.Rules) {
	t.Helper()
	client := fake.NewClientset()
	factory := informers.NewSharedInformerFactory(client, 0)
	priorities, tolerations := priority.NewPlugin(), defaulttolerationseconds.NewDefaultTolerationSeconds()
	s := &server{runtime: runtimeclass.NewRuntimeClass()}
	priorities.SetExternalKubeClientSet(client)
	priorities.SetExternalKubeInformerFactory(factory)
	s.runtime.SetExternalKubeClientSet(client)
	s.runtime.SetExternalKubeInformerFactory(factory)
	tolerations.InspectFeatureGates(utilfeature.DefaultFeatureGate)
	s.mutating = []apiserver.MutationInterface{priorities, tolerations, s.runtime}

	rules := &admission.Rules{RuntimeClasses: map[string]*nodev1.RuntimeClass{}}
	var classes []*schedulingv1.PriorityClass
	system := &schedulingv1.PriorityClass{
		ObjectMeta: metav1.ObjectMeta{Name: "system-node-critical"},
		Value:      2_000_001_000,
	}
	for _, o := range append(admissionoracle.Classes(), system) {
		switch o := o.(type) {
		case *nodev1.RuntimeClass:
			rules.RuntimeClasses[o.Name] = o
			add(t, factory.Node().V1().RuntimeClasses().Informer().GetIndexer().Add(o))
		case *schedulingv1.PriorityClass:
			if o != system {
				classes = append(classes, o.DeepCopy())
			}
			legacyscheme.Scheme.Default(o)
			add(t, factory.Scheduling().V1().PriorityClasses().Informer().GetIndexer().Add(o))
		}
	}
	rules.Priorities = admission.PrioritiesOf(classes)
	return s, rules
}

func add(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// accepted are LimitRanges as a server keeps them, without those that it refuses.
func accepted(
	t *testing.T,
	drawn []*corev1.LimitRange,
) (kept []*corev1.LimitRange, asWritten map[string]*corev1.LimitRange) {
	t.Helper()
	asWritten = map[string]*corev1.LimitRange{}
	for _, l := range drawn {
		whole := l.DeepCopy()
		legacyscheme.Scheme.Default(whole)
		var internal api.LimitRange
		add(t, legacyscheme.Scheme.Convert(whole, &internal, nil))
		if len(validation.ValidateLimitRange(&internal)) == 0 {
			kept = append(kept, whole)
			asWritten[l.Name] = l
		}
	}
	return kept, asWritten
}

// admit is what a server makes of a pod.
func (s *server) admit(ctx context.Context, pod *corev1.Pod, ranges []*corev1.LimitRange) (*corev1.Pod, error) {
	pod = pod.DeepCopy()
	legacyscheme.Scheme.Default(pod)
	var in api.Pod
	if err := legacyscheme.Scheme.Convert(pod, &in, nil); err != nil {
		return nil, err
	}
	of := apiserver.NewAttributesRecord(&in, nil, api.Kind("Pod").WithVersion("v1"), pod.Namespace, pod.Name,
		api.Resource("pods").WithVersion("v1"), "", apiserver.Create, &metav1.CreateOptions{}, false, nil)
	for _, l := range ranges {
		if err := limitranger.PodMutateLimitFunc(l, &in); err != nil {
			return nil, err
		}
	}
	for _, plugin := range s.mutating {
		if err := plugin.Admit(ctx, of, nil); err != nil {
			return nil, err
		}
	}
	options := podutil.GetValidationOptionsFromPodSpecAndMeta(&in.Spec, nil, &in.ObjectMeta, nil)
	options.ResourceIsPod = true
	if errs := validation.ValidatePodCreate(&in, options); len(errs) > 0 {
		return nil, errs.ToAggregate()
	}
	for _, l := range ranges {
		if err := limitranger.PodValidateLimitFunc(l, &in); err != nil {
			return nil, err
		}
	}
	if err := s.runtime.Validate(ctx, of, nil); err != nil {
		return nil, err
	}
	out := &corev1.Pod{}
	if err := legacyscheme.Scheme.Convert(&in, out, nil); err != nil {
		return nil, err
	}
	legacyscheme.Scheme.Default(out)
	return out, nil
}

// done is all that admission does to a pod and a plan looks at.
func done(p *corev1.Pod) any {
	var containers []corev1.ResourceRequirements
	for _, list := range [][]corev1.Container{p.Spec.InitContainers, p.Spec.Containers} {
		for i := range list {
			containers = append(containers, list[i].Resources)
		}
	}
	return []any{containers, p.Spec.Resources, p.Spec.Overhead, p.Spec.Tolerations, p.Spec.NodeSelector,
		p.Spec.Priority, p.Spec.PreemptionPolicy, p.Spec.PriorityClassName}
}

// Pods are refused and changed as the API server's plugins do.
func TestThePluginsAgree(t *testing.T) {
	t.Parallel()
	s, rules := newServer(t)
	equal := gocmp.Comparer(func(a, b resource.Quantity) bool { return a.Cmp(b) == 0 })
	refused, bad := 0, 0
	for seed := uint64(1); seed <= uint64(*pods) && bad < 5; seed++ {
		pod, drawn := admissionoracle.Pod(seed, namespace)
		ranges, asWritten := accepted(t, drawn)
		rules.LimitRanges = map[string]map[string]*corev1.LimitRange{namespace: asWritten}
		want, theirs := s.admit(t.Context(), pod, ranges)
		got := pod.DeepCopy()
		ours := rules.Pod(got)
		switch {
		case (theirs == nil) != (ours == nil):
			bad++
			t.Errorf("seed %d: the server says %v, and we say %v\n%s", seed, theirs, ours, shown(pod, asWritten))
		case theirs != nil:
			refused++
		default:
			if diff := gocmp.Diff(done(want), done(got), equal, cmpopts.EquateEmpty()); diff != "" {
				bad++
				t.Errorf("seed %d: - the server's, + ours\n%s%s", seed, diff, shown(pod, asWritten))
			}
		}
	}
	t.Logf("%d pods, of which refused by both %d", *pods, refused)
	if bad == 0 && (refused == 0 || refused == *pods) {
		t.Error("the draws are not worth looking at")
	}
}

func shown(pod *corev1.Pod, ranges map[string]*corev1.LimitRange) string {
	text, err := yaml.Marshal([]any{pod.Spec, ranges})
	if err != nil {
		return err.Error()
	}
	return string(text)
}
