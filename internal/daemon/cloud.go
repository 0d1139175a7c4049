package daemon

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	kwokv1alpha1 "github.com/dovetail-sh/dovetail/api/kwok/v1alpha1"
	"github.com/dovetail-sh/dovetail/internal/config"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider"
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
}

// newCloud makes the cloud that the configuration names.
func newCloud(d CloudDeps) (provider.Cloud, error) {
	switch d.Config.Cloud {
	case config.CloudKWOK:
		return newKWOK(d)
	default:
		return nil, fmt.Errorf("there is no cloud %q", d.Config.Cloud)
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

// task runs one of a cloud's own tasks on the leader.
type task struct {
	provider.Task
	clock clock.Clock
	log   logr.Logger
}

// NeedLeaderElection is true: two daemons would only double the calls.
func (t *task) NeedLeaderElection() bool { return true }

// Start runs the task at its interval until the context ends. One failure is logged and does not end it.
func (t *task) Start(ctx context.Context) error {
	for {
		if err := t.Run(ctx); err != nil && ctx.Err() == nil {
			t.log.Error(err, "running a task of the cloud; trying again", observe.LogController, t.Name, observe.LogDuration, t.Every.Round(time.Second).String())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.clock.After(t.Every):
		}
	}
}
