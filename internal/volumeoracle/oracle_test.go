package volumeoracle

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/internal/devplane"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

var (
	scenes    = flag.Int("scenes", 100, "how many pods with volumes to try")
	firstSeed = flag.Uint64("seed", 1, "the first scene's seed; the next ones count up")
)

// patience is how long a control plane may take for all scenes together: the volume controller looks again after
// fifteen seconds, the scheduler after ten, and on a busy machine both take their time.
const patience = 4 * time.Minute

// outcome is what becomes of a scene.
type outcome struct {
	placed  bool
	volumes []string // by claim; empty for none, "made" for one that was made for it
	at      []string // zones in which the pod may be; of a real outcome the one in which it is
	why     string
}

// plans are what may become of a scene. The volume controller comes to claims in any order: a write that collides with
// another has its claim wait for the next round, fifteen seconds later, and a volume that two claims want is the
// other's by then.
func plans(t *testing.T, s *scene) []outcome {
	t.Helper()
	turned := *s
	turned.claims = slices.Clone(s.claims)
	slices.Reverse(turned.claims)
	other := plan(t, &turned)
	slices.Reverse(other.volumes)
	return []outcome{plan(t, s), other}
}

// plan says what becomes of a scene without a control plane, if its claims are bound in their order.
func plan(t *testing.T, s *scene) outcome {
	t.Helper()
	var text bytes.Buffer
	all := s.objects()
	for _, n := range nodes() {
		all = append(all, n)
	}
	for _, o := range all {
		kind, err := apiutil.GVKForObject(o, scheme.Scheme)
		if err != nil {
			t.Fatal(err)
		}
		o = o.DeepCopyObject()
		o.GetObjectKind().SetGroupVersionKind(kind)
		if err := json.NewEncoder(&text).Encode(o); err != nil {
			t.Fatal(err)
		}
	}
	set, err := manifest.Read([]string{"-"}, &text)
	if err != nil {
		t.Fatalf("scene %s: %v", s.name, err)
	}
	objects := translate.Objects{
		Pods:           set.Pods,
		Nodes:          set.Nodes,
		Claims:         set.Claims,
		Volumes:        set.Volumes,
		StorageClasses: set.StorageClasses,
		Namespaces:     set.Namespaces,
		TrustPools:     true,
	}
	snapshot, problems := translate.Snapshot(objects, time.Unix(0, 0))
	if len(problems) > 0 {
		t.Fatalf("scene %s: %v", s.name, problems[0])
	}
	d := engine.Plan(snapshot, engine.DefaultPolicy())
	out := outcome{placed: len(d.Place) == 1}
	if len(d.Unplaced) > 0 {
		out.why = d.Unplaced[0].Why.Sentence()
	}
	for _, c := range set.Claims {
		out.volumes = append(out.volumes, c.Spec.VolumeName)
	}
	// Where it may be: one plan for each zone by itself.
	for _, zone := range zones {
		alone := objects
		alone.Nodes = slices.DeleteFunc(
			slices.Clone(set.Nodes),
			func(n *corev1.Node) bool { return n.Labels[corev1.LabelTopologyZone] != zone },
		)
		there, _ := translate.Snapshot(alone, time.Unix(0, 0))
		if len(engine.Plan(there, engine.DefaultPolicy()).Place) == 1 {
			out.at = append(out.at, zone)
		}
	}
	return out
}

// differ says in what a real outcome is not what was planned, empty if one of the plans is right.
func differ(planned []outcome, real outcome) (text string) {
	for _, p := range planned {
		if text = differs(p, real); text == "" {
			return ""
		}
	}
	return text
}

// differs says in what a real outcome is not what was planned, empty if in nothing.
func differs(planned, real outcome) string {
	switch {
	case planned.placed != real.placed:
		return fmt.Sprintf(
			"planned placed %t (%s), is placed %t (%s)",
			planned.placed,
			planned.why,
			real.placed,
			real.why,
		)
	case real.placed && !slices.Contains(planned.at, real.at[0]):
		return fmt.Sprintf("the pod is in zone %s, planned were %v", real.at[0], planned.at)
	}
	for i, v := range planned.volumes {
		if v != "" && v != real.volumes[i] {
			return fmt.Sprintf("claim %d has volume %q, planned was %q", i, real.volumes[i], v)
		}
	}
	return ""
}

