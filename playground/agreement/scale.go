package agreement

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/provider/kwok"
)

// Descent is how a workload is scaled down after it ran.
type Descent struct {
	Replicas int32         // of each Deployment
	For      time.Duration // how long it is watched afterwards
	Every    time.Duration // how often a sample is taken
}

// Sample is a cluster at one moment of a scale run. Prices are in dollars an hour; what is counted is since the
// beginning.
type Sample struct {
	At           time.Duration // since the workload was created, or scaled down
	Running      int           // pods
	Nodes        int
	Price, Bound float64
	Disrupted    int // claims
	Evictions    int
	CPU          time.Duration
	Memory       int64 // bytes resident
}

// ScalePool is KwokPool with nodes that may be consolidated after so long.
func ScalePool(consolidateAfter time.Duration) (pool *karpenterv1.NodePool, class client.Object) {
	_, class = KwokPool()
	pool = newPool("karpenter.kwok.sh", "KWOKNodeClass")
	pool.Spec.Disruption.ConsolidateAfter = karpenterv1.After(consolidateAfter)
	pool.Spec.Disruption.ConsolidationPolicy = karpenterv1.ConsolidationPolicyWhenEmptyOrUnderutilized
	return pool, class
}

// Scale creates a pool and then a workload, waits until all pods run, scales it down and watches. It tells each sample
// as it is taken; the first returned is that at which all ran.
func Scale(ctx context.Context, setting Setting, workload Workload, down Descent, tell func(Sample)) ([]Sample, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, err := newClient(ctx, setting.Config)
	if err != nil {
		return nil, err
	}
	if err := create(ctx, c, setting.Class, setting.Pool); err != nil {
		return nil, err
	}
	began := time.Now()
	for _, g := range workload.Groups {
		if err := create(ctx, c, g.deployment()); err != nil {
			return nil, err
		}
	}
	if err := await(ctx, c, setting, "running", workload.Pods(), running); err != nil {
		return nil, err
	}
	took := time.Since(began)
	if err := pause(ctx, settle); err != nil {
		return nil, err
	}
	first, err := sample(ctx, c, setting)
	if err != nil {
		return nil, err
	}
	first.At = took
	tell(first)
	out := []Sample{first}
	began = time.Now()
	if err := resize(ctx, c, workload, down.Replicas); err != nil {
		return nil, err
	}
	for {
		if err := pause(ctx, down.Every); err != nil {
			return nil, err
		}
		s, err := sample(ctx, c, setting)
		if err != nil {
			return nil, err
		}
		s.At = time.Since(began)
		tell(s)
		out = append(out, s)
		if s.At >= down.For {
			return out, nil
		}
	}
}

// resize gives each Deployment so many replicas.
func resize(ctx context.Context, c client.Client, workload Workload, replicas int32) error {
	for _, g := range workload.Groups {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: g.Name}}
		patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas))
		if err := c.Patch(ctx, d, patch); err != nil {
			return fmt.Errorf("scaling deployment %s to %d: %w", g.Name, replicas, err)
		}
	}
	return nil
}

func sample(ctx context.Context, c client.Client, setting Setting) (Sample, error) {
	m, err := scrape(ctx, setting.Metrics)
	if err != nil {
		return Sample{}, err
	}
	var nodes corev1.NodeList
	var pods corev1.PodList
	if err := errors.Join(c.List(ctx, &nodes), c.List(ctx, &pods)); err != nil {
		return Sample{}, fmt.Errorf("looking at the cluster: %w", err)
	}
	s := Sample{
		Nodes: len(nodes.Items), Price: m.price, Disrupted: int(m.disrupted), Evictions: int(m.evictions),
		CPU: time.Duration(m.cpu * float64(time.Second)), Memory: int64(m.memory),
	}
	var milli, bytes int64
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.DeletionTimestamp != nil {
			continue
		}
		if running(pod) {
			s.Running++
		}
		requests := pod.Spec.Containers[0].Resources.Requests
		milli += requests.Cpu().MilliValue()
		bytes += requests.Memory().Value()
	}
	s.Bound = kwokBound(milli, bytes)
	return s, nil
}

// kwokBound is what so much CPU and memory costs on the kwok cloud, whose prices are by the core and the GB, if
// machines could be bought in fractions and kept nothing for the system, on demand: in dollars an hour.
func kwokBound(milli, bytes int64) float64 {
	return float64(milli)/1000*kwok.CorePrice.Float() + float64(bytes)/1e9*kwok.GBPrice.Float()
}
