package devicedriver

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
)

// Prepared is the annotation, with the value "true", of pods whose claims the driver has prepared.
const Prepared = "playground.dovetail.sh/devices-prepared"

// fakeNode is the annotation, with the value "fake", of Nodes whose kubelet kwok plays.
const fakeNode = "kwok.x-k8s.io/node"

// driver publishes and prepares.
type driver struct {
	client kubernetes.Interface
	now    func() time.Time
	queue  workqueue.TypedRateLimitingInterface[task]
	nodes  cache.Store
	claims cache.Store

	mu     sync.Mutex // guards the field below
	stocks map[string][]Stock
}

// task names what is to be looked at: a Node or a ResourceClaim.
type task struct {
	node  string
	claim types.NamespacedName
}

// Run drives the devices of a cluster until the context ends. The error says why it cannot begin.
func Run(ctx context.Context, config *rest.Config) error {
	config = rest.CopyConfig(config)
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.QPS, config.Burst = 200, 400
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making the client of the driver of devices: %w", err)
	}
	return start(ctx, client, time.Now)
}

func start(ctx context.Context, client kubernetes.Interface, now func() time.Time) error {
	d := &driver{
		client: client, now: now, stocks: map[string][]Stock{},
		queue: workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[task]()),
	}
	told := informers.NewSharedInformerFactoryWithOptions(client, 0,
		informers.WithNamespace(metav1.NamespaceSystem),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = Label }))
	all := informers.NewSharedInformerFactory(client, 0)
	nodes := all.Core().V1().Nodes().Informer()
	claims := all.Resource().V1().ResourceClaims().Informer()
	d.nodes, d.claims = nodes.GetStore(), claims.GetStore()
	for informer, f := range map[cache.SharedIndexInformer]func(o any, there bool){
		told.Core().V1().ConfigMaps().Informer(): d.told, nodes: d.node, claims: d.claim,
	} {
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(o any) { f(o, true) },
			UpdateFunc: func(_, o any) { f(o, true) },
			DeleteFunc: func(o any) { f(o, false) },
		}); err != nil {
			return fmt.Errorf("watching what the driver of devices goes by: %w", err)
		}
	}
	told.Start(ctx.Done())
	all.Start(ctx.Done())
	context.AfterFunc(ctx, d.queue.ShutDown)
	go d.work(ctx)
	return nil
}

// told notes what a ConfigMap says.
func (d *driver) told(o any, there bool) {
	c, ok := o.(*corev1.ConfigMap)
	if !ok {
		return
	}
	var list []Stock
	if there {
		var err error
		if list, err = stocksOf(c); err != nil {
			klog.ErrorS(err, "Left out devices that cannot be read")
		}
	}
	d.mu.Lock()
	d.stocks[c.Name] = list
	d.mu.Unlock()
	for _, name := range d.nodes.ListKeys() {
		d.queue.Add(task{node: name})
	}
}

func (d *driver) node(o any, there bool) {
	if n, ok := o.(*corev1.Node); ok && there && n.Annotations[fakeNode] == "fake" {
		d.queue.Add(task{node: n.Name})
	}
}

func (d *driver) claim(o any, there bool) {
	c, ok := o.(*resourcev1.ResourceClaim)
	if ok && there && c.Status.Allocation != nil && len(c.Status.ReservedFor) > 0 {
		d.queue.Add(task{claim: types.NamespacedName{Namespace: c.Namespace, Name: c.Name}})
	}
}

// work does what is queued, until the queue is shut down.
func (d *driver) work(ctx context.Context) {
	for {
		next, over := d.queue.Get()
		if over {
			return
		}
		again, err := d.do(ctx, next)
		switch {
		case err != nil:
			klog.ErrorS(err, "Driving devices", "node", next.node, "claim", next.claim)
			d.queue.AddRateLimited(next)
		default:
			d.queue.Forget(next)
			if again > 0 {
				d.queue.AddAfter(next, again)
			}
		}
		d.queue.Done(next)
	}
}

func (d *driver) do(ctx context.Context, t task) (again time.Duration, err error) {
	if t.node != "" {
		return d.publish(ctx, t.node)
	}
	return 0, d.prepare(ctx, t.claim)
}

// publish makes those slices of a node that there are to be by now.
func (d *driver) publish(ctx context.Context, name string) (again time.Duration, err error) {
	o, there, err := d.nodes.GetByKey(name)
	n, ok := o.(*corev1.Node)
	if err != nil || !there || !ok || n.Annotations[fakeNode] != "fake" {
		return 0, err
	}
	list, again := wanted(d.all(), n, d.now())
	for _, s := range list {
		_, err := d.client.ResourceV1().ResourceSlices().Create(ctx, s, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return 0, fmt.Errorf("publishing ResourceSlice %s: %w", s.Name, err)
		}
	}
	return again, nil
}