func TestVolumesAreBoundAsPlanned(t *testing.T) {
	t.Parallel()
	plane := devplane.Start(t, devplane.Parts("scheduler", "controller-manager"))
	config := plane.Config()
	// of the beta annotation, which is drawn too
	config.QPS, config.Burst, config.WarningHandler = 1000, 1000, rest.NoWarnings{}
	api, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes() {
		if err := join(t.Context(), api, n); err != nil {
			t.Fatal(err)
		}
	}
	go provision(t.Context(), api)

	open := map[*scene][]outcome{}
	said := map[*scene]string{}
	placed := 0
	var all []*scene
	for i := range *scenes {
		s := newScene(*firstSeed + uint64(i))
		all = append(all, s)
		if open[s] = plans(t, s); open[s][0].placed {
			placed++
		}
	}
	stage(t, api, all)
	staged := time.Now()
	// Nothing is final: all have to agree at one time.
	err = wait.PollUntilContextTimeout(
		t.Context(),
		250*time.Millisecond,
		patience,
		true,
		func(ctx context.Context) (bool, error) {
			now, err := see(ctx, api)
			if err != nil {
				return false, err
			}
			clear(said)
			for s, planned := range open {
				if text := differ(planned, now.of(s)); text != "" {
					said[s] = text
				}
			}
			return len(said) == 0, nil
		},
	)
	for s, text := range said {
		t.Errorf("%s: %s\n%s", s.name, text, shown(s))
	}
	if err != nil && len(said) == 0 {
		t.Error(err)
	}
	t.Logf(
		"%d scenes, %d of the pods have a place; all had settled after %s",
		*scenes,
		placed,
		time.Since(staged).Round(time.Second),
	)
}

// join makes a node that is ready. Controllers write to it from the first moment on.
func join(ctx context.Context, api kubernetes.Interface, n *corev1.Node) error {
	if _, err := api.CoreV1().Nodes().Create(ctx, n.DeepCopy(), metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("making node %s: %w", n.Name, err)
	}
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		now, err := api.CoreV1().Nodes().Get(ctx, n.Name, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("reading node %s: %w", n.Name, err)
		}
		now.Status = n.Status
		_, err = api.CoreV1().Nodes().UpdateStatus(ctx, now, metav1.UpdateOptions{})
		return err
	})
}

// stage makes all objects, volumes first: a claim that came before its volume was there would be bound in another
// order. It returns when the scheduler has tried every pod. Of a pod that it says nothing about even then it waits for
// claims that are never bound.
func stage(t *testing.T, api kubernetes.Interface, all []*scene) {
	t.Helper()
	made := func(of func(runtime.Object) bool) {
		for _, s := range all {
			for _, o := range s.objects() {
				if !of(o) {
					continue
				}
				if err := create(t.Context(), api, o); err != nil {
					t.Fatalf("scene %s: %v", s.name, err)
				}
			}
		}
	}
	claim := func(o runtime.Object) bool { _, ok := o.(*corev1.PersistentVolumeClaim); return ok }
	pod := func(o runtime.Object) bool { _, ok := o.(*corev1.Pod); return ok }
	made(func(o runtime.Object) bool { return !claim(o) && !pod(o) })
	err := wait.PollUntilContextTimeout(
		t.Context(),
		100*time.Millisecond,
		patience,
		true,
		func(ctx context.Context) (bool, error) {
			list, err := api.CoreV1().PersistentVolumes().List(ctx, metav1.ListOptions{})
			if err != nil {
				return false, err
			}
			return !slices.ContainsFunc(list.Items, func(v corev1.PersistentVolume) bool {
				return v.Status.Phase == "" || v.Status.Phase == corev1.VolumePending
			}), nil
		},
	)
	if err != nil {
		t.Fatalf("waiting for the volumes to be available: %v", err)
	}
	made(claim)
	made(pod)
	last := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "last"}}
	last.Spec = corev1.PodSpec{
		Containers:  []corev1.Container{{Name: "app", Image: "app"}},
		Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
	}
	if err := create(t.Context(), api, last); err != nil {
		t.Fatal(err)
	}
	err = wait.PollUntilContextTimeout(
		t.Context(),
		100*time.Millisecond,
		patience,
		true,
		func(ctx context.Context) (bool, error) {
			now, err := api.CoreV1().Pods(namespace).Get(ctx, last.Name, metav1.GetOptions{})
			return err == nil && now.Spec.NodeName != "", err
		},
	)
	if err != nil {
		t.Fatalf("waiting for the scheduler to have seen every pod: %v", err)
	}
}

