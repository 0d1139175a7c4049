package match

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	kwokv1alpha1 "github.com/dovetail-sh/dovetail/api/kwok/v1alpha1"
	"github.com/dovetail-sh/dovetail/bench/arena/contestant"
	"github.com/dovetail-sh/dovetail/bench/arena/gauge"
	"github.com/dovetail-sh/dovetail/bench/arena/play"
	"github.com/dovetail-sh/dovetail/bench/arena/ware"
	"github.com/dovetail-sh/dovetail/playground/cluster"
	"github.com/dovetail-sh/dovetail/provider/kwok"
)

const (
	sampleEvery = time.Second
	readyWithin = time.Minute
	// consolidateAfter is what pools say where settings are equal.
	consolidateAfter = 15 * time.Second
	// spotShare is what spot machines of the kwok cloud cost of the price on demand.
	spotShare = 0.7
)

// one makes a run on a cluster of its own. Whatever goes wrong is in the result.
func one(ctx context.Context, o Options, r Run, types string, say func(string, ...any)) Result {
	out := Result{
		Play: r.Play.Name, About: r.Play.About, Contestant: r.Contestant.Name, Controller: r.Contestant.Controller,
		Policy: r.Contestant.Policy, Settings: string(r.Settings), Load: load(),
	}
	program := contestant.Program{Binary: o.Karpenter, Types: types}
	if r.Contestant.Controller == contestant.Dovetail {
		program.Binary, program.More = o.Dovetail, o.More
	}
	var deaths []string
	c, err := cluster.Start(ctx, cluster.Options{
		Binary: o.Playground, Keep: o.Keep, Programs: []cluster.Program{r.Contestant.On(r.Settings, program)},
		Report: func(e cluster.Event) {
			if e.Kind == cluster.Died {
				say("  %s", e)
			}
		},
	})
	if err != nil {
		out.Failed = fmt.Sprintf("starting the cluster: %v", err)
		return out
	}
	out.Measures, err = perform(ctx, o, r, c, say)
	for _, p := range c.State().Parts {
		if p.Restarts > 0 {
			deaths = append(deaths, fmt.Sprintf("%s died %d times", p.Name, p.Restarts))
		}
	}
	if o.Keep {
		say("  logs are in %s", c.Dir())
	}
	if err := errors.Join(err, c.Stop()); err != nil {
		deaths = append([]string{err.Error()}, deaths...)
	}
	out.Failed = strings.ReplaceAll(strings.Join(deaths, "; "), "\n", "; ")
	return out
}

// perform plays on a cluster that runs, and measures.
func perform(
	ctx context.Context,
	o Options,
	r Run,
	c *cluster.Cluster,
	say func(string, ...any),
) (gauge.Measures, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return gauge.Measures{}, fmt.Errorf("reading the cluster's kubeconfig: %w", err)
	}
	config.QPS, config.Burst = 200, 400
	if err := stock(ctx, config, o, r); err != nil {
		return gauge.Measures{}, err
	}
	config.ContentType = runtime.ContentTypeProtobuf // the watches of thousands of pods are to take little from others
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return gauge.Measures{}, fmt.Errorf("making a client: %w", err)
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	watcher, err := gauge.Watch(watching, kube, rates(r.Play), ware.Price(ware.Types()))
	if err != nil {
		return gauge.Measures{}, err
	}
	before, err := use(c)
	if err != nil {
		return gauge.Measures{}, err
	}
	lines := sample(watching, watcher)
	stage := &play.Stage{
		Kube:     kube,
		Watch:    watcher,
		Patience: patience,
		Seed:     o.Seed,
		Trace:    o.Trace,
		Say:      func(format string, args ...any) { say("  "+format, args...) },
	}
	stage.Pods, stage.For = o.size(r.Play)
	failed := r.Play.Act(ctx, stage)
	after, err := use(c)
	m := watcher.Measures(lines())
	m.CPU, m.PeakMemory, m.PlaneCPU = after.own.CPU-before.own.CPU, after.own.PeakMemory, after.plane-before.plane
	m.Parts = map[string]float64{}
	for name, cpu := range after.parts {
		m.Parts[name] = math.Round(100*(cpu-before.parts[name])) / 100
	}
	counted, other := gauge.Count(ctx, kube, contestant.FlowSchema)
	m.Evictions, m.Requests, m.Writes = counted.Evictions, counted.Requests, counted.Writes
	if strange := watcher.Strange(); len(strange) > 0 {
		failed = errors.Join(failed, fmt.Errorf("no price is known for nodes %s", strings.Join(strange, ", ")))
	}
	return m, errors.Join(failed, err, other)
}

