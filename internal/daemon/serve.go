package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/dovetail-sh/dovetail/internal/known"
)

// server serves HTTP on the leader and on standbys.
type server struct {
	address string
	handler http.Handler
	what    string // is served, for errors
	flag    string // that chooses another address
}

// NeedLeaderElection is false: standbys have metrics too.
func (s *server) NeedLeaderElection() bool { return false }

// Start serves until the context ends.
func (s *server) Start(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.address)
	if err != nil {
		return fmt.Errorf("serving %s: %w; choose another port with %s", s.what, err, s.flag)
	}
	web := &http.Server{Handler: s.handler, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = web.Close() })
	defer stop()
	if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving %s: %w", s.what, err)
	}
	return nil
}

// handler serves /metrics to all, what the controller knows to those who may see it, and pprof if asked for.
func (d *Daemon) handler() http.Handler {
	mux := http.NewServeMux()
	all := prometheus.Gatherers{ctrlmetrics.Registry, d.metrics.Gatherer()}
	mux.Handle(
		"/metrics",
		d.gauges.fresh(promhttp.HandlerFor(all, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})),
	)
	mux.Handle(known.Prefix, d.known)
	if d.config.Serve.Profiling {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return mux
}
