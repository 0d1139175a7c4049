package lifecycle

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) metav1.Time { return metav1.NewTime(noon.Add(-d)) }

// aged is a claim that was created so long ago.
func aged(d time.Duration, conditions ...metav1.Condition) *karpenterv1.NodeClaim {
	claim := &karpenterv1.NodeClaim{}
	claim.Name, claim.UID, claim.CreationTimestamp = "general-x7", "uid-1", ago(d)
	claim.Spec.NodeClassRef = &karpenterv1.NodeClassReference{Group: "test", Kind: "TestClass", Name: "default"}
	claim.Status.Conditions = conditions
	return claim
}

func holds(conditionType string, since time.Duration) metav1.Condition {
	return metav1.Condition{
		Type:               conditionType,
		Status:             metav1.ConditionTrue,
		Reason:             conditionType,
		LastTransitionTime: ago(since),
	}
}

func readyNode(name string, change ...func(*corev1.Node)) corev1.Node {
	node := corev1.Node{}
	node.Name, node.Spec.ProviderID = name, "test://"+name
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	node.Status.Allocatable = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("4")}
	for _, c := range change {
		c(&node)
	}
	return node
}

func carrying(key string, effect corev1.TaintEffect) func(*corev1.Node) {
	return func(n *corev1.Node) {
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: key, Effect: effect})
	}
}

func notReady(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionFalse }

