package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// startLimit is how long Start waits for everything to be healthy. It is far
// above the 3 seconds that an idle machine needs, for those that are not.
const startLimit = 2 * time.Minute

// Cluster is a control plane that runs. Its methods can be called from several goroutines.
type Cluster struct {
	options   Options
	layout    layout
	authority *authority
	prober    *prober
	lock      *os.File
	Egress    *Egress // never nil after Start

	controlPlane time.Duration // from Start until the parts were healthy; set by Start

	stopOnce sync.Once
	stopErr  error

	mu       sync.Mutex // guards the fields below, and the state file
	children []*child   // in the order of starting
	state    State
}

// Start starts a cluster and returns when every part is healthy. When it fails,
// everything that it started is gone again. ctx bounds only the starting.
func Start(ctx context.Context, options Options) (*Cluster, error) {
	options, err := options.complete()
	if err != nil {
		return nil, fmt.Errorf("starting a playground: %w", err)
	}
	if options.Dir == "" {
		if err := os.MkdirAll(DefaultRoot(), 0o700); err != nil {
			return nil, fmt.Errorf("making the playgrounds' directory: %w", err)
		}
		if options.Dir, err = os.MkdirTemp(DefaultRoot(), ""); err != nil {
			return nil, fmt.Errorf("making the playground's directory: %w", err)
		}
	}
	if options.Dir, err = filepath.Abs(options.Dir); err != nil {
		return nil, fmt.Errorf("finding the playground's directory: %w", err)
	}
	lock, err := claim(options.Dir)
	if err != nil {
		return nil, err
	}
	c := &Cluster{options: options, lock: lock, layout: layout{dir: options.Dir}}
	c.state = State{Dir: options.Dir, PID: os.Getpid(), Keep: options.Keep, StartedAt: time.Now()}

	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("not healthy after %s", startLimit))
	defer cancel()
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// start prepares the directory and starts everything in order.
func (c *Cluster) start(ctx context.Context) error {
	if err := c.prepare(); err != nil {
		return err
	}
	if err := c.startAPI(ctx); err != nil {
		return err
	}
	if err := c.startRest(ctx); err != nil {
		return err
	}
	c.controlPlane = time.Since(c.state.StartedAt)
	for _, program := range c.options.Programs {
		if err := c.startProgram(ctx, program); err != nil {
			return err
		}
	}
	page := pageOf(c)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.Page = page
	for _, child := range c.children {
		child.settle()
	}
	c.state.Ready = true
	c.state.ReadyAfter = time.Since(c.state.StartedAt).Round(time.Millisecond).String()
	return c.saveLocked()
}

// pageOf is the address of the web page that a program serves, if one does.
func pageOf(c *Cluster) string {
	for _, program := range c.options.Programs {
		if program.Page != nil {
			return program.Page(c)
		}
	}
	return ""
}

// prepare writes everything that the parts read: certificates, kubeconfigs, configuration.
func (c *Cluster) prepare() error {
	for _, dir := range []string{"logs", "pki", "kubeconfigs"} {
		if err := os.MkdirAll(c.layout.file(dir), 0o700); err != nil {
			return fmt.Errorf("preparing the playground: %w", err)
		}
	}
	var err error
	if c.authority, err = openAuthority(c.layout.file("pki")); err != nil {
		return err
	}
	if err := openSigningKey(c.layout.file("pki")); err != nil {
		return err
	}
	if c.prober, err = newProber(c.authority); err != nil {
		return err
	}
	proxy, err := c.authority.serving("egress")
	if err != nil {
		return err
	}
	if c.Egress, err = openEgress(proxy); err != nil {
		return err
	}
	return errors.Join(c.issueServing(), c.assign())
}