func create(ctx context.Context, api kubernetes.Interface, o runtime.Object) error {
	o = o.DeepCopyObject()
	var err error
	switch o := o.(type) {
	case *corev1.PersistentVolume:
		_, err = api.CoreV1().PersistentVolumes().Create(ctx, o, metav1.CreateOptions{})
	case *corev1.PersistentVolumeClaim:
		_, err = api.CoreV1().PersistentVolumeClaims(o.Namespace).Create(ctx, o, metav1.CreateOptions{})
	case *corev1.Pod:
		if _, err = api.CoreV1().
			Pods(o.Namespace).
			Create(ctx, o, metav1.CreateOptions{}); apierrors.IsForbidden(
			err,
		) {
			// The service account is not there yet on a control plane that has just started.
			err = wait.PollUntilContextTimeout(
				ctx,
				100*time.Millisecond,
				patience,
				true,
				func(ctx context.Context) (bool, error) {
					_, err := api.CoreV1().Pods(o.Namespace).Create(ctx, o, metav1.CreateOptions{})
					return err == nil, nil
				},
			)
		}
	default:
		return createClass(ctx, api, o)
	}
	return err
}

// picture is what has become of all pods and claims, by name.
type picture struct {
	pods   map[string]corev1.Pod
	claims map[string]corev1.PersistentVolumeClaim
}

func see(ctx context.Context, api kubernetes.Interface) (picture, error) {
	out := picture{map[string]corev1.Pod{}, map[string]corev1.PersistentVolumeClaim{}}
	pods, err := api.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return out, fmt.Errorf("listing pods: %w", err)
	}
	claims, err := api.CoreV1().PersistentVolumeClaims(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return out, fmt.Errorf("listing volume claims: %w", err)
	}
	for _, p := range pods.Items {
		out.pods[p.Name] = p
	}
	for _, c := range claims.Items {
		out.claims[c.Name] = c
	}
	return out, nil
}

// of is what has become of a scene.
func (p picture) of(s *scene) outcome {
	pod := p.pods[s.pod.Name]
	out := outcome{placed: pod.Spec.NodeName != "", at: []string{strings.TrimPrefix(pod.Spec.NodeName, "node-")}}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Reason == corev1.PodReasonUnschedulable {
			out.why = c.Message
		}
	}
	for _, c := range s.claims {
		out.volumes = append(
			out.volumes,
			p.claims[c.Name].Spec.VolumeName,
		) // of one that names its volume itself, also unbound
	}
	return out
}

func shown(s *scene) string {
	text, err := json.MarshalIndent(s.objects(), "", " ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// A comparison that finds nothing wrong with a wrong plan would be none.
func TestDifferencesAreSeen(t *testing.T) {
	t.Parallel()
	right := outcome{placed: true, volumes: []string{"v"}, at: []string{"a", "b"}}
	real := outcome{placed: true, volumes: []string{"v"}, at: []string{"a"}}
	if text := differs(right, real); text != "" {
		t.Errorf("a right plan: %s", text)
	}
	if text := differ([]outcome{{volumes: []string{"v"}}, right}, real); text != "" {
		t.Errorf("one right plan of two: %s", text)
	}
	for name, wrong := range map[string]outcome{
		"unplaced":     {volumes: []string{"v"}, at: []string{"a"}},
		"other zone":   {placed: true, volumes: []string{"v"}, at: []string{"b"}},
		"other volume": {placed: true, volumes: []string{"w"}, at: []string{"a"}},
	} {
		if differ([]outcome{wrong, wrong}, real) == "" {
			t.Errorf("%s: no difference seen", name)
		}
	}
}

func TestEitherClaimMayHaveTheLastVolume(t *testing.T) {
	t.Parallel()
	d := dice{rand.New(rand.NewPCG(1, 1))}
	s := &scene{name: "s"}
	s.volumes = []*corev1.PersistentVolume{newVolume("v", "s", "a")}
	s.volumes[0].Spec.Capacity, s.volumes[0].Spec.AccessModes = gibibytes(
		100,
	), []corev1.PersistentVolumeAccessMode{
		corev1.ReadWriteOnce,
	}
	for i := range 2 {
		c := &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("c%d", i)},
		}
		class := "s"
		c.Spec.StorageClassName, c.Spec.AccessModes = &class, s.volumes[0].Spec.AccessModes
		c.Spec.Resources.Requests = gibibytes(1)
		s.claims = append(s.claims, c)
	}
	s.pod = d.pod(s)
	var got [][]string
	for _, p := range plans(t, s) {
		got = append(got, p.volumes)
	}
	if want := [][]string{{"v", ""}, {"", "v"}}; !cmp.Equal(want, got) {
		t.Errorf("volumes of the claims: %q, want %q", got, want)
	}
}
