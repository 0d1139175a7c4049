package apply_test

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/apply"
)

// cloaked is a reader of what the API server has, where a bench's client is the cache that lags behind.
type cloaked struct {
	client.Reader
	hidden []corev1.Pod // of the node; what the cache has comes beside
	node   map[string]string
	fail   error
}

func (c *cloaked) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	if c.fail != nil {
		return c.fail
	}
	if err := c.Reader.List(ctx, list, opts...); err != nil {
		return err
	}
	if pods, ok := list.(*corev1.PodList); ok {
		for _, p := range c.hidden {
			pods.Items = append(dropped(pods.Items, p.Name), p)
		}
	}
	return nil
}

func dropped(pods []corev1.Pod, name string) (out []corev1.Pod) {
	for _, p := range pods {
		if p.Name != name {
			out = append(out, p)
		}
	}
	return out
}

func (c *cloaked) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	if c.fail != nil {
		return c.fail
	}
	err := c.Reader.Get(ctx, key, o, opts...)
	if err == nil && c.node != nil {
		o.SetAnnotations(c.node)
	}
	return err
}

// onNode is a pod on the node of retirement.
func onNode(name string, change ...func(*corev1.Pod)) corev1.Pod {
	pod := pending(name)
	pod.UID, pod.Spec.NodeName, pod.Status.Phase = types.UID("uid-"+name), "n", corev1.PodRunning
	for _, f := range change {
		f(pod)
	}
	return *pod
}

func held(pod *corev1.Pod) {
	pod.Annotations = map[string]string{karpenterv1.DoNotDisruptAnnotationKey: "true"}
}

func ownedBy(kind string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		yes := true
		pod.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: "o", Controller: &yes}}
	}
}

// retirement deletes a claim with a node on which the cache shows these pods, and reports whether it went.
func retirement(t interface {
	Helper()
	Fatal(args ...any)
	Context() context.Context
}, b bench, live *cloaked, reason string, cached ...corev1.Pod) (gone bool, err error) {
	t.Helper()
	ctx := t.Context()
	claim := &karpenterv1.NodeClaim{ObjectMeta: metav1.ObjectMeta{Name: "q-1", UID: "1"}}
	claim.Status.NodeName = "n"
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}}
	for _, o := range []client.Object{claim, node} {
		if err := b.client.Create(ctx, o); err != nil {
			t.Fatal(err)
		}
	}
	for i := range cached {
		if err := b.client.Create(ctx, cached[i].DeepCopy()); err != nil {
			t.Fatal(err)
		}
	}
	live.Reader, b.Live = b.client, live
	err = b.Retire(ctx, claim.DeepCopy(), reason)
	found := b.client.Get(ctx, client.ObjectKeyFromObject(claim), claim)
	return client.IgnoreNotFound(found) == nil && found != nil, err
}

// TestWhatTheCacheDoesNotShowKeepsANode has watches that are behind: what the API server has decides.
func TestWhatTheCacheDoesNotShowKeepsANode(t *testing.T) {
	t.Parallel()
	web := onNode("web")
	cases := map[string]struct {
		why    string
		reason string
		cached []corev1.Pod
		live   cloaked
		gone   bool
	}{
		"Empty":       {"It is empty.", "empty", nil, cloaked{}, true},
		"EmptyNoMore": {"A pod has come.", "empty", nil, cloaked{hidden: []corev1.Pod{web}}, false},
		"EmptyAndKnown": {
			"The cache has caught up since the decision.",
			"empty",
			[]corev1.Pod{web},
			cloaked{},
			false,
		},
		"Daemon": {
			"Pods of DaemonSets go with their node.",
			"empty",
			nil,
			cloaked{hidden: []corev1.Pod{onNode("agent", ownedBy("DaemonSet"))}},
			true,
		},
		"Done": {
			"So do those that have finished.",
			"empty",
			nil,
			cloaked{
				hidden: []corev1.Pod{onNode("job", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded })},
			},
			true,
		},
		"Move": {"What moves was known.", "underutilized", []corev1.Pod{web}, cloaked{}, true},
		"MoveOfMore": {
			"Another pod has come, and nobody knows where it could go.",
			"underutilized",
			[]corev1.Pod{web},
			cloaked{hidden: []corev1.Pod{onNode("new")}},
			false,
		},
		"HeldSince": {
			"Somebody forbade to disrupt it.",
			"drifted",
			[]corev1.Pod{web},
			cloaked{hidden: []corev1.Pod{onNode("web", held)}},
			false,
		},
		"HeldAndKnown": {
			"It was weighed when the node was chosen: some choices may.",
			"drifted",
			[]corev1.Pod{onNode("web", held)},
			cloaked{},
			true,
		},
		"NodeHeldSince": {
			"Somebody forbade to disrupt the node.",
			"empty",
			nil,
			cloaked{node: map[string]string{karpenterv1.DoNotDisruptAnnotationKey: "true"}},
			false,
		},
		"NoAnswer": {
			"Nobody knows what is there.",
			"empty",
			nil,
			cloaked{fail: errors.New("too many requests")},
			false,
		},
		"NobodysChoice": {
			"The cloud takes the machine, whatever is on it.",
			"spot_interrupted",
			nil,
			cloaked{hidden: []corev1.Pod{web}},
			true,
		},
		"NoChoiceAtAll": {
			"And nobody has to be asked.",
			"instance_terminated",
			nil,
			cloaked{fail: errors.New("too many requests")},
			true,
		},
		"UnknownReasons": {
			"A reason that nobody has thought of is a choice.",
			"whim",
			nil,
			cloaked{hidden: []corev1.Pod{web}},
			false,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gone, err := retirement(t, setUp(t, ready, nil, pool("q")), &tc.live, tc.reason, tc.cached...)
			if gone != tc.gone || (err == nil) != tc.gone {
				t.Errorf("%s\ngone %v, want %v (%v)", tc.why, gone, tc.gone, err)
			}
			if err != nil && tc.live.fail == nil && !errors.Is(err, apply.ErrNotAsSeen) {
				t.Errorf("%s\nerror %v does not say that the node is not as it was seen", tc.why, err)
			}
		})
	}
}

// TestNoNodeGoesByChoiceUnderAPodThatWasNotSeen holds what the last look promises, for every reason that a loop may
// have or get.
func TestNoNodeGoesByChoiceUnderAPodThatWasNotSeen(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var cached, hidden []corev1.Pod
		for i := range rapid.IntRange(0, 4).Draw(rt, "pods") {
			pod := onNode(string(rune('a' + i)))
			if rapid.Bool().Draw(rt, "seen") {
				cached = append(cached, pod)
				continue
			}
			hidden = append(hidden, pod)
		}
		reason := rapid.SampledFrom([]string{"empty", "underutilized", "drifted", "balanced", "anything"}).
			Draw(rt, "reason")
		gone, _ := retirement(rt, setUp(t, ready, nil, pool("q")), &cloaked{hidden: hidden}, reason, cached...)
		if want := len(hidden) == 0 && (reason != "empty" || len(cached) == 0); gone != want {
			rt.Fatalf(
				"gone %v with %d pods that were seen and %d that were not, for reason %s",
				gone,
				len(cached),
				len(hidden),
				reason,
			)
		}
	})
}
