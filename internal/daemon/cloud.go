package daemon

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	kwokv1alpha1 "github.com/dovetail-sh/dovetail/api/kwok/v1alpha1"
	"github.com/dovetail-sh/dovetail/internal/config"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/regular"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws"
	"github.com/dovetail-sh/dovetail/provider/kwok"
)

// CloudDeps are what a cloud may need of the daemon.
type CloudDeps struct {
	Config config.Config
	Kube   *rest.Config
	Client client.Client // reads from the cache
	Live   client.Reader // reads from the API server
	Clock  clock.Clock
	Events *observe.Recorder
	Log    logr.Logger

	// Metrics are for what the cloud does inside.
	Metrics *observe.Metrics

	// Tell records an event of each node class.
	Tell func(ctx context.Context, reason *observe.Reason, message string)

	// AWSEndpoint is where all AWS APIs are; empty means where the environment says.
	AWSEndpoint string
}

// newCloud makes the cloud that the configuration names.
func newCloud(ctx context.Context, d CloudDeps) (provider.Cloud, error) {
	if d.Config.Cloud == config.CloudKWOK {
		return newKWOK(d)
	}
	return newAWS(ctx, d)
}

func newAWS(ctx context.Context, d CloudDeps) (provider.Cloud, error) {
	found, err := aws.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if d.AWSEndpoint != "" {
		found.BaseEndpoint = &d.AWSEndpoint
	}
	s := d.Config.AWS
	authority, err := authorityOf(s.ClusterCABundle, d.Kube)
	if err != nil {
		return nil, err
	}
	return aws.New(ctx, aws.Deps{
		Config:            found,
		Client:            d.Client,
		Live:              d.Live,
		Clock:             d.Clock,
		KubernetesVersion: versionOf(d.Kube),
		Shifted:           shifted(d),
		Meter:             awsMeter{d.Metrics.AWS},
		Idle:              newIdleTeller(d).tell,
		Settings: aws.Settings{
			ClusterName:                  s.ClusterName,
			ClusterEndpoint:              s.ClusterEndpoint,
			ClusterCABundle:              authority,
			IsolatedVPC:                  s.IsolatedVPC,
			EKSControlPlane:              s.EKSControlPlane,
			VMMemoryOverheadPercent:      s.VMMemoryOverheadPercent,
			InterruptionQueue:            s.InterruptionQueue,
			ReservedENIs:                 s.ReservedENIs,
			AMIRefreshInterval:           s.AMIRefreshInterval,
			SubnetRefreshInterval:        s.SubnetRefreshInterval,
			DisableDryRun:                s.DisableDryRun,
			SecurityGroupRefreshInterval: s.SecurityGroupRefreshInterval,
			KubeletExpressions:           s.Gates.NodeClassCEL,
			RebootForRepair:              s.Gates.RebootForRepair,
			DRANVIDIAGPU:                 s.Gates.DRANVIDIAGPU,
			DRAEFA:                       s.Gates.DRAEFA,
			LegacyRepair:                 d.Config.Lifecycle.LegacyRepair,
			ZonalShift:                   s.EnableZonalShift,
			ReservedCapacity:             d.Config.Gates.ReservedCapacity,
			OpenReservations:             s.OpenReservations,
		},
	})
}

// authorityOf is what nodes trust the API server by, base64: what was set, else what the controller itself trusts it
// by. Neither is no error; then EKS is asked.
func authorityOf(set string, kube *rest.Config) (string, error) {
	if set != "" {
		return set, nil
	}
	own := rest.CopyConfig(kube)
	if err := rest.LoadTLSFiles(own); err != nil {
		return "", fmt.Errorf("reading the API server's CA, as cluster-ca-bundle is not set: %w", err)
	}
	return base64.StdEncoding.EncodeToString(own.CAData), nil
}

// versionOf asks the API server for its version, such as "1.36".
func versionOf(kube *rest.Config) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		ask, err := discovery.NewDiscoveryClientForConfig(kube)
		if err != nil {
			return "", fmt.Errorf("reading the client configuration: %w", err)
		}
		v, err := ask.ServerVersion()
		if err != nil {
			return "", fmt.Errorf("asking the API server for its version: %w", err)
		}
		return v.Major + "." + strings.TrimRight(v.Minor, "+"), nil
	}
}

func newKWOK(d CloudDeps) (provider.Cloud, error) {
	deps := kwok.Deps{Client: d.Client, Live: d.Live, Clock: d.Clock}
	if path := d.Config.KWOK.InstanceTypesFile; path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading instance types: %w", err)
		}
		if deps.Types, err = kwok.ParseTypes(text); err != nil {
			return nil, fmt.Errorf("reading instance types from %s: %w", path, err)
		}
	}
	return kwok.New(deps)
}

// classesOf are empty objects of the node classes of the configured cloud.
func classesOf(c config.Config) []client.Object {
	switch c.Cloud {
	case config.CloudKWOK:
		return []client.Object{&kwokv1alpha1.KWOKNodeClass{}}
	default:
		return []client.Object{&awsv1.EC2NodeClass{}}
	}
}

// listsOf are empty lists of the node classes of the configured cloud.
func listsOf(c config.Config) []client.ObjectList {
	switch c.Cloud {
	case config.CloudKWOK:
		return []client.ObjectList{&kwokv1alpha1.KWOKNodeClassList{}}
	default:
		return []client.ObjectList{&awsv1.EC2NodeClassList{}}
	}
}

// task runs one of a cloud's own tasks.
type task struct {
	provider.Task
	clock   clock.Clock
	log     logr.Logger
	outcome regular.Outcome
}

// NeedLeaderElection is true for most: two daemons would only double the calls.
func (t *task) NeedLeaderElection() bool { return !t.Standby }

// firstRetry is how soon a task that failed runs again: prices that a throttled call has not brought must not be stale
// for half a day. The wait doubles while it fails, up to the task's own interval.
const firstRetry = time.Minute

// Start runs the task at its interval until the context ends. A failure is logged and does not end it.
func (t *task) Start(ctx context.Context) error {
	retry := time.Duration(0)
	for {
		err := t.Run(ctx)
		t.outcome(ctx, "Task "+t.Name, err)
		wait := t.Every
		if err == nil {
			retry = 0
		} else if ctx.Err() == nil {
			retry = max(2*retry, firstRetry)
			wait = min(retry, t.Every)
			t.log.Error(
				err,
				"running a task of the cloud; trying again",
				observe.LogController,
				t.Name,
				observe.LogDuration,
				wait.Round(time.Second).String(),
			)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.clock.After(wait):
		}
	}
}
