package contestant

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/dovetail-sh/dovetail/internal/rights"
	"github.com/dovetail-sh/dovetail/playground/cluster"
)

// How often a CRD is looked at, and for how long.
const (
	poll     = 50 * time.Millisecond
	patience = 30 * time.Second
)

// namespace that every controller believes to run in.
const namespace = "kube-system"

// Contestant is a controller with a consolidation policy.
type Contestant struct {
	// Name is unique, such as karpenter-balanced.
	Name string
	// Controller is "dovetail" or "karpenter".
	Controller string
	// Policy is the consolidationPolicy of its NodePool.
	Policy string
}

// The controllers.
const (
	Dovetail  = "dovetail"
	Karpenter = "karpenter"
)

// All are the contestants in the order of their runs. The NodePool's own default policy is WhenEmptyOrUnderutilized.
var All = []Contestant{
	{Name: "dovetail", Controller: Dovetail, Policy: "WhenEmptyOrUnderutilized"},
	{Name: "karpenter-underutilized", Controller: Karpenter, Policy: "WhenEmptyOrUnderutilized"},
	{Name: "karpenter-balanced", Controller: Karpenter, Policy: "Balanced"},
	{Name: "karpenter-empty", Controller: Karpenter, Policy: "WhenEmpty"},
}

// Settings are how controllers are set.
type Settings string

const (
	// Own leaves each controller with its own defaults.
	Own Settings = "own"
	// Equal gives all the same limits of requests, and has Dovetail replace nodes for any saving, as Karpenter does.
	Equal Settings = "equal"
)

// requests to the API server a second, and at once, where settings are equal.
const (
	equalQPS   = 1000
	equalBurst = 2000
)

// Program is how a contestant's controller is started.
type Program struct {
	Binary string // of the controller; for Dovetail empty means the one in the playground's binary
	Types  string // path of the file of instance types
	More   []string
}

// On returns what to start on a cluster. The instance types are those of the file.
func (c Contestant) On(settings Settings, p Program) cluster.Program {
	out := cluster.Program{
		Name:    c.Controller,
		Healthy: func(of *cluster.Cluster) string { return health(of) + "/readyz" },
	}
	out.Binary = p.Binary
	if c.Controller == Dovetail {
		out.Args = func(ctx context.Context, of *cluster.Cluster) ([]string, error) {
			return dovetail(ctx, of, settings, p)
		}
		return out
	}
	out.Args = func(ctx context.Context, of *cluster.Cluster) ([]string, error) {
		return karpenter(ctx, of, settings, p)
	}
	out.Env = func(of *cluster.Cluster) []string { return environment(of) }
	return out
}

func health(of *cluster.Cluster) string { return "http://" + address(of, "health") }

// address is where a controller is to listen.
func address(of *cluster.Cluster, name string) string {
	address, err := of.Address("arena-" + name)
	if err != nil {
		return "127.0.0.1:0" // nobody answers there
	}
	return address
}

func port(of *cluster.Cluster, name string) string {
	_, port, err := net.SplitHostPort(address(of, name))
	if err != nil {
		return "0"
	}
	return port
}

// kubeconfig is of the controller's service account, in the groups that a pod of kube-system is in: the API server's
// priority and fairness then treats all controllers alike.
func kubeconfig(of *cluster.Cluster, account string) (string, error) {
	path, err := of.KubeconfigOf(
		rights.User(namespace, account),
		"system:serviceaccounts",
		"system:serviceaccounts:"+namespace,
	)
	if err != nil {
		return "", fmt.Errorf("preparing %s: %w", account, err)
	}
	return path, nil
}

// shared are the flags that both controllers know.
func shared(of *cluster.Cluster, settings Settings, p Program) []string {
	args := []string{
		"--metrics-port=" + port(of, "metrics"), "--health-probe-port=" + port(of, "health"),
		"--disable-leader-election", "--instance-types-file-path=" + p.Types,
	}
	if settings == Equal {
		args = append(
			args,
			fmt.Sprintf("--kube-client-qps=%d", equalQPS),
			fmt.Sprintf("--kube-client-burst=%d", equalBurst),
		)
	}
	return args
}
