package agreement

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	kwokv1alpha1 "github.com/dovetail-sh/dovetail/api/kwok/v1alpha1"
)

// Setting is a cluster on which Dovetail runs already, and that is empty.
type Setting struct {
	Config  *rest.Config
	Metrics string // address of Dovetail's metrics page
	Journal string // directory of Dovetail's journal

	Pool  client.Object
	Class client.Object

	// Patience bounds the wait for all pods to run.
	Patience time.Duration

	// Say is told how it goes.
	Say func(format string, args ...any)
}

// Result is what was measured. Prices are in dollars an hour.
type Result struct {
	Pods, Nodes          int
	Planned, Bought      float64 // by the first plan, and by all of them
	Bound                float64 // of the first plan
	Running              float64 // price when all pods ran
	Plans                int
	AsPlanned, Elsewhere int // pods that were bound after having been planned
	Refused              int // pods that kubelets refused: their node had too little for them
	Took                 time.Duration
	CPU                  time.Duration
	Memory               int64 // bytes resident at the end
}

const (
	pollEvery   = 250 * time.Millisecond
	reportEvery = 10 * time.Second
	// settle is how long after the last pod runs Dovetail's own gauges may take to show it.
	settle = 3 * time.Second
)

// Run deploys a workload, and then creates the pool, so that one plan sees all pods, and measures. The error says what
// did not come true in time.
func Run(ctx context.Context, setting Setting, workload Workload) (Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, err := newClient(ctx, setting.Config)
	if err != nil {
		return Result{}, err
	}
	for _, g := range workload.Groups {
		if err := create(ctx, c, g.deployment()); err != nil {
			return Result{}, err
		}
	}
	if err := await(ctx, c, setting, "refused by the scheduler", workload.Pods(), refused); err != nil {
		return Result{}, err
	}
	began := time.Now()
	if err := create(ctx, c, setting.Class, setting.Pool); err != nil {
		return Result{}, err
	}
	if err := await(ctx, c, setting, "running", workload.Pods(), running); err != nil {
		return Result{}, err
	}
	took := time.Since(began)
	if err := pause(ctx, settle); err != nil {
		return Result{}, err
	}
	return measure(ctx, c, setting, workload, took)
}

// newClient reads what a watch told, until ctx ends: looking every moment must take nothing from those who are
// measured, and listing 3,000 pods four times a second would take the API server most of a core.
func newClient(ctx context.Context, config *rest.Config) (client.Client, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(
		clientgoscheme.AddToScheme(scheme),
		karpenterv1.AddToScheme(scheme),
		kwokv1alpha1.AddToScheme(scheme),
		awsv1.AddToScheme(scheme),
	); err != nil {
		return nil, fmt.Errorf("building the scheme: %w", err)
	}
	watched, err := cache.New(
		config,
		cache.Options{Scheme: scheme, DefaultUnsafeDisableDeepCopy: new(true)},
	) // nobody here changes what was read
	if err != nil {
		return nil, fmt.Errorf("watching the cluster: %w", err)
	}
	go func() { _ = watched.Start(ctx) }() // a watch that fails is tried again
	c, err := client.New(config, client.Options{Scheme: scheme, Cache: &client.CacheOptions{Reader: watched}})
	if err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	return c, nil
}

func create(ctx context.Context, c client.Client, objects ...client.Object) error {
	for _, o := range objects {
		if err := c.Create(ctx, o); err != nil {
			return fmt.Errorf("creating %T %s: %w", o, o.GetName(), err)
		}
	}
	return nil
}

func running(pod *corev1.Pod) bool { return pod.Status.Phase == corev1.PodRunning }

// refused pods are those that Dovetail plans for.
func refused(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Reason == corev1.PodReasonUnschedulable {
			return true
		}
	}
	return false
}

// await waits for so many pods to be so.
func await(
	ctx context.Context,
	c client.Client,
	setting Setting,
	what string,
	pods int,
	is func(*corev1.Pod) bool,
) error {
	ctx, cancel := context.WithTimeout(ctx, setting.Patience)
	defer cancel()
	said := time.Now()
	for {
		var list corev1.PodList
		n := 0
		err := c.List(ctx, &list)
		for i := range list.Items {
			if is(&list.Items[i]) {
				n++
			}
		}
		if err == nil && n == pods {
			return nil
		}
		if time.Since(said) >= reportEvery {
			said = time.Now()
			setting.Say("%d of %d pods are %s", n, pods, what)
		}
		if pause(ctx, pollEvery) != nil {
			return errors.Join(
				fmt.Errorf("waited %s for %d pods to be %s; %d are", setting.Patience, pods, what, n),
				err,
			)
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func measure(
	ctx context.Context,
	c client.Client,
	setting Setting,
	workload Workload,
	took time.Duration,
) (Result, error) {
	m, err := scrape(ctx, setting.Metrics)
	if err != nil {
		return Result{}, err
	}
	p, err := readPlans(setting.Journal)
	if err != nil {
		return Result{}, err
	}
	var nodes corev1.NodeList
	if err := c.List(ctx, &nodes); err != nil {
		return Result{}, fmt.Errorf("listing nodes: %w", err)
	}
	var pods corev1.PodList
	if err := c.List(ctx, &pods); err != nil {
		return Result{}, fmt.Errorf("listing pods: %w", err)
	}
	refusals := 0
	for i := range pods.Items {
		if pods.Items[i].Status.Phase == corev1.PodFailed {
			refusals++
		}
	}
	return Result{
		Pods: workload.Pods(), Nodes: len(nodes.Items), Plans: p.count,
		Planned: p.first.Float(), Bought: p.all.Float(), Bound: p.bound.Float(), Running: m.price,
		AsPlanned: int(m.asPlanned), Elsewhere: int(m.elsewhere), Refused: refusals, Took: took,
		CPU: time.Duration(m.cpu * float64(time.Second)), Memory: int64(m.memory),
	}, nil
}
