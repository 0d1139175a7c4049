package play

import (
	"context"
	"math"
	"time"

	"k8s.io/client-go/kubernetes"
)

// Play is one workload from beginning to end.
type Play struct {
	Name  string
	About string // one sentence
	// Spot is whether the pool may buy spot machines.
	Spot bool
	// Shrinks is whether nodes become superfluous: only then do consolidation policies differ.
	Shrinks bool
	// Pods is how many there are about, in full and in the short form; 0 for not in that form.
	Pods, ShortPods int
	// For is how long the play goes on after its pods first ran, in full and in the short form.
	For, ShortFor time.Duration

	act func(ctx context.Context, s *Stage) error
}

// Stage is where a play is performed.
type Stage struct {
	Kube  kubernetes.Interface
	Watch Watcher
	// Pods is about how many to create, For how long to go on after they first ran.
	Pods int
	For  time.Duration
	// Patience bounds each wait for pods to run.
	Patience time.Duration
	Seed     uint64
	// Trace is the file of a recorded trace; empty for none.
	Trace string
	Say   func(format string, args ...any)
}

// Watcher sees pods.
type Watcher interface {
	// Expect begins the first wait: so many pods are to run.
	Expect(pods int)
	// Count is how many pods run, and how many are to.
	Count() (running, wanted int)
}

// Act performs the play. The error says what did not come true.
func (p Play) Act(ctx context.Context, s *Stage) error { return p.act(ctx, s) }

// All are the plays, what matters most first: where time is short, the last are left out.
var All = []Play{
	{
		Name:    "four",
		About:   "Four Deployments come at once, one of them spread over zones, and shrink to less than half.",
		Shrinks: true, Pods: 3000, ShortPods: 3000, For: 90 * time.Second, ShortFor: 15 * time.Second, act: four,
	},
	{
		Name:    "flapping",
		About:   "An autoscaler takes six Deployments up and down between a third and all of their pods.",
		Shrinks: true, Pods: 360, ShortPods: 180, For: 60 * time.Second, ShortFor: 20 * time.Second, act: flapping,
	},
	{
		Name: "rollouts", About: "Twenty Deployments are rolled out anew, four at a time.",
		Shrinks: true, Pods: 400, For: 40 * time.Second, act: rollouts,
	},
	{
		Name:    "day",
		About:   "A recorded day in little more than a minute; where none is, one of eight services with a peak each.",
		Shrinks: true, Pods: 400, For: 72 * time.Second, act: day,
	},
	{
		Name: "topology", About: "Pods that spread over zones and hosts, keep apart, and follow each other.",
		Pods: 400, ShortPods: 120, For: 10 * time.Second, ShortFor: 5 * time.Second, act: topology,
	},
	{
		Name: "volumes", About: "StatefulSets whose volumes are in one zone each go to nothing and come back.",
		Pods: 48, For: 20 * time.Second, act: volumes,
	},
	{
		Name: "spot", About: "Spot machines are taken away, two at a time.",
		Spot: true, Pods: 300, ShortPods: 100, For: 45 * time.Second, ShortFor: 10 * time.Second, act: spot,
	},
}

// part is so large a share of a number of pods, and at least one.
func part(pods int, share float64) int32 { return int32(max(1, math.Round(float64(pods)*share))) }