// issueServing writes the certificates of the servers, and the one by which
// the API server shows itself to servers of aggregated APIs.
func (c *Cluster) issueServing() error {
	for name, issue := range map[string]func() (pair, error){
		"etcd": func() (pair, error) { return c.authority.serving("etcd") },
		"apiserver": func() (pair, error) {
			return c.authority.serving("apiserver",
				"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
		},
		"front-proxy": func() (pair, error) { return c.authority.user(frontProxyUser) },
	} {
		issued, err := issue()
		if err != nil {
			return err
		}
		if err := writePair(c.layout.pki(name+".crt"), c.layout.pki(name+".key"), issued); err != nil {
			return err
		}
	}
	return nil
}

// assign chooses ports and writes the files that name them.
func (c *Cluster) assign() error {
	users := append([]string{"peer"}, Full...)
	ports, err := freePorts(len(users))
	if err != nil {
		return err
	}
	c.layout.ports = map[string]int{}
	for i, user := range users {
		c.layout.ports[user] = ports[i]
	}
	for path, user := range map[string]struct {
		name   string
		groups []string
	}{
		c.Kubeconfig(): {name: "admin", groups: []string{"system:masters"}},
		c.layout.kubeconfig("system:" + Scheduler):         {name: "system:" + Scheduler},
		c.layout.kubeconfig("system:" + ControllerManager): {name: "system:" + ControllerManager},
		c.layout.kubeconfig(kwokUser):                      {name: kwokUser},
		c.layout.kubeconfig(RegistrarUser):                 {name: RegistrarUser},
	} {
		data, err := mintKubeconfig(c.authority, c.Endpoint(), user.name, user.groups...)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return fmt.Errorf("writing the kubeconfig of %s: %w", user.name, err)
		}
	}
	if err := os.WriteFile(c.layout.file("scheduler.yaml"), []byte(c.layout.schedulerConfig()), 0o600); err != nil {
		return fmt.Errorf("writing the scheduler's configuration: %w", err)
	}
	if err := writeKwok(c); err != nil {
		return err
	}
	if err := c.layout.writeEgress(c.Egress); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.Endpoint, c.state.Kubeconfig = c.Endpoint(), c.Kubeconfig()
	return c.saveLocked()
}

// startAPI starts etcd and the API server. If they die because another process
// took one of their ports in between, it tries again with others.
func (c *Cluster) startAPI(ctx context.Context) error {
	const attempts = 3
	for attempt := 1; ; attempt++ {
		err := c.tryAPI(ctx)
		if err == nil || attempt == attempts || !errors.Is(err, errEarly) {
			return err
		}
		c.stopAll()
		if err := c.assign(); err != nil {
			return err
		}
	}
}

func (c *Cluster) tryAPI(ctx context.Context) error {
	etcd := c.startPart(Etcd)
	if err := etcd.await(ctx, c.prober.get(c.layout.url(Etcd)+"/health")); err != nil {
		return err
	}
	server := c.startPart(APIServer)
	return server.await(ctx, c.prober.get(c.Endpoint()+"/readyz"))
}

// startRest starts the other parts at once and waits for all of them.
func (c *Cluster) startRest(ctx context.Context) error {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return fmt.Errorf("reading the administrator's kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	if err := grant(ctx, client); err != nil {
		return err
	}
	started := map[string]*child{}
	for _, name := range c.options.Parts {
		if name != Etcd && name != APIServer {
			started[name] = c.startPart(name)
		}
	}
	for name, url := range map[string]string{
		ControllerManager: c.layout.url(ControllerManager) + "/healthz",
		Scheduler:         c.layout.url(Scheduler) + "/readyz",
		Kwok:              "http://" + c.layout.address(Kwok) + "/healthz",
	} {
		if child := started[name]; child != nil {
			if err := child.await(ctx, c.prober.get(url)); err != nil {
				return err
			}
		}
	}
	return c.awaitNamespace(ctx, client, started[ControllerManager])
}

