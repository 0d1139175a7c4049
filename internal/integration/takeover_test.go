package integration

import (
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	kwokv1alpha1 "github.com/dovetail-sh/dovetail/api/kwok/v1alpha1"
	"github.com/dovetail-sh/dovetail/awssim"
	"github.com/dovetail-sh/dovetail/internal/config"
	"github.com/dovetail-sh/dovetail/internal/daemon"
	"github.com/dovetail-sh/dovetail/internal/devplane"
)

var takeoverFrom = flag.String("takeover", "",
	"Karpenters to take over from: VERSION=DIR,…, each with a binary karpenter and its definitions in crds; "+
		"one whose VERSION begins with aws- is the AWS provider, and plays on the simulated AWS")

// TestTakeOver has Karpenter's own controller and Dovetail change places on clusters with the definitions of that
// Karpenter: in good order, and killed in the middle of a scale-up. `make takeover` builds the controllers and runs it.
func TestTakeOver(t *testing.T) {
	if *takeoverFrom == "" {
		t.Skip("make takeover builds the controllers that it needs")
	}
	for one := range strings.SplitSeq(*takeoverFrom, ",") {
		version, dir, _ := strings.Cut(one, "=")
		aws := strings.HasPrefix(version, "aws-")
		t.Run(version, func(t *testing.T) { takeOver(t, newRelay(t, dir, aws)) })
		t.Run(version+"-beside", func(t *testing.T) { beside(t, dir, aws) })
	}
}

func takeOver(t *testing.T, r *relay) {
	app := web("web", 3, "1500m")
	first := r.start(t, r.karpenter)
	r.create(t, r.pool(), app)
	r.running(t, "web", 3)
	r.initialized(t)
	before := keep(t, r)
	t.Logf("Karpenter has %d objects", len(before))

	second := r.start(t, r.dovetail)
	always(t, 3*time.Second, func() string { return r.book.by("dovetail") })
	r.over(t, first.stop)
	r.scale(t, app, 5)
	r.running(t, "web", 5)
	r.initialized(t)
	r.same(t, "taken over", before)

	before = keep(t, r)
	claims := len(r.claims(t))
	r.scale(t, app, 9)
	eventually(t, "a NodeClaim in the middle of a scale-up", func() string {
		if len(r.claims(t)) > claims {
			return ""
		}
		return "none yet"
	})
	second.kill()
	third := r.start(t, r.dovetail)
	r.running(t, "web", 9)
	r.initialized(t)
	r.same(t, "killed and started again", before)

	before = keep(t, r)
	fourth := r.start(t, r.karpenter)
	r.over(t, third.stop)
	r.scale(t, app, 11)
	r.running(t, "web", 11)
	r.initialized(t)
	r.same(t, "handed back", before)

	before = keep(t, r)
	r.start(t, r.dovetail)
	claims = len(r.claims(t))
	r.scale(t, app, 14)
	eventually(t, "a NodeClaim of Karpenter's in the middle of a scale-up", func() string {
		if len(r.claims(t)) > claims {
			return ""
		}
		return "none yet"
	})
	r.over(t, fourth.kill)
	r.running(t, "web", 14)
	r.initialized(t)
	r.same(t, "taken over from one that was killed", before)
	if got, want := r.book.turns(), "karpenter dovetail karpenter dovetail"; got != want {
		t.Errorf("who wrote, in turns: %s; want %s", got, want)
	}
}

// beside starts Dovetail beside a Karpenter that leads by a Lease of its own: it writes nothing, says why and what to
// do, and leads when that one has stopped. One that leads ends when such a Karpenter comes.
func beside(t *testing.T, dir string, aws bool) {
	for name, elsewhere := range map[string][]string{
		"other namespace": {"LEADER_ELECTION_NAMESPACE=default"},
		"other name":      {"LEADER_ELECTION_NAME=blue"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRelay(t, dir, aws)
			app := web("web", 2, "1500m")
			karpenter := func(t *testing.T) (string, *exec.Cmd) { return r.karpenterWith(t, elsewhere...) }
			first := r.start(t, karpenter)
			r.create(t, r.pool(), app)
			r.running(t, "web", 2)
			second := r.start(t, r.dovetail)
			second.says(t, "another controller leads")
			r.scale(t, app, 4)
			r.running(t, "web", 4)
			// On a machine that is busy enough Karpenter loses its lease, and then it is Dovetail's turn.
			if wrote := r.book.by("dovetail"); wrote != "" && !first.said(t, "leader election lost") {
				t.Error(wrote)
			}
			first.stop()
			r.scale(t, app, 6)
			r.running(t, "web", 6)
			if r.book.by("dovetail") == "" {
				t.Error("Dovetail does not lead after Karpenter has stopped")
			}
			r.start(t, karpenter)
			second.says(t, "running the controllers: another controller")
		})
	}
}

