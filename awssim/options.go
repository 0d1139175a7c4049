package awssim

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/awssim/pace"
	"github.com/dovetail-sh/dovetail/awssim/world"
	"github.com/dovetail-sh/dovetail/catalog"
)

// NodeRegistrar is the Kubernetes API as machines that boot need it.
type NodeRegistrar interface {
	// Register creates the Node of a machine that joined. A Node of the same
	// name that belongs to another machine is replaced.
	Register(ctx context.Context, node *corev1.Node) error
	// Silence says that the machine behind a Node is gone: nobody sends its
	// heartbeats any more. A Node that does not exist is no error.
	Silence(ctx context.Context, name string) error
	// Delete removes the Node, as the cloud's node controller does when its
	// machine no longer exists. A Node that does not exist is no error.
	Delete(ctx context.Context, name string) error
}

// Options describe the simulated account. The zero value works: each field
// says what it then means.
type Options struct {
	Seed   uint64      // of everything random; equal seeds give equal ids and prices
	Clock  clock.Clock // one that starts at the wall's time, and whose speed can be set, when nil
	Listen string      // address to serve at; "127.0.0.1:0" when empty

	Region    string // "us-east-1" when empty
	AccountID string // 12 digits; "111122223333" when empty
	// AccessKeys are the key ids that may sign calls; any may when empty.
	AccessKeys []string

	// LocalZones are groups of Local Zones that the account opted in to, such as
	// "us-east-1-bos-1": each of their zones gets a private subnet.
	LocalZones []string

	ClusterName       string // "dovetail" when empty
	ClusterEndpoint   string // the API server's URL; user data must name it
	ClusterCA         []byte // PEM; user data must carry it
	KubernetesVersion string // "1.36" when empty
	ServiceCIDR       string // "10.100.0.0/16" when empty
	// DiscoveryTags are put on the private subnets and the cluster's security
	// group; karpenter.sh/discovery with the cluster's name when nil.
	DiscoveryTags map[string]string
	// NodeRoles are the IAM roles that may join the cluster as nodes;
	// KarpenterNodeRole- with the cluster's name when nil.
	NodeRoles []string
	// InterruptionQueue is the queue that EC2's events go to; the cluster's
	// name when empty.
	InterruptionQueue string

	Floor time.Duration // the least time that an answer takes; see Settings. Zero is as soon as it is made

	Moving bool    // whether the spot market moves; see Settings
	Unrest float64 // how often spot instances are interrupted while it does; 1 when zero

	PendingDelay time.Duration // from launch to running; 1 s when zero
	BootDelay    time.Duration // from launch to the Node; 5 s when zero
	StopDelay    time.Duration // from shutting-down to terminated; 3 s when zero

	// Nodes is where machines register. When nil, one is made from Kubeconfig;
	// when that is nil too, no machine ever joins.
	Nodes      NodeRegistrar
	Kubeconfig *rest.Config
	// CloudNodeLifecycle deletes the Node of a machine some seconds after it
	// terminated, as AWS's cloud controller manager does.
	CloudNodeLifecycle bool
}

// Delays that are not settable: how long the cloud's node controller takes to
// notice, and how long EC2 still describes a terminated instance.
const (
	nodeGoneDelay = 5 * time.Second
	retention     = time.Hour
)

// withDefaults fills in what the zero value means.
func (o Options) withDefaults() Options {
	defaults := func(s *string, value string) {
		if *s == "" {
			*s = value
		}
	}
	defaults(&o.Listen, "127.0.0.1:0")
	defaults(&o.Region, "us-east-1")
	defaults(&o.AccountID, "111122223333")
	defaults(&o.ClusterName, "dovetail")
	defaults(&o.KubernetesVersion, "1.36")
	defaults(&o.ServiceCIDR, "10.100.0.0/16")
	defaults(&o.InterruptionQueue, o.ClusterName)
	if o.Unrest == 0 {
		o.Unrest = 1
	}
	if o.Clock == nil {
		o.Clock = pace.New()
	}
	if o.DiscoveryTags == nil {
		o.DiscoveryTags = map[string]string{"karpenter.sh/discovery": o.ClusterName}
	}
	if o.NodeRoles == nil {
		o.NodeRoles = []string{"KarpenterNodeRole-" + o.ClusterName}
	}
	for _, d := range []struct {
		delay *time.Duration
		value time.Duration
	}{{&o.PendingDelay, time.Second}, {&o.BootDelay, 5 * time.Second}, {&o.StopDelay, 3 * time.Second}} {
		if *d.delay == 0 {
			*d.delay = d.value
		}
	}
	return o
}

// config turns options into a world's configuration.
func (o Options) config() (world.Config, error) {
	region, ok := catalog.LookupRegion(o.Region)
	if !ok {
		return world.Config{}, fmt.Errorf("region %q is not in the catalogue", o.Region)
	}
	if len(o.AccountID) != 12 {
		return world.Config{}, fmt.Errorf("account id %q must have 12 digits", o.AccountID)
	}
	var locals []catalog.Region
	for _, name := range o.LocalZones {
		known := catalog.LocalZones(o.Region)
		i := slices.IndexFunc(known, func(r catalog.Region) bool { return r.Name == name })
		if i < 0 {
			return world.Config{}, fmt.Errorf("%s has no group of Local Zones %q in the catalogue", o.Region, name)
		}
		locals = append(locals, known[i])
	}
	var tags []launchspec.Tag
	for key, value := range o.DiscoveryTags {
		tags = launchspec.SetTags(tags, []launchspec.Tag{{Key: key, Value: value}})
	}
	return world.Config{
		Seed: o.Seed, Clock: o.Clock, Region: region, LocalZones: locals, Account: o.AccountID, Tags: tags,
		Cluster: world.Cluster{
			Name: o.ClusterName, Version: o.KubernetesVersion, Endpoint: o.ClusterEndpoint, CA: o.ClusterCA,
			ServiceCIDR: o.ServiceCIDR, NodeRoles: o.NodeRoles,
		},
		Market:       world.Market{Moving: o.Moving, Unrest: o.Unrest},
		PendingDelay: o.PendingDelay, BootDelay: o.BootDelay, StopDelay: o.StopDelay,
		NodeGoneDelay: nodeGoneDelay, Retention: retention,
	}, nil
}
