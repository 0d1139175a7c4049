package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/dovetail-sh/dovetail/internal/config"
	"github.com/dovetail-sh/dovetail/internal/feed"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider"
)

// Timing of the leader election. A standby takes over within takeover after the leader's
// lease has ended, and at once when the leader stopped in good order.
const (
	leaseDuration = 15 * time.Second
	renewDeadline = 10 * time.Second
	retryPeriod   = time.Second
)

// Options are what a caller may bring itself.
type Options struct {
	// RestConfig is how to reach the API server; nil means as Config and the environment say.
	RestConfig *rest.Config

	// Cloud makes the cloud; nil means the one that Config names.
	Cloud func(context.Context, CloudDeps) (provider.Cloud, error)

	// AWSEndpoint is where all AWS APIs are, such as a simulator; empty means where the environment says.
	AWSEndpoint string

	// Explain answers what somebody asks of the web page about a "pod" or a "node"; nil for what the planner says.
	Explain func(f feed.Frame, kind, name string) string

	// WrapClient may put something between the controllers and the API server, such as faults.
	WrapClient func(client.WithWatch) client.Client

	Log   logr.Logger // the zero Logger is silent
	Clock clock.Clock // nil means the real one
}

// Daemon is a controller that is ready to run.
type Daemon struct {
	config  config.Config
	manager manager.Manager
	metrics *observe.Metrics
	gauges  *gauges
	known   http.Handler
	alone   *guard
	synced  atomic.Bool
}

// New connects to the API server, checks that it can work there, and puts everything
// together. Errors are for the operator: they say what is wrong and what to do.
func New(ctx context.Context, c config.Config, o Options) (*Daemon, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	for _, warning := range c.Warnings() {
		o.Log.Info("a setting has no effect", "setting", warning)
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	kube, err := restConfig(c, o.RestConfig)
	if err != nil {
		return nil, err
	}
	if err := preflight(ctx, kube, c); err != nil {
		return nil, err
	}
	d := &Daemon{config: c, metrics: observe.NewMetrics()}
	if d.alone, err = newGuard(kube, c, o); err != nil {
		return nil, err
	}
	if d.manager, err = newManager(kube, c, o, d.alone); err != nil {
		return nil, err
	}
	if err := d.alone.addTo(d.manager); err != nil {
		return nil, err
	}
	if err := lookup.Index(ctx, d.manager.GetFieldIndexer()); err != nil {
		return nil, err
	}
	if err := d.addParts(ctx, o); err != nil {
		return nil, err
	}
	if err := d.addServers(); err != nil {
		return nil, err
	}
	return d, nil
}

func newManager(kube *rest.Config, c config.Config, o Options, alone *guard) (manager.Manager, error) {
	yes, warm := true, !c.Leader.DisableWarmup
	scheme := Scheme()
	m, err := manager.New(kube, manager.Options{
		Scheme:                              scheme,
		Logger:                              o.Log,
		Cache:                               cache.Options{DefaultTransform: alone.slim},
		NewClient:                           wrapped(o.WrapClient),
		LeaderElection:                      !c.Leader.Disabled,
		LeaderElectionResourceLockInterface: alone.lock(),
		LeaderElectionReleaseOnCancel:       true,
		LeaseDuration:                       ptr(leaseDuration),
		RenewDeadline:                       ptr(renewDeadline),
		RetryPeriod:                         ptr(retryPeriod),
		Metrics:                             metricsserver.Options{BindAddress: "0"}, // served with ours, in addServers
		HealthProbeBindAddress:              address(c.Serve.Address, c.Serve.HealthPort),
		GracefulShutdownTimeout:             ptr(10 * time.Second),
		Controller: ctrlconfig.Controller{
			SkipNameValidation: &yes, // several daemons may share a process
			EnableWarmup:       &warm,
			Logger:             o.Log,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("preparing the controllers: %w", err)
	}
	return m, nil
}

// wrapped makes the client that reads from the cache, with wrap around it.
func wrapped(wrap func(client.WithWatch) client.Client) client.NewClientFunc {
	if wrap == nil {
		return nil
	}
	return func(kube *rest.Config, o client.Options) (client.Client, error) {
		c, err := client.NewWithWatch(kube, o)
		if err != nil {
			return nil, err
		}
		return wrap(c), nil
	}
}

// Run works until the context ends or something fails that cannot be repaired, such as a lost lease.
func (d *Daemon) Run(ctx context.Context) error {
	if err := d.manager.Start(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("running the controllers: %w", err)
	}
	return nil
}

// Elected is closed once this daemon is the leader, or at once without leader election.
func (d *Daemon) Elected() <-chan struct{} { return d.manager.Elected() }

// Metrics are this daemon's metrics.
func (d *Daemon) Metrics() *observe.Metrics { return d.metrics }

// Client reads from the daemon's cache and writes to the API server.
func (d *Daemon) Client() client.Client { return d.manager.GetClient() }

// addServers adds metrics and health.
func (d *Daemon) addServers() error {
	if port := d.config.Serve.MetricsPort; port != 0 {
		metrics := &server{
			address: address(
				d.config.Serve.Address,
				port,
			),
			handler: d.handler(),
			what:    "metrics",
			flag:    "--metrics-port",
		}
		if err := d.manager.Add(metrics); err != nil {
			return fmt.Errorf("adding the metrics server: %w", err)
		}
	}
	synced := func(*http.Request) error {
		if !d.synced.Load() {
			return errors.New("the caches are not filled yet")
		}
		return nil
	}
	return errors.Join(
		d.manager.AddHealthzCheck("ping", healthz.Ping),
		d.manager.AddReadyzCheck("caches", synced),
		d.manager.AddReadyzCheck("crds", d.served),
		d.manager.AddReadyzCheck("alone", d.alone.ready),
		d.manager.Add(everywhere(func(ctx context.Context) error {
			d.synced.Store(d.manager.GetCache().WaitForCacheSync(ctx))
			<-ctx.Done()
			return nil
		})),
	)
}

// address is what to listen on; "0" means nothing, as controller-runtime has it.
func address(host string, port int) string {
	if port == 0 {
		return "0"
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// everywhere runs on standbys too.
type everywhere func(ctx context.Context) error

// Start runs the function.
func (f everywhere) Start(ctx context.Context) error { return f(ctx) }

// NeedLeaderElection is false.
func (f everywhere) NeedLeaderElection() bool { return false }

func ptr[T any](v T) *T { return &v }
