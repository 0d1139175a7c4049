package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// serviceRange is where Services get their addresses: EKS's choice, which the
// user data of its nodes repeats. Nothing routes there: no kube-proxy runs, as
// nothing behind a Service does.
const serviceRange = "10.100.0.0/16"

// frontProxyUser is who the API server is to servers of aggregated APIs.
const frontProxyUser = "playground:front-proxy"

// clientQPS and clientBurst let the controllers write as fast as the machine
// can. With Kubernetes' defaults (20 and 50 requests a second) they, and not
// what is being tried out, would set the pace.
const (
	clientQPS   = 2000
	clientBurst = 4000
)

// layout names the files and ports of a cluster.
type layout struct {
	dir   string
	ports map[string]int // by part; "peer" is etcd's own
}

func (l layout) file(elements ...string) string {
	return filepath.Join(append([]string{l.dir}, elements...)...)
}

func (l layout) log(part string) string       { return l.file("logs", part+".log") }
func (l layout) podLog(program string) string { return l.file("logs", program+".pod.log") }
func (l layout) pki(name string) string       { return l.file("pki", name) }
func (l layout) address(part string) string   { return fmt.Sprintf("127.0.0.1:%d", l.ports[part]) }
func (l layout) url(part string) string       { return "https://" + l.address(part) }

// kubeconfig is where a user's credentials are. Colons, of which Kubernetes'
// user names are full, separate files in the KUBECONFIG variable.
func (l layout) kubeconfig(user string) string {
	return l.file("kubeconfigs", strings.NewReplacer(":", "-", "/", "-").Replace(user)+".yaml")
}

// arguments returns the command line of a part, beginning with its name.
func (l layout) arguments(part string, chosen map[string]bool) []string {
	switch part {
	case Etcd:
		return l.etcd()
	case APIServer:
		return l.apiServer(chosen[ControllerManager])
	case ControllerManager:
		return l.controllerManager()
	case Scheduler:
		return l.scheduler()
	default:
		return l.kwok()
	}
}

func (l layout) etcd() []string {
	return []string{
		Etcd,
		"--name=" + Name,
		"--data-dir=" + l.file("etcd"),
		// The data is as lasting as the playground: a crash of the machine may lose it.
		"--unsafe-no-fsync",
		"--listen-client-urls=" + l.url(Etcd),
		"--advertise-client-urls=" + l.url(Etcd),
		"--listen-peer-urls=" + l.url("peer"),
		"--initial-advertise-peer-urls=" + l.url("peer"),
		"--initial-cluster=" + Name + "=" + l.url("peer"),
		"--client-cert-auth", "--trusted-ca-file=" + l.pki("ca.crt"),
		"--cert-file=" + l.pki("etcd.crt"), "--key-file=" + l.pki("etcd.key"),
		"--peer-client-cert-auth", "--peer-trusted-ca-file=" + l.pki("ca.crt"),
		"--peer-cert-file=" + l.pki("etcd.crt"), "--peer-key-file=" + l.pki("etcd.key"),
		"--auto-compaction-mode=periodic", "--auto-compaction-retention=10m",
		"--quota-backend-bytes=4294967296",
		"--log-level=warn",
	}
}

func (l layout) apiServer(withControllers bool) []string {
	args := []string{
		APIServer,
		"--etcd-servers=" + l.url(Etcd),
		"--etcd-cafile=" + l.pki("ca.crt"),
		"--etcd-certfile=" + l.pki("etcd.crt"), "--etcd-keyfile=" + l.pki("etcd.key"),
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", l.ports[APIServer]),
		"--tls-cert-file=" + l.pki("apiserver.crt"), "--tls-private-key-file=" + l.pki("apiserver.key"),
		"--client-ca-file=" + l.pki("ca.crt"),
		// Kubernetes refuses to publish a loopback address as an endpoint, and
		// looks for another, which a machine without network does not have.
		"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
		"--requestheader-client-ca-file=" + l.pki("ca.crt"), "--requestheader-allowed-names=" + frontProxyUser,
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + l.pki("front-proxy.crt"), "--proxy-client-key-file=" + l.pki("front-proxy.key"),
		"--service-cluster-ip-range=" + serviceRange,
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + l.pki("sa.pub"),
		"--service-account-signing-key-file=" + l.pki("sa.key"),
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true",
		"--egress-selector-config-file=" + l.file("egress.yaml"),
		"--kubelet-preferred-address-types=InternalIP,Hostname",
		"--max-requests-inflight=2000", "--max-mutating-requests-inflight=1000",
		"--profiling=false",
	}
	if !withControllers {
		// Without the controller that makes service accounts, no pod could be created.
		args = append(args, "--disable-admission-plugins=ServiceAccount")
	}
	return args
}

func (l layout) controllerManager() []string {
	kubeconfig := l.kubeconfig("system:" + ControllerManager)
	return []string{
		ControllerManager,
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", l.ports[ControllerManager]),
		"--cert-dir=" + l.pki(ControllerManager),
		"--leader-elect=false",
		"--use-service-account-credentials=true",
		"--service-account-private-key-file=" + l.pki("sa.key"),
		"--root-ca-file=" + l.pki("ca.crt"),
		"--cluster-signing-cert-file=" + l.pki("ca.crt"), "--cluster-signing-key-file=" + l.pki("ca.key"),
		"--flex-volume-plugin-dir=" + l.file("flexvolume"),
		fmt.Sprintf("--kube-api-qps=%d", clientQPS),
		fmt.Sprintf("--kube-api-burst=%d", clientBurst),
		"--profiling=false",
	}
}

func (l layout) scheduler() []string {
	kubeconfig := l.kubeconfig("system:" + Scheduler)
	return []string{
		Scheduler,
		"--config=" + l.file("scheduler.yaml"),
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", l.ports[Scheduler]),
		"--cert-dir=" + l.pki(Scheduler),
	}
}

// schedulerConfig is what the scheduler has no flags for.
func (l layout) schedulerConfig() string {
	return fmt.Sprintf(`apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
leaderElection:
  leaderElect: false
clientConnection:
  kubeconfig: %s
  qps: %d
  burst: %d
`, l.kubeconfig("system:"+Scheduler), clientQPS, clientBurst)
}

func (l layout) kwok() []string {
	return []string{
		Kwok,
		"--kubeconfig=" + l.kubeconfig(kwokUser),
		"--config=" + l.file("kwok.yaml"),
		"--manage-nodes-with-annotation-selector=" + FakeNodeAnnotation + "=fake",
		// The kubelet's own lease duration.
		"--node-lease-duration-seconds=40",
		"--server-address=" + l.address(Kwok), fmt.Sprintf("--node-port=%d", l.ports[Kwok]),
		// Of nodes that come without an address: one for documentation, which only the egress proxy knows.
		"--node-ip=192.0.2.10",
		// kwok's own default has room for 254 pods.
		"--cidr=10.244.0.1/16",
	}
}

// command builds one process of the binary. Its home is the cluster's directory,
// so that no file of the user's is read or written.
func (l layout) command(binary string, args, env []string) *exec.Cmd {
	cmd := exec.Command(binary, args...)
	cmd.Dir = l.dir
	cmd.Env = append(os.Environ(), "HOME="+l.dir, "KWOK_WORKDIR="+l.dir)
	cmd.Env = append(cmd.Env, env...)
	return cmd
}