// all are the stocks of all ConfigMaps.
func (d *driver) all() (out []Stock) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, list := range d.stocks {
		out = append(out, list...)
	}
	return out
}

// prepare does for the pods of a claim what a kubelet has a driver do before their containers start.
func (d *driver) prepare(ctx context.Context, name types.NamespacedName) error {
	c := d.allocated(name)
	if c == nil {
		return nil
	}
	if err := d.ready(ctx, c); err != nil {
		return err
	}
	for _, user := range c.Status.ReservedFor {
		if user.Resource != "pods" {
			continue
		}
		pod, err := d.client.CoreV1().Pods(c.Namespace).Get(ctx, user.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && pod.UID != user.UID {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading pod %s/%s: %w", c.Namespace, user.Name, err)
		}
		if pod.Annotations[Prepared] != "true" && d.complete(pod) {
			if err := d.release(ctx, pod); err != nil {
				return err
			}
		}
	}
	return nil
}

// allocated is a claim that has devices; nil if it has none.
func (d *driver) allocated(name types.NamespacedName) *resourcev1.ResourceClaim {
	o, _, _ := d.claims.GetByKey(name.String()) // a store in memory does not fail
	if c, ok := o.(*resourcev1.ResourceClaim); ok && c.Status.Allocation != nil {
		return c
	}
	return nil
}

// complete reports whether all claims of a pod are allocated and reserved for it.
func (d *driver) complete(pod *corev1.Pod) bool {
	for _, name := range claimsOf(pod) {
		c := d.allocated(types.NamespacedName{Namespace: pod.Namespace, Name: name})
		if name == "" || c == nil || !reservedFor(c, pod) {
			return false
		}
	}
	return true
}

// claimsOf are the names of a pod's claims, empty for those that are still to be made.
func claimsOf(pod *corev1.Pod) (out []string) {
	made := map[string]*string{}
	for _, s := range pod.Status.ResourceClaimStatuses {
		made[s.Name] = s.ResourceClaimName
	}
	for _, entry := range pod.Spec.ResourceClaims {
		name, known := made[entry.Name]
		switch {
		case entry.ResourceClaimName != nil:
			out = append(out, *entry.ResourceClaimName)
		case !known:
			out = append(out, "")
		case name != nil: // else there is nothing to claim
			out = append(out, *name)
		}
	}
	if s := pod.Status.ExtendedResourceClaimStatus; s != nil {
		out = append(out, s.ResourceClaimName)
	}
	return out
}

func reservedFor(c *resourcev1.ResourceClaim, pod *corev1.Pod) bool {
	for _, user := range c.Status.ReservedFor {
		if user.UID == pod.UID {
			return true
		}
	}
	return false
}

// ready says in a claim's status that its devices are ready.
func (d *driver) ready(ctx context.Context, c *resourcev1.ResourceClaim) error {
	if len(c.Status.Devices) > 0 {
		return nil
	}
	own := c.DeepCopy()
	for _, r := range c.Status.Allocation.Devices.Results {
		var share *string
		if r.ShareID != nil {
			text := string(*r.ShareID)
			share = &text
		}
		own.Status.Devices = append(own.Status.Devices, resourcev1.AllocatedDeviceStatus{
			Driver: r.Driver, Pool: r.Pool, Device: r.Device, ShareID: share,
			Conditions: []metav1.Condition{{
				Type: "Ready", Status: metav1.ConditionTrue, Reason: "Prepared",
				LastTransitionTime: metav1.NewTime(d.now()),
			}},
		})
	}
	_, err := d.client.ResourceV1().ResourceClaims(c.Namespace).UpdateStatus(ctx, own, metav1.UpdateOptions{})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil // the claim has changed, so it comes again
	}
	if err != nil {
		return fmt.Errorf("preparing ResourceClaim %s/%s: %w", c.Namespace, c.Name, err)
	}
	return nil
}

// release lets a pod run.
func (d *driver) release(ctx context.Context, pod *corev1.Pod) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": pod.UID, "annotations": map[string]string{Prepared: "true"},
	}})
	if err != nil {
		return fmt.Errorf("writing a patch: %w", err)
	}
	_, err = d.client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.MergePatchType, patch,
		metav1.PatchOptions{})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("letting pod %s/%s run: %w", pod.Namespace, pod.Name, err)
	}
	return nil
}