// relay is a cluster whose controllers change places.
type relay struct {
	*cluster
	dir  string
	book *writers
	made int            // controllers
	sim  *awssim.Server // nil on kwok
	env  []string       // of controllers, for their cloud
}

func newRelay(t *testing.T, dir string, aws bool) *relay {
	t.Helper()
	quietLibraries()
	plane := devplane.Start(t, devplane.Full())
	definitions := envtest.CRDInstallOptions{Paths: []string{filepath.Join(dir, "crds")}, ErrorIfPathMissing: true}
	if _, err := envtest.InstallCRDs(plane.Config(), definitions); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(plane.Config(), client.Options{Scheme: daemon.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{dir: dir, book: &writers{}, cluster: &cluster{Client: c, kube: plane.Config()}}
	if !aws {
		r.own = withChartsRights(t, plane, config.CloudKWOK)
		class := &kwokv1alpha1.KWOKNodeClass{}
		class.Name = "default"
		r.create(t, class)
		return r
	}
	r.own = withChartsRights(t, plane, config.CloudAWS)
	r.sim = simulated(t, plane)
	// They reach the API server through a proxy of ours; machines go to it directly.
	r.env = []string{"AWS_ENDPOINT_URL=" + r.sim.URL(), "CLUSTER_NAME=" + clusterName,
		"INTERRUPTION_QUEUE=" + clusterName, "CLUSTER_ENDPOINT=" + plane.Endpoint(),
		"CLUSTER_CA_BUNDLE=" + base64.StdEncoding.EncodeToString(plane.Config().CAData)}
	r.create(t, ec2Class("default", false))
	return r
}

// pool is one in which nothing goes but what has drifted.
func (r *relay) pool() *karpenterv1.NodePool {
	return general(func(p *karpenterv1.NodePool) {
		p.Spec.Disruption.ConsolidateAfter = karpenterv1.NillableDuration{} // Never
		if r.sim == nil {
			return
		}
		p.Spec.Template.Spec.NodeClassRef = &karpenterv1.NodeClassReference{
			Group: awsv1.Group, Kind: "EC2NodeClass", Name: "default",
		}
		p.Spec.Template.Spec.Requirements = append(plainSells(), in(awsv1.LabelInstanceCategory, "c", "m", "r"),
			in(awsv1.LabelInstanceSize, "large", "xlarge", "2xlarge"))
	})
}

// contender is a controller's process.
type contender struct {
	name string
	log  string // a file
	done chan struct{}

	mu    sync.Mutex // guards the fields below
	cmd   *exec.Cmd
	ended bool // by us
}

// errEnded is why a controller is not started again.
var errEnded = errors.New("it was ended by the test")

// again starts it once more, as a kubelet does with one that has ended by itself.
func (c *contender) again() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return errEnded
	}
	next := exec.Command(c.cmd.Path, c.cmd.Args[1:]...)
	next.Env, next.Stdout, next.Stderr, next.SysProcAttr = c.cmd.Env, c.cmd.Stdout, c.cmd.Stderr, c.cmd.SysProcAttr
	c.cmd = next
	return next.Start()
}

func (c *contender) process() *exec.Cmd {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cmd
}

// end sends it a signal for good.
func (c *contender) end(s os.Signal) {
	c.mu.Lock()
	c.ended = true
	_ = c.cmd.Process.Signal(s) // an error means that it has ended
	c.mu.Unlock()
	<-c.done
}

// karpenter is the command line of the reference, as an administrator.
func (r *relay) karpenter(t *testing.T) (string, *exec.Cmd) { return r.karpenterWith(t) }

// karpenterWith is the same with more of an environment.
func (r *relay) karpenterWith(t *testing.T, more ...string) (string, *exec.Cmd) {
	cmd := exec.Command(filepath.Join(r.dir, "karpenter"), "--metrics-port=0", "--health-probe-port=0",
		"--batch-idle-duration=200ms")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfigFor(t, r.book.before(t, "karpenter", r.kube)),
		"SYSTEM_NAMESPACE=kube-system", "LEADER_ELECTION_NAMESPACE=kube-system", "KUBERNETES_MIN_VERSION=1.19.0-0")
	cmd.Env = slices.Concat(cmd.Env, r.env, more)
	return "karpenter", cmd
}

// dovetail is the command line of ours, with the rights of its chart.
func (r *relay) dovetail(t *testing.T) (string, *exec.Cmd) {
	cloud := config.CloudKWOK
	if r.sim != nil {
		cloud = config.CloudAWS
	}
	args := []string{"controller", "--cloud=" + cloud, "--metrics-port=0", "--health-probe-port=0",
		"--batch-idle-duration=200ms", "--kubeconfig=" + kubeconfigFor(t, r.book.before(t, "dovetail", r.own))}
	cmd := exec.Command(os.Args[0], "-test.run=^TestAsController$", "-test.timeout=0")
	cmd.Env = slices.Concat(os.Environ(), r.env, []string{asController + "=" + strings.Join(args, "\n")})
	return "dovetail", cmd
}

