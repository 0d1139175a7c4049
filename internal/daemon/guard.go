package daemon

import (
	"fmt"
	"net/http"
	"os"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/config"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/rival"
)

// guard keeps two controllers from leading at once. Without leader election it does nothing.
type guard struct {
	held   *rival.Lock // nil without leader election
	watch  *rival.Watch
	groups map[string]bool // of our node classes
	events *teller
}

// teller records events once there is somebody to record them with.
type teller struct{ to resourcelock.EventRecorder }

func newGuard(kube *rest.Config, c config.Config, o Options) (*guard, error) {
	g := &guard{groups: map[string]bool{}, events: &teller{}}
	if c.Leader.Disabled {
		return g, nil
	}
	name, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("finding this host's name, by which the lease is held: %w", err)
	}
	patient := rest.AddUserAgent(kube, "leader-election")
	patient.Timeout = renewDeadline / 2 // one slow answer must not cost the lease
	ask, err := kubernetes.NewForConfig(patient)
	if err != nil {
		return nil, fmt.Errorf("reading the client configuration for the lease: %w", err)
	}
	own := types.NamespacedName{Namespace: c.LeaseNamespace(), Name: c.Leader.Name}
	inner, err := resourcelock.New(resourcelock.LeasesResourceLock, own.Namespace, own.Name,
		ask.CoreV1(), ask.CoordinationV1(), resourcelock.ResourceLockConfig{
			Identity: name + "_" + string(uuid.NewUUID()), EventRecorder: g.events,
		})
	if err != nil {
		return nil, fmt.Errorf("preparing the lease: %w", err)
	}
	for _, class := range classesOf(c) {
		if kinds, _, err := Scheme().ObjectKinds(class); err == nil && len(kinds) > 0 {
			g.groups[kinds[0].Group] = true
		}
	}
	lookout := rival.NewLookout(ask.CoordinationV1(), own, clock.RealClock{})
	g.held = rival.Behind(inner, lookout, o.Log)
	g.watch = rival.NewWatch(lookout, clock.RealClock{})
	return g, nil
}

// lock is what the manager leads by; nil without leader election.
func (g *guard) lock() resourcelock.Interface {
	if g.held == nil {
		return nil
	}
	return g.held
}

// slim makes objects smaller before they are kept, and looks at who wrote NodeClaims while that is still known.
func (g *guard) slim(object any) (any, error) {
	if claim, ok := object.(*karpenterv1.NodeClaim); ok && g.watch != nil &&
		claim.Spec.NodeClassRef != nil && g.groups[claim.Spec.NodeClassRef.Group] {
		g.watch.Saw(claim)
	}
	return lookup.Slim(object)
}

// ready is the readiness check of a controller that must not lead, as another one does.
func (g *guard) ready(*http.Request) error {
	if g.held == nil {
		return nil
	}
	return g.held.Waiting()
}

// addTo has the manager end when another controller works beside it.
func (g *guard) addTo(m manager.Manager) error {
	//lint:ignore SA1019 as for our other events
	g.events.to = m.GetEventRecorderFor(observe.Component) //nolint:staticcheck // as for our other events
	if g.watch == nil {
		return nil
	}
	if err := m.Add(g.watch); err != nil {
		return fmt.Errorf("adding the watch for other controllers: %w", err)
	}
	return nil
}

// Eventf records an event.
func (t *teller) Eventf(object runtime.Object, kind, reason, message string, args ...any) {
	t.to.Eventf(object, kind, reason, message, args...)
}