// rates are the prices of the kwok cloud.
func rates(p play.Play) gauge.Rates {
	r := gauge.Rates{Core: kwok.CorePrice.Float(), GB: kwok.GBPrice.Float(), Share: 1}
	if p.Spot {
		r.Share = spotShare
	}
	return r
}

// stock gives the contestant its class and its pool.
func stock(ctx context.Context, config *rest.Config, o Options, r Run) error {
	scheme := runtime.NewScheme()
	if err := errors.Join(karpenterv1.AddToScheme(scheme), kwokv1alpha1.AddToScheme(scheme)); err != nil {
		return fmt.Errorf("building the scheme: %w", err)
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("reaching the cluster: %w", err)
	}
	terms := ware.Terms{Policy: r.Contestant.Policy, Spot: r.Play.Spot, RegistrationTime: o.Registration}
	if r.Settings == contestant.Equal {
		terms.ConsolidateAfter = consolidateAfter
	}
	pool, class := ware.Pool(terms)
	ctx, cancel := context.WithTimeoutCause(ctx, readyWithin, fmt.Errorf("not ready within %s", readyWithin))
	defer cancel()
	for _, object := range []client.Object{class, pool} {
		if err := c.Create(ctx, object); err != nil {
			return fmt.Errorf("creating %T %s: %w", object, object.GetName(), err)
		}
	}
	for {
		if err := c.Get(ctx, client.ObjectKeyFromObject(pool), pool); err != nil {
			return fmt.Errorf("waiting until NodePool %s is ready: %w", pool.Name, err)
		}
		for _, condition := range pool.Status.Conditions {
			if condition.Type == "Ready" && condition.Status == metav1.ConditionTrue {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until NodePool %s is ready: %w", pool.Name, context.Cause(ctx))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// sample looks every second until ctx ends, or the returned function is called, which returns what it saw.
func sample(ctx context.Context, w *gauge.Watcher) func() []gauge.Point {
	ctx, stop := context.WithCancel(ctx)
	done := make(chan []gauge.Point, 1)
	go func() {
		tick := time.NewTicker(sampleEvery)
		defer tick.Stop()
		points := []gauge.Point{w.Look()}
		for {
			select {
			case <-ctx.Done():
				done <- points
				return
			case <-tick.C:
				points = append(points, w.Look())
			}
		}
	}()
	return func() []gauge.Point {
		stop()
		return <-done
	}
}

// used is what processes have used.
type used struct {
	own   gauge.Process
	plane float64 // seconds of CPU, of all parts of the control plane
	parts map[string]float64
}

// use asks about every process of a cluster.
func use(c *cluster.Cluster) (used, error) {
	out := used{parts: map[string]float64{}}
	for _, p := range c.State().Parts {
		process, err := gauge.OfProcess(p.PID)
		if err != nil {
			return used{}, fmt.Errorf("looking at %s: %w", p.Name, err)
		}
		out.parts[p.Name] = process.CPU
		if p.Name == contestant.Dovetail || p.Name == contestant.Karpenter {
			out.own = process
		} else {
			out.plane += process.CPU
		}
	}
	return out, nil
}
