package integration

import (
	"context"
	"fmt"
	"os"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	kwokv1alpha1 "github.com/dovetail-sh/dovetail/api/kwok/v1alpha1"
	"github.com/dovetail-sh/dovetail/internal/config"
	"github.com/dovetail-sh/dovetail/internal/daemon"
	"github.com/dovetail-sh/dovetail/internal/devplane"
)

// patience is how long a test waits for something to come true.
const patience = 90 * time.Second

// cluster is a real control plane with kwok as its kubelets and a daemon on the kwok cloud.
type cluster struct {
	client.Client
	kube *rest.Config // the administrator's
	own  *rest.Config // the daemon's
}

// newCluster starts the control plane with our definitions and a node class "default". No daemon runs yet.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	quietLibraries()
	plane := devplane.Start(t, devplane.Full())
	installDefinitions(t, plane.Config())
	c, err := client.New(plane.Config(), client.Options{Scheme: daemon.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	class := &kwokv1alpha1.KWOKNodeClass{}
	class.Name = "default"
	cl := &cluster{Client: c, kube: plane.Config(), own: withChartsRights(t, plane, config.CloudKWOK)}
	cl.noRefusals(t)
	cl.create(t, class)
	return cl
}

// quietLibraries keeps what libraries log out of the tests' output.
var quietLibraries = sync.OnceFunc(func() { logf.SetLogger(logr.Discard()); klog.SetLogger(logr.Discard()) })

// settings are a daemon's, without ports and with a short batch window.
func settings() config.Config {
	c := config.Default()
	c.Cloud = config.CloudKWOK
	c.Serve.MetricsPort, c.Serve.HealthPort = 0, 0
	c.Leader.Disabled = true
	c.Planning.BatchIdle = 200 * time.Millisecond
	c.Kube.QPS, c.Kube.Burst = 1000, 2000
	return c
}

// endsWithin is how long a daemon may take to end. Beyond 10 s it gives up waiting for its own parts.
const endsWithin = 8 * time.Second

// run starts a daemon; it ends with the test, or when stop is called.
func (c *cluster) run(
	t *testing.T,
	settings config.Config,
	change ...func(*daemon.Options),
) (d *daemon.Daemon, stop func()) {
	t.Helper()
	options := daemon.Options{RestConfig: c.own, Log: testLog(t)}
	for _, f := range change {
		f(&options)
	}
	d, err := daemon.New(t.Context(), settings, options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	stopped := false
	stop = func() {
		cancel()
		if stopped {
			return
		}
		stopped = true
		late := time.AfterFunc(endsWithin, func() {
			var stacks strings.Builder
			_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
			t.Errorf("the daemon has not ended %s after it was told to:\n%s", endsWithin, stacks.String())
		})
		defer late.Stop()
		if err := <-ended; err != nil {
			t.Errorf("the daemon ended with %v", err)
		}
	}
	t.Cleanup(stop)
	return d, stop
}

// testLog is silent unless DOVETAIL_TEST_LOG names a file.
func testLog(t *testing.T) logr.Logger {
	t.Helper()
	path := os.Getenv("DOVETAIL_TEST_LOG")
	if path == "" {
		return logr.Discard()
	}
	log, err := daemon.NewLog(
		config.Log{Level: "debug", OutputPaths: []string{path}, ErrorOutputPaths: []string{"stderr"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	return log.WithName(t.Name())
}

func (c *cluster) create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, o := range objects {
		if err := c.Create(t.Context(), o); err != nil {
			t.Fatalf("creating %T %s: %v", o, o.GetName(), err)
		}
	}
}

// eventually waits until holds says nothing is missing any more.
func eventually(t *testing.T, what string, holds func() (missing string)) {
	t.Helper()
	within(t, patience, what, holds)
}

// within is eventually with a time of its own.
func within(t *testing.T, d time.Duration, what string, holds func() (missing string)) {
	t.Helper()
	deadline := time.Now().Add(d)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		missing := holds()
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s; last seen: %s", d, what, missing)
		}
		select {
		case <-t.Context().Done():
			t.Fatalf("the test ended while waiting for %s", what)
		case <-tick.C:
		}
	}
}

// always fails the test if holds says that something is wrong within d.
func always(t *testing.T, d time.Duration, holds func() (wrong string)) {
	t.Helper()
	deadline := time.Now().Add(d)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for time.Now().Before(deadline) {
		if wrong := holds(); wrong != "" {
			t.Fatal(wrong)
		}
		<-tick.C
	}
}

func (c *cluster) claims(t *testing.T) []karpenterv1.NodeClaim {
	t.Helper()
	var list karpenterv1.NodeClaimList
	if err := c.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func (c *cluster) nodes(t *testing.T) []corev1.Node {
	t.Helper()
	var list corev1.NodeList
	if err := c.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// quiet waits until there are no claims and no nodes.
func (c *cluster) quiet(t *testing.T) {
	t.Helper()
	eventually(t, "all claims and nodes to be gone", func() string {
		if claims, nodes := len(c.claims(t)), len(c.nodes(t)); claims+nodes > 0 {
			return fmt.Sprintf("%d claims, %d nodes", claims, nodes)
		}
		return ""
	})
}

// events lists the events about an object, as "Reason: message".
func (c *cluster) events(t *testing.T, about client.Object) string {
	t.Helper()
	var list corev1.EventList
	if err := c.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range list.Items {
		if e.InvolvedObject.Name == about.GetName() && e.Source.Component == "karpenter" {
			out = append(out, e.Reason+": "+e.Message)
		}
	}
	return strings.Join(out, "\n")
}

// conditions prints an object's conditions.
func conditions(list []metav1.Condition) string {
	var out []string
	for _, c := range list {
		out = append(out, fmt.Sprintf("%s=%s (%s: %s)", c.Type, c.Status, c.Reason, c.Message))
	}
	return strings.Join(out, ", ")
}
