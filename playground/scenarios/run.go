package scenarios

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
	"rsc.io/script"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	karpenterv1alpha1 "github.com/dovetail-sh/dovetail/api/karpenter/v1alpha1"
	"github.com/dovetail-sh/dovetail/awssim/control"
	"github.com/dovetail-sh/dovetail/provider/aws"
)

// Setting is a cluster on which Dovetail runs already.
type Setting struct {
	Config      *rest.Config
	AWSEndpoint string // of the simulated account; credentials and region come from the environment
	ClusterName string

	// Log is told each line of the scripts and what the actors complain of.
	Log io.Writer
}

// Outcome is what a story came to.
type Outcome struct {
	Story  string
	Pods   int // running at the end
	Bought int // machines over the whole story
	InVain int // of them, never used

	// Price is what the fleet cost at the end, Bound what no fleet can go below, Best what a plan from nothing costs:
	// dollars an hour.
	Price, Bound, Best float64

	Took    time.Duration // the whole story, cleaning up not counted
	Settled time.Duration // of it, from the script's end until the fleet was as cheap as it should be
	Err     error
}

// Company plays stories on one cluster, one after the other.
type Company struct{ stage *stage }

// Open gets the harness ready. The context ends its watches.
func Open(ctx context.Context, setting Setting) (*Company, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, karpenterv1.AddToScheme, karpenterv1alpha1.AddToScheme, awsv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("building the scheme: %w", err)
		}
	}
	config := rest.CopyConfig(setting.Config)
	config.QPS, config.Burst = 200, 400
	direct, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	s := &stage{
		client: direct, account: control.New(setting.AWSEndpoint), ledger: newLedger(),
		variables: map[string]string{"CLUSTER_NAME": setting.ClusterName},
		log:       func(format string, args ...any) { fmt.Fprintf(setting.Log, "    "+format+"\n", args...) },
	}
	if s.cluster, err = s.watch(ctx, config, scheme); err != nil {
		return nil, err
	}
	found, err := aws.Connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("connecting to the simulated account: %w", err)
	}
	found.BaseEndpoint = &setting.AWSEndpoint
	s.cloud, err = aws.New(ctx, aws.Deps{
		Config:            found,
		Client:            direct,
		Clock:             clock.RealClock{},
		KubernetesVersion: func(context.Context) (string, error) { return kubernetesVersion, nil },
		Settings: aws.Settings{
			ClusterName:             setting.ClusterName,
			VMMemoryOverheadPercent: vmMemoryOverhead,
			ReservedCapacity:        true,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("reading the cloud's prices: %w", err)
	}
	return &Company{s}, nil
}

// What the cluster's own Dovetail is run with; the bound must reckon with the same machines.
const (
	kubernetesVersion = "1.36"
	vmMemoryOverhead  = 0.075
)

// watch starts a cache whose changes the ledger hears of.
func (s *stage) watch(ctx context.Context, config *rest.Config, scheme *runtime.Scheme) (client.Reader, error) {
	c, err := cache.New(config, cache.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("making a cache: %w", err)
	}
	hear := func(object any) {
		switch o := object.(type) {
		case *corev1.Pod:
			s.ledger.sawPod(o)
		case *karpenterv1.NodeClaim:
			s.ledger.sawClaim(o)
		}
	}
	handler := toolscache.ResourceEventHandlerFuncs{AddFunc: hear, UpdateFunc: func(_, o any) { hear(o) }}
	for _, object := range []client.Object{&corev1.Pod{}, &karpenterv1.NodeClaim{}} {
		informer, err := c.GetInformer(ctx, object)
		if err == nil {
			_, err = informer.AddEventHandler(handler)
		}
		if err != nil {
			return nil, fmt.Errorf("watching: %w", err)
		}
	}
	go func() { _ = c.Start(ctx) }()
	if !c.WaitForCacheSync(ctx) {
		return nil, errors.New("the cache did not fill")
	}
	return c, nil
}

// Play plays one story to its end and cleans up. Its failure is in the Outcome; the error is for a cluster that cannot
// play another one.
func (c *Company) Play(ctx context.Context, story Story) (Outcome, error) {
	s := c.stage
	began := time.Now()
	s.begin(story, began)
	acting, stop := context.WithCancel(ctx)
	s.start(acting, "the volume reclaimer", s.tidy)
	err := s.perform(acting)
	out := Outcome{Story: story.Name, Bought: s.ledger.machines()}
	if err == nil {
		out, err = s.verify(acting)
	}
	out.Err, out.Took = err, time.Since(began)
	cleaned := s.clean(acting)
	stop()
	s.actors.Wait()
	return out, cleaned
}

// begin forgets the story before.
func (s *stage) begin(story Story, now time.Time) {
	s.story, s.began, s.objects = story, now, nil
	s.spare, s.waiting, s.premium = 0, 0, premium
	s.ledger.reset()
}

// perform runs the script.
func (s *stage) perform(ctx context.Context) error {
	state, err := script.NewState(ctx, ".", nil)
	if err != nil {
		return fmt.Errorf("preparing the script: %w", err)
	}
	var log strings.Builder
	err = s.engine().Execute(state, s.story.Name, bufio.NewReader(strings.NewReader(s.story.script)), &log)
	for line := range strings.Lines(log.String()) {
		s.log("%s", strings.TrimRight(line, "\n"))
	}
	return err
}