func TestNext(t *testing.T) {
	t.Parallel()
	const launched, registered, initialized = karpenterv1.ConditionLaunched, karpenterv1.ConditionRegistered, karpenterv1.ConditionInitialized
	limits := Limits{Launch: 5 * time.Minute, Registration: 15 * time.Minute, Initialization: time.Hour}
	joined := func(since time.Duration) []metav1.Condition {
		return []metav1.Condition{holds(launched, since), holds(registered, since)}
	}
	withStartupTaint := aged(time.Hour, joined(time.Minute)...)
	withStartupTaint.Spec.StartupTaints = []karpenterv1.Taint{{Key: "cni", Effect: corev1.TaintEffectNoSchedule}}
	withGPU := aged(time.Hour, joined(time.Minute)...)
	withGPU.Spec.Resources.Requests = corev1.ResourceList{
		"nvidia.com/gpu":   resource.MustParse("1"),
		corev1.ResourceCPU: resource.MustParse("1"),
	}

	anew := func(since time.Duration, labels ...string) corev1.Node {
		return readyNode(
			"a",
			carrying(karpenterv1.UnregisteredTaintKey, corev1.TaintEffectNoExecute),
			func(n *corev1.Node) {
				n.CreationTimestamp, n.Labels = ago(since), map[string]string{}
				for _, l := range labels {
					n.Labels[l] = "true"
				}
			},
		)
	}
	done := aged(time.Hour, append(joined(time.Hour), holds(initialized, time.Hour))...)
	mine := func(name string, change ...func(*corev1.Node)) corev1.Node {
		n := readyNode(name, change...)
		n.Labels = map[string]string{karpenterv1.NodeRegisteredLabelKey: "true"}
		return n
	}
	open := func(n corev1.Node) corev1.Node { n.Spec.Taints = nil; return n }
	bare := func(since time.Duration, labels ...string) corev1.Node { return open(anew(since, labels...)) }
	named := func(c *karpenterv1.NodeClaim) *karpenterv1.NodeClaim {
		c = c.DeepCopy()
		c.Status.NodeName = "a"
		return c
	}
	justDone := aged(time.Hour, append(joined(time.Second), holds(initialized, time.Second))...)
	gone := func(since time.Duration) *karpenterv1.NodeClaim {
		c := named(done)
		condition.Set(c, noon.Add(-since), missing(c))
		return c
	}

	type outcome struct {
		kind   kind
		open   string // reason of the open condition
		reason string
		again  time.Duration
	}
	cases := map[string]struct {
		why    string
		claim  *karpenterv1.NodeClaim
		nodes  []corev1.Node
		limits Limits
		want   outcome
	}{
		"New": {
			"A new claim is launched at once.",
			aged(0),
			nil,
			limits,
			outcome{kind: launch, again: 5 * time.Minute},
		},
		"LaunchTimesOut": {
			"Launching is given up when its time is over.",
			aged(5 * time.Minute),
			nil,
			limits,
			outcome{kind: giveUp, reason: "launch_timeout"},
		},
		"LaunchHasNoLimit": {
			"A limit of 0 is an hour: nobody serves the pods elsewhere meanwhile.",
			aged(50 * time.Minute),
			nil,
			Limits{},
			outcome{kind: launch, again: 10 * time.Minute},
		},
		"LaunchNeverEnds": {
			"After that others may try.",
			aged(time.Hour),
			nil,
			Limits{},
			outcome{kind: giveUp, reason: "launch_timeout"},
		},
		"NodeIsOnItsWay": {
			"Before the node joins there is only to wait, until the limit.",
			aged(time.Hour, holds(launched, time.Minute)),
			nil,
			limits,
			outcome{rest, "NodeNotFound", "", 14 * time.Minute},
		},
		"NodeNeverCame": {
			"A node that does not join in time is given up, counted from the launch.",
			aged(16*time.Minute, holds(launched, 15*time.Minute)),
			nil,
			limits,
			outcome{kind: giveUp, reason: "registration_timeout"},
		},
		"SlowLaunch": {
			"Time that launching took does not count for registration.",
			aged(16*time.Minute, holds(launched, 12*time.Minute)),
			nil,
			limits,
			outcome{rest, "NodeNotFound", "", 3 * time.Minute},
		},
		"NodeJoined": {
			"The node that joined is registered, ready or not.",
			aged(time.Hour, holds(launched, time.Minute)),
			[]corev1.Node{readyNode("a", notReady)},
			limits,
			outcome{kind: register},
		},
		"LateButThere": {
			"A node that joined after the limit is better than none.",
			aged(time.Hour, holds(launched, time.Hour)),
			[]corev1.Node{readyNode("a")},
			limits,
			outcome{kind: register},
		},
		"TwoNodes": {
			"Which of two nodes is the machine nobody can say.",
			aged(time.Hour, holds(launched, time.Minute)),
			[]corev1.Node{readyNode("a"), readyNode("b")},
			limits,
			outcome{rest, "MultipleNodesFound", "", 14 * time.Minute},
		},
		"NotReady": {
			"A node that is not Ready takes no pods.",
			aged(time.Hour, joined(time.Minute)...),
			[]corev1.Node{mine("a", notReady)},
			limits,
			outcome{rest, "NodeNotReady", "", 59 * time.Minute},
		},
		"StartupTaint": {
			"Someone else takes the startup taint away.",
			withStartupTaint,
			[]corev1.Node{mine("a", carrying("cni", corev1.TaintEffectNoSchedule))},
			limits,
			outcome{rest, "StartupTaintsExist", "", 59 * time.Minute},
		},
		"OtherTaint": {
			"A taint that is not a startup taint is for pods to tolerate.",
			withStartupTaint,
			[]corev1.Node{mine("a", carrying("team", corev1.TaintEffectNoSchedule))},
			limits,
			outcome{kind: initialize},
		},
		"Uninitialized": {
			"The cloud's controller is not done.",
			aged(time.Hour, joined(time.Minute)...),
			[]corev1.Node{
				mine("a", carrying("node.cloudprovider.kubernetes.io/uninitialized", corev1.TaintEffectNoSchedule)),
			},
			limits,
			outcome{rest, "KnownEphemeralTaintsExist", "", 59 * time.Minute},
		},
		"ReadinessGate": {
			"Taints of readiness.k8s.io go by themselves.",
			aged(time.Hour, joined(time.Minute)...),
			[]corev1.Node{mine("a", carrying("readiness.k8s.io/cni", corev1.TaintEffectNoSchedule))},
			limits,
			outcome{rest, "KnownEphemeralTaintsExist", "", 59 * time.Minute},
		},
		"DevicePluginMissing": {
			"A GPU that pods were planned for is not there yet.",
			withGPU,
			[]corev1.Node{mine("a")},
			limits,
			outcome{rest, "ResourceNotRegistered", "", 59 * time.Minute},
		},
		"DevicePluginThere": {
			"All that was asked for is there.",
			withGPU,
			[]corev1.Node{
				mine("a", func(n *corev1.Node) { n.Status.Allocatable["nvidia.com/gpu"] = resource.MustParse("1") }),
			},
			limits,
			outcome{kind: initialize},
		},
		"NeverInitialized": {
			"A node that joined and stays unusable is given up.",
			aged(2*time.Hour, joined(time.Hour)...),
			[]corev1.Node{mine("a", notReady)},
			limits,
			outcome{kind: giveUp, reason: "initialization_timeout"},
		},
		"Ready": {
			"A ready node is initialized.",
			aged(2*time.Hour, joined(time.Hour)...),
			[]corev1.Node{mine("a")},
			limits,
			outcome{kind: initialize},
		},
		"Done": {
			"What is initialized stays so: a node that fails later is for repair.",
			aged(time.Hour, append(joined(time.Hour), holds(initialized, time.Hour))...),
			[]corev1.Node{mine("a", notReady)},
			limits,
			outcome{kind: rest},
		},
		"Anew": {
			"Somebody deleted the Node by force, and the kubelet made another one: it is as bare as a new one.",
			done,
			[]corev1.Node{anew(time.Minute)},
			limits,
			outcome{kind: register},
		},
		"AnewTooEarly": {
			"So it is if that happened before it was ready.",
			aged(time.Hour, joined(time.Hour)...),
			[]corev1.Node{anew(time.Minute)},
			limits,
			outcome{kind: register},
		},
		"AnewStarts": {
			"Then it becomes ready, and the claim stays what it is meanwhile.",
			done,
			[]corev1.Node{anew(time.Minute, karpenterv1.NodeRegisteredLabelKey)},
			limits,
			outcome{kind: rest},
		},
		"AnewReady": {
			"And is marked as such.",
			done,
			[]corev1.Node{open(anew(time.Minute, karpenterv1.NodeRegisteredLabelKey))},
			limits,
			outcome{kind: initialize},
		},
		"AnewDone": {
			"That is all.",
			done,
			[]corev1.Node{
				open(anew(time.Minute, karpenterv1.NodeRegisteredLabelKey, karpenterv1.NodeInitializedLabelKey)),
			},
			limits,
			outcome{kind: rest},
		},
		"StaleCache": {
			"The Node is older than its registration of a moment ago: that its labels are missing is the cache's delay.",
			justDone,
			[]corev1.Node{bare(2 * time.Hour)},
			limits,
			outcome{kind: rest, again: 30 * time.Second},
		},
		"Stripped": {
			"Somebody took our labels away.",
			done,
			[]corev1.Node{bare(2 * time.Hour)},
			limits,
			outcome{kind: register},
		},
		"HalfStripped": {
			"Or one of them.",
			done,
			[]corev1.Node{bare(2*time.Hour, karpenterv1.NodeRegisteredLabelKey)},
			limits,
			outcome{kind: initialize},
		},
		"Gone": {
			"The Node was deleted by force and its machine runs on.",
			named(done),
			nil,
			limits,
			outcome{kind: miss},
		},
		"GoneSince": {
			"Its kubelet may be started anew.",
			gone(time.Minute),
			nil,
			limits,
			outcome{kind: rest, again: time.Minute},
		},
		"GoneForGood": {
			"Nobody waits for it without a limit.",
			gone(2 * time.Minute),
			nil,
			limits,
			outcome{kind: giveUp, reason: "node_gone"},
		},
		"BackAgain": {
			"It was started anew.",
			gone(3 * time.Minute),
			[]corev1.Node{bare(time.Second)},
			limits,
			outcome{kind: register},
		},
		"TwoNodesLater": {
			"A second Node of the machine does not keep the first from being what it is.",
			named(done),
			[]corev1.Node{bare(2*time.Hour, karpenterv1.NodeRegisteredLabelKey), readyNode("b")},
			limits,
			outcome{kind: initialize},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := next(sight{claim: tc.claim, nodes: tc.nodes, now: noon, limits: tc.limits})
			seen := outcome{got.kind, got.open.Reason, got.reason, got.again}
			if diff := cmp.Diff(tc.want, seen, cmp.AllowUnexported(outcome{})); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.why, diff)
			}
		})
	}
}