// startPart starts a part of Kubernetes or kwok.
func (c *Cluster) startPart(name string) *child {
	chosen := map[string]bool{}
	for _, part := range c.options.Parts {
		chosen[part] = true
	}
	args := c.layout.arguments(name, chosen)
	return c.launch(name, "", func() *exec.Cmd { return c.layout.command(c.options.Binary, args, nil) })
}

// startProgram starts a further program and waits until it is healthy.
func (c *Cluster) startProgram(ctx context.Context, p Program) error {
	if len(p.ServingNames) > 0 {
		issued, err := c.authority.serving(p.Name, p.ServingNames...)
		if err != nil {
			return err
		}
		if err := writePair(c.layout.pki(p.Name+".crt"), c.layout.pki(p.Name+".key"), issued); err != nil {
			return err
		}
	}
	args, err := p.Args(ctx, c)
	if err != nil {
		return fmt.Errorf("preparing %s: %w", p.Name, err)
	}
	var env []string
	if p.Env != nil {
		env = p.Env(c)
	}
	podLog := ""
	if p.Pod != nil {
		podLog = c.layout.podLog(p.Name)
	}
	binary := cmp.Or(p.Binary, c.options.Binary)
	child := c.launch(p.Name, podLog, func() *exec.Cmd { return c.layout.command(binary, args, env) })
	if p.Healthy == nil {
		return nil
	}
	return child.await(ctx, c.prober.get(p.Healthy(c)))
}

func (c *Cluster) launch(name, podLog string, command func() *exec.Cmd) *child {
	child := newChild(name, c.layout.log(name), c.note, command)
	child.podLog = podLog
	c.mu.Lock()
	c.children = append(c.children, child)
	c.mu.Unlock()
	go child.run()
	return child
}

// note passes an event on and writes the new state down.
func (c *Cluster) note(e Event) {
	e.At = time.Now()
	c.options.Report(e)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.saveLocked(); err != nil {
		c.options.Report(Event{At: e.At, Part: e.Part, Kind: e.Kind, Detail: err.Error()})
	}
}

// saveLocked writes the state file. c.mu is held.
func (c *Cluster) saveLocked() error {
	c.state.Parts = c.partsLocked()
	return c.state.write()
}

// Endpoint is the API server's address.
func (c *Cluster) Endpoint() string { return c.layout.url(APIServer) }

// ControlPlaneAfter is how long it took from Start until all parts were healthy, programs not counted.
func (c *Cluster) ControlPlaneAfter() time.Duration { return c.controlPlane }

// Dir is the directory that holds everything.
func (c *Cluster) Dir() string { return c.layout.dir }

// Kubeconfig is the path of the administrator's kubeconfig.
func (c *Cluster) Kubeconfig() string { return c.layout.file("kubeconfig") }

// Address is where something of this name listens or is to listen: a part, or
// whatever a Program wants an address for. It is the same for the whole life
// of the cluster, such as "127.0.0.1:21234".
func (c *Cluster) Address(name string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.layout.ports[name] == 0 {
		ports, err := freePorts(1)
		if err != nil {
			return "", err
		}
		c.layout.ports[name] = ports[0]
	}
	return c.layout.address(name), nil
}

// Authority is the path of the certificate authority's certificate, PEM.
func (c *Cluster) Authority() string { return c.layout.pki("ca.crt") }

// State returns what is known of the parts now.
func (c *Cluster) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	state := c.state
	state.Parts = c.partsLocked()
	return state
}

// partsLocked asks every child. c.mu is held.
func (c *Cluster) partsLocked() []PartState {
	var parts []PartState
	for _, child := range c.children {
		state := child.state()
		if c.layout.ports[child.name] != 0 {
			state.Address = c.layout.address(child.name)
		}
		parts = append(parts, state)
	}
	return parts
}

// KubeconfigOf mints a kubeconfig in which user acts, in groups, writes it
// into the cluster's directory and returns its path.
func (c *Cluster) KubeconfigOf(user string, groups ...string) (string, error) {
	return writeKubeconfig(c.layout, c.authority, c.Endpoint(), user, groups)
}
