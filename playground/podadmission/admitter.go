// Package podadmission does what kwok's pretend kubelets leave out: it refuses pods that their node cannot take.
//
// A real kubelet admits a pod that is bound to its node only if there is room for it, and its node selector, host ports
// and taints suit; else the pod has failed, with a reason such as OutOfcpu. The check is Kubernetes' own. Whoever binds
// too much to a node is found out by it.
package podadmission

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/kubernetes/pkg/kubelet/lifecycle"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// fakeNode is the annotation, with the value "fake", of Nodes whose kubelet kwok plays.
const fakeNode = "kwok.x-k8s.io/node"

// Admitter admits pods to nodes, in the order in which they are bound, and refuses the others.
type Admitter struct {
	refuse func(pod *corev1.Pod, reason, message string)

	mu      sync.Mutex // guards the fields below
	nodes   map[string]*corev1.Node
	pods    map[string]map[types.UID]*corev1.Pod // those that are admitted, by node
	waiting map[string][]*corev1.Pod             // by node, until it is known
	refused map[types.UID]lifecycle.PodAdmitResult
}

// New is an Admitter that has refuse called for each pod that its node cannot take, maybe more than once.
func New(refuse func(pod *corev1.Pod, reason, message string)) *Admitter {
	return &Admitter{
		refuse: refuse, nodes: map[string]*corev1.Node{}, pods: map[string]map[types.UID]*corev1.Pod{},
		waiting: map[string][]*corev1.Pod{}, refused: map[types.UID]lifecycle.PodAdmitResult{},
	}
}

// Run watches a cluster and refuses pods there until the context ends. The error says why it cannot begin.
func Run(ctx context.Context, config *rest.Config) error {
	config = rest.CopyConfig(config)
	config.ContentType = "application/vnd.kubernetes.protobuf"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making the client of the kubelets' admission: %w", err)
	}
	a := New(func(pod *corev1.Pod, reason, message string) { go fail(ctx, client, pod, reason, message) })
	factory := informers.NewSharedInformerFactory(client, 0)
	_, err = factory.Core().V1().Nodes().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { a.Node(o.(*corev1.Node)) },
		UpdateFunc: func(_, o any) { a.Node(o.(*corev1.Node)) },
		DeleteFunc: func(o any) { forget(o, a.NodeGone) },
	})
	if err != nil {
		return fmt.Errorf("watching nodes: %w", err)
	}
	_, err = factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerDetailedFuncs{
		AddFunc:    func(o any, first bool) { a.Pod(o.(*corev1.Pod), first) },
		UpdateFunc: func(_, o any) { a.Pod(o.(*corev1.Pod), false) },
		DeleteFunc: func(o any) { forget(o, a.PodGone) },
	})
	if err != nil {
		return fmt.Errorf("watching pods: %w", err)
	}
	factory.Start(ctx.Done())
	return nil
}

func forget[T any](o any, gone func(T)) {
	if last, ok := o.(cache.DeletedFinalStateUnknown); ok {
		o = last.Obj
	}
	if object, ok := o.(T); ok {
		gone(object)
	}
}

// fail says of a pod that it has failed. Should that not work, or kwok say otherwise, the next event of the pod has it
// tried again.
func fail(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod, reason, message string) {
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"phase": corev1.PodFailed, "reason": reason,
		"message": "Pod was rejected: " + message}})
	if err != nil {
		return
	}
	_, _ = client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.MergePatchType, patch,
		metav1.PatchOptions{}, "status")
}

// Node notes that a node is there, or has changed.
func (a *Admitter) Node(n *corev1.Node) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.nodes[n.Name] = n
	waiting := a.waiting[n.Name]
	delete(a.waiting, n.Name)
	for _, pod := range waiting {
		a.admit(pod, n)
	}
}

// NodeGone notes that a node is gone.
func (a *Admitter) NodeGone(n *corev1.Node) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.nodes, n.Name)
}

// Pod notes that a pod is there, or has changed. One that ran before anybody looked was admitted then.
func (a *Admitter) Pod(pod *corev1.Pod, before bool) {
	if pod.Spec.NodeName == "" {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	here := a.pods[pod.Spec.NodeName]
	if pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded {
		delete(here, pod.UID)
		return
	}
	if result, no := a.refused[pod.UID]; no {
		a.refuse(pod, result.Reason, result.Message)
		return
	}
	_, admitted := here[pod.UID]
	switch {
	case admitted:
		here[pod.UID] = pod
	case before && pod.Status.Phase == corev1.PodRunning:
		a.take(pod)
	case a.nodes[pod.Spec.NodeName] == nil:
		list := slices.DeleteFunc(a.waiting[pod.Spec.NodeName], func(p *corev1.Pod) bool { return p.UID == pod.UID })
		a.waiting[pod.Spec.NodeName] = append(list, pod)
	default:
		a.admit(pod, a.nodes[pod.Spec.NodeName])
	}
}

// PodGone notes that a pod is gone.
func (a *Admitter) PodGone(pod *corev1.Pod) {
	a.mu.Lock()
	defer a.mu.Unlock()
	node := pod.Spec.NodeName
	delete(a.pods[node], pod.UID)
	delete(a.refused, pod.UID)
	a.waiting[node] = slices.DeleteFunc(a.waiting[node], func(p *corev1.Pod) bool { return p.UID == pod.UID })
	if len(a.waiting[node]) == 0 {
		delete(a.waiting, node)
	}
}

func (a *Admitter) take(pod *corev1.Pod) {
	node := pod.Spec.NodeName
	if a.pods[node] == nil {
		a.pods[node] = map[types.UID]*corev1.Pod{}
	}
	a.pods[node][pod.UID] = pod
}

// admit decides about a pod that has come to a node.
func (a *Admitter) admit(pod *corev1.Pod, node *corev1.Node) {
	if node.Annotations[fakeNode] != "fake" {
		return
	}
	judged, node := asOfItsOwn(pod, node)
	judge := lifecycle.NewPredicateAdmitHandler(
		func(context.Context, bool) (*corev1.Node, error) { return node, nil },
		lifecycle.NewAdmissionFailureHandlerStub(),
		func(*framework.NodeInfo, *lifecycle.PodAdmitAttributes) error { return nil },
	)
	others := slices.Collect(maps.Values(a.pods[node.Name]))
	result := judge.Admit(&lifecycle.PodAdmitAttributes{
		Pod: judged, OtherPods: others, Operation: lifecycle.AddOperation,
	})
	if result.Admit {
		a.take(pod)
		return
	}
	a.refused[pod.UID] = result
	a.refuse(pod, result.Reason, result.Message)
}

// asOfItsOwn are pod and node as a kubelet of this process's operating system judges them. It writes its own system
// into the node's labels, which belong to a cache here; and a pod that selects the other system would not match them.
func asOfItsOwn(pod *corev1.Pod, node *corev1.Node) (*corev1.Pod, *corev1.Node) {
	node = node.DeepCopy()
	if system := node.Labels[corev1.LabelOSStable]; system == "" || system == runtime.GOOS {
		return pod, node
	}
	pod = pod.DeepCopy()
	for _, label := range []string{corev1.LabelOSStable, "beta.kubernetes.io/os"} {
		delete(pod.Spec.NodeSelector, label)
	}
	return pod, node
}
