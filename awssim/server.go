package awssim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/arcapi"
	"github.com/dovetail-sh/dovetail/awssim/cfnapi"
	"github.com/dovetail-sh/dovetail/awssim/ec2api"
	"github.com/dovetail-sh/dovetail/awssim/ecrapi"
	"github.com/dovetail-sh/dovetail/awssim/eksapi"
	"github.com/dovetail-sh/dovetail/awssim/eventsapi"
	"github.com/dovetail-sh/dovetail/awssim/fault"
	"github.com/dovetail-sh/dovetail/awssim/fisapi"
	"github.com/dovetail-sh/dovetail/awssim/iamapi"
	"github.com/dovetail-sh/dovetail/awssim/limiter"
	"github.com/dovetail-sh/dovetail/awssim/pricingapi"
	"github.com/dovetail-sh/dovetail/awssim/quotasapi"
	"github.com/dovetail-sh/dovetail/awssim/sqsapi"
	"github.com/dovetail-sh/dovetail/awssim/ssmapi"
	"github.com/dovetail-sh/dovetail/awssim/stsapi"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

// Server is a running simulated AWS.
type Server struct {
	options Options
	world   *world.World
	mux     *wire.Mux
	queues  *sqsapi.Account
	rules   *eventsapi.Account
	nodes   NodeRegistrar // nil: machines never join

	faults   *fault.Set
	limits   *limiter.Limiter
	delivery atomic.Pointer[delivery] // never nil
	slots    chan struct{}            // one is held by each machine that speaks to the cluster
	ids      atomic.Uint64            // of requests and events, apart from the world's dice
	listener net.Listener
	http     *http.Server
	stop     context.CancelFunc
	running  sync.WaitGroup // the goroutines of New and beside
}

// queueRetention is that of the interruption queue in Karpenter's stack.
const queueRetention = 5 * time.Minute

// New starts an AWS. It serves until Close.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	config, err := o.config()
	if err != nil {
		return nil, fmt.Errorf("starting the simulated AWS: %w", err)
	}
	s := &Server{
		options: o,
		world:   world.New(config),
		nodes:   o.Nodes,
		faults:  fault.NewSet(o.Seed),
		limits:  limiter.New(),
		slots:   make(chan struct{}, besideLimit),
	}
	s.delivery.Store(&delivery{})
	if s.nodes == nil && o.Kubeconfig != nil {
		if s.nodes, err = newClusterNodes(o.Kubeconfig); err != nil {
			return nil, fmt.Errorf("starting the simulated AWS: %w", err)
		}
	}
	s.queues = sqsapi.NewAccount(o.AccountID, o.Region, o.Clock)
	s.rules = eventsapi.NewAccount(s.arn)
	experiments := fisapi.NewAccount(s.world)
	s.queues.Build(o.InterruptionQueue, queueRetention)
	s.mux = wire.NewMux([]wire.API{
		ec2api.New(
			s.world,
		),
		iamapi.New(s.world),
		stsapi.New(s.world, s.accessKey()),
		ssmapi.New(s.world),
		eksapi.New(s.world),
		arcapi.New(s.world),
		pricingapi.New(),
		sqsapi.New(s.queues),
		eventsapi.New(s.rules),
		fisapi.New(experiments),
		cfnapi.New(
			cfnapi.NewAccount(s.world, s.queues, s.rules, experiments),
		),
		ecrapi.New(s.world),
		ecrapi.NewPublic(s.world),
		quotasapi.New(s.world),
	}, s.limits, s.faults, o.AccessKeys, o.Clock.Now, s.newID)
	s.mux.SetFloor(o.Floor)
	if s.listener, err = net.Listen("tcp", o.Listen); err != nil {
		return nil, fmt.Errorf("starting the simulated AWS: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	s.http = &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	s.running.Go(func() { s.world.Run(ctx, s.carryOut) })
	s.running.Go(func() {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("serving the simulated AWS", "error", err)
		}
	})
	return s, nil
}

// accessKey is the key id of credentials that STS hands out.
func (s *Server) accessKey() string {
	if len(s.options.AccessKeys) > 0 {
		return s.options.AccessKeys[0]
	}
	return "ASIASIMULATED0000000"
}

// newID makes the id of a request or an event. They have their own counter, so
// that how many calls were made changes no resource's id.
func (s *Server) newID() string {
	n := s.ids.Add(1)
	return fmt.Sprintf(
		"%08x-%04x-4%03x-8%03x-%012x",
		uint32(s.options.Seed),
		n>>48&0xffff,
		n>>36&0xfff,
		n>>24&0xfff,
		n,
	)
}

// URL is what AWS_ENDPOINT_URL must be set to.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Close stops serving and waits for what is under way. Nodes stay.
func (s *Server) Close() error {
	s.stop()
	err := s.http.Close()
	s.running.Wait()
	return err
}

// SetCluster tells where the cluster's API server is, once that is known, and
// how machines register there. nodes may be nil to keep what New was given.
func (s *Server) SetCluster(endpoint string, ca []byte, nodes NodeRegistrar) {
	_ = s.world.Do(func(st *world.State) error {
		st.Cluster.Endpoint, st.Cluster.CA = endpoint, ca
		if nodes != nil {
			s.nodes = nodes
		}
		return nil
	})
}

// Settle waits until all that is due at the clock's time has come about:
// machines that boot without trouble have joined, messages are in the queue.
// For whoever steps the clock.
func (s *Server) Settle(ctx context.Context) error {
	for !s.world.Settled() || len(s.slots) > 0 || !s.world.Settled() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the simulated AWS to settle: %w", ctx.Err())
		case <-time.After(100 * time.Microsecond):
		}
	}
	return nil
}

// Messages is how many messages the interruption queue holds, those included
// that were received and not yet deleted.
func (s *Server) Messages() int {
	q, ok := s.queues.Queue(s.options.InterruptionQueue)
	if !ok {
		return 0
	}
	ready, hidden, delayed := q.Counts()
	return ready + hidden + delayed
}

// send puts a message into the interruption queue, if that was not deleted,
// and into those that rules of the account name.
func (s *Server) send(body string, delay time.Duration) {
	names := s.rules.QueuesFor(body)
	if !slices.Contains(names, s.options.InterruptionQueue) {
		names = append(names, s.options.InterruptionQueue) // its rules are built in
	}
	for _, name := range names {
		if q, ok := s.queues.Queue(name); ok {
			q.Send(body, delay)
		}
	}
}

// arn names a resource of EventBridge.
func (s *Server) arn(resource string) string {
	return fmt.Sprintf("arn:aws:events:%s:%s:%s", s.options.Region, s.options.AccountID, resource)
}

// APIs are the services that are simulated, by name.
func (s *Server) APIs() []wire.API { return s.mux.APIs() }

// Calls returns the API calls made so far, oldest first.
func (s *Server) Calls() []wire.Record { return s.mux.Calls() }

// Faults makes calls go wrong, for tests in the same process; others use the
// admin API.
func (s *Server) Faults() *fault.Set { return s.faults }

// World gives tests and the admin API the account itself.
func (s *Server) World() *world.World { return s.world }