func (r *relay) start(t *testing.T, which func(*testing.T) (string, *exec.Cmd)) *contender {
	t.Helper()
	name, cmd := which(t)
	r.made++
	log, err := os.Create(filepath.Join(t.TempDir(), fmt.Sprintf("%s-%d.log", name, r.made)))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	c := &contender{name: name, log: log.Name(), cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // processes live no longer than the thread that started them
		err := cmd.Start()
		started <- err
		for err == nil {
			_ = c.process().Wait() // being killed is what it is for
			err = c.again()
		}
		close(c.done)
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.kill()
		log.Close()
		if t.Failed() {
			t.Logf("the end of the log of %s:\n%s", name, tail(log.Name(), 3000))
		}
	})
	return c
}

// said reports whether its log has a text.
func (c *contender) said(t *testing.T, text string) bool {
	t.Helper()
	log, err := os.ReadFile(c.log)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(log), text)
}

// says waits until it has said so.
func (c *contender) says(t *testing.T, text string) {
	t.Helper()
	eventually(t, c.name+" to say "+text, func() string {
		if !c.said(t, text) {
			return "it does not"
		}
		return ""
	})
}

// kill ends it as kill -9 does.
func (c *contender) kill() { c.end(syscall.SIGKILL) }

// stop ends it in good order.
func (c *contender) stop() { c.end(syscall.SIGTERM) }

// over ends who holds the lease, and waits until another holds it that was there before.
func (r *relay) over(t *testing.T, end func()) {
	t.Helper()
	was := r.holder(t)
	end()
	eventually(t, "another to hold the lease", func() string {
		if now := r.holder(t); now == "" || now == was {
			return "it is held by " + strconv.Quote(now)
		}
		return ""
	})
}

// holder is who holds the lease; empty for nobody.
func (r *relay) holder(t *testing.T) string {
	t.Helper()
	lease := &coordinationv1.Lease{}
	key := client.ObjectKey{Namespace: "kube-system", Name: "karpenter-leader-election"}
	if err := r.Get(t.Context(), key, lease); err != nil {
		t.Fatal(err)
	}
	return ptr.Deref(lease.Spec.HolderIdentity, "")
}

// initialized waits until every NodeClaim is a node that takes pods.
func (r *relay) initialized(t *testing.T) {
	t.Helper()
	eventually(t, "all NodeClaims to be initialized", func() string {
		for _, c := range r.claims(t) {
			if !strings.Contains(conditions(c.Status.Conditions), "Initialized=True") {
				return c.Name + ": " + conditions(c.Status.Conditions)
			}
		}
		return ""
	})
}

// same fails the test for what is lost now, or soon.
func (r *relay) same(t *testing.T, when string, before estate) {
	t.Helper()
	always(t, 3*time.Second, func() string {
		if lost := before.lost(keep(t, r)); len(lost) > 0 {
			return when + ": " + strings.Join(lost, "\n")
		}
		return ""
	})
	if r.sim != nil {
		if ended := len(r.sim.Status().Instances) - len(paidFor(r.sim)); ended > 0 {
			t.Errorf("%s: %d instances have ended", when, ended)
		}
	}
	// One who is killed between buying and writing leaves a machine that no claim has; it is given back after a while.
	eventually(t, when+": a node for each NodeClaim", func() string {
		if nodes, claims := len(r.nodes(t)), len(r.claims(t)); nodes != claims {
			return fmt.Sprintf("%d nodes for %d NodeClaims", nodes, claims)
		}
		return ""
	})
	t.Logf("%s: nodes: %d, none replaced, no field lost", when, len(r.nodes(t)))
}

// writers is the order in which controllers write.
type writers struct {
	mu   sync.Mutex
	list []string // who
	what []string
}

// before puts a proxy before the API server, and is its address.
func (w *writers) before(t *testing.T, who string, as *rest.Config) string {
	t.Helper()
	to, err := url.Parse(as.Host)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{FlushInterval: -1, Transport: kubeTransport(t, as), ErrorLog: quietLog,
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if point := apiWrite(r); point != "" && !strings.Contains(r.URL.Path, "/leases") {
			w.mu.Lock()
			w.list, w.what = append(w.list, who), append(w.what, point)
			w.mu.Unlock()
		}
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL
}

// by says what somebody has written; empty for nothing.
func (w *writers) by(who string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.list {
		if w.list[i] == who {
			return who + " wrote: " + w.what[i]
		}
	}
	return ""
}

// turns are those who wrote, one after the other.
func (w *writers) turns() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, who := range w.list {
		if len(out) == 0 || out[len(out)-1] != who {
			out = append(out, who)
		}
	}
	return strings.Join(out, " ")
}
