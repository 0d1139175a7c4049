package oracle

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/events"
	"k8s.io/dynamic-resource-allocation/deviceclass/extendedresourcecache"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/latest"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"
	"k8s.io/kubernetes/pkg/scheduler/metrics"

	"github.com/dovetail-sh/dovetail/internal/sample"
)

// scheduler is kube-scheduler's default profile over a board of ours in place of its cache. Namespaces,
// storage classes and volumes are those of landscape for its whole life. Not for several goroutines at once.
type scheduler struct {
	framework framework.Framework
	board     *board
	alone     map[string]fwk.Plugin // by name; see separate

	equipment *equipment // that the board's pods claim; nil for none
	served    *extendedresourcecache.ExtendedResourceCache
}

func newScheduler(ctx context.Context) (*scheduler, error) {
	ctx = klog.NewContext(ctx, logr.Discard())
	metrics.Register()
	config, err := latest.Default()
	if err != nil {
		return nil, fmt.Errorf("reading the scheduler's default configuration: %w", err)
	}
	client := fake.NewClientset(sample.Landscape()...)
	factory := informers.NewSharedInformerFactory(client, 0)
	s := &scheduler{board: newBoard(nil)}
	s.use(nil)
	s.framework, err = frameworkruntime.NewFramework(ctx, plugins.NewInTreeRegistry(), &config.Profiles[0],
		frameworkruntime.WithClientSet(client),
		frameworkruntime.WithInformerFactory(factory),
		frameworkruntime.WithEventRecorder(silent{}),
		frameworkruntime.WithSharedDRAManager(inventory{s}),
		frameworkruntime.WithSharedCSIManager(s),
		frameworkruntime.WithSnapshotSharedLister(s),
		frameworkruntime.WithMetricsRecorder(metrics.NewMetricsAsyncRecorder(1000, time.Second, ctx.Done())),
		frameworkruntime.WithWaitingPods(frameworkruntime.NewWaitingPodsMap()),
		frameworkruntime.WithPodsInPreBind(frameworkruntime.NewPodsInPreBindMap()),
		frameworkruntime.WithParallelism(1),
		frameworkruntime.WithLogger(logr.Discard()),
	)
	if err != nil {
		return nil, fmt.Errorf("building the scheduler's framework: %w", err)
	}
	if err := s.separate(ctx, config.Profiles[0].PluginConfig); err != nil {
		return nil, err
	}
	factory.Start(ctx.Done())
	for kind, ok := range factory.WaitForCacheSync(ctx.Done()) {
		if !ok {
			return nil, fmt.Errorf("filling the cache of %s: %w", kind, context.Cause(ctx))
		}
	}
	return s, nil
}

// attempt is one pod's scheduling cycle up to its filters.
type attempt struct {
	scheduler *scheduler
	ctx       context.Context
	pod       *corev1.Pod
	state     fwk.CycleState
	only      *fwk.PreFilterResult
	refused   *fwk.Status
}

func (s *scheduler) attempt(ctx context.Context, pod *corev1.Pod) *attempt {
	a := &attempt{scheduler: s, ctx: ctx, pod: pod, state: framework.NewCycleState()}
	a.only, a.refused, _ = s.framework.RunPreFilterPlugins(ctx, a.state, pod)
	return a
}

// refusal is why the pod may not go on the node, empty if it may, and the plugin that says so.
func (a *attempt) refusal(node *framework.NodeInfo) (plugin, why string) {
	status := a.refused
	if status.IsSuccess() && !a.only.AllNodes() && !a.only.NodeNames.Has(node.Node().Name) {
		return "PreFilter", "the node is not among those that the plugins look at"
	}
	if status.IsSuccess() {
		status = a.scheduler.framework.RunFilterPlugins(a.ctx, a.state, a.pod, node)
	}
	if status.IsSuccess() {
		if why := a.scheduler.board.volumes.refuses(a.pod, node.Node()); why != "" {
			return names.VolumeBinding, why
		}
		if why := a.scheduler.board.full(a.pod, node); why != "" {
			return names.NodeVolumeLimits, why
		}
		return "", ""
	}
	return status.Plugin(), status.Message()
}

// silent is an event recorder for a framework that never gets to bind.
type silent struct{}

func (silent) Eventf(runtime.Object, runtime.Object, string, string, string, string, ...any) {}

func (silent) WithLogger(klog.Logger) events.EventRecorderLogger { return silent{} }
