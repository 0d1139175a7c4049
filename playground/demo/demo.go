package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/awssim/control"
)

// Setting is a cluster on which Dovetail runs already.
type Setting struct {
	Config *rest.Config

	// Variables are the tutorials' shell variables: CLUSTER_NAME, ARM_AMI_ID, AMD_AMI_ID.
	Variables map[string]string

	// Account is the simulated AWS account.
	Account *control.Client

	// ControlPlane is how long the cluster took from start to a ready API server.
	ControlPlane time.Duration

	// Goal is how long all stories should take at most; 0 for no goal.
	Goal time.Duration

	// Page is the address of Dovetail's web page.
	Page string

	// BatchIdle is Dovetail's batch window: it waits that long for more pods before it plans.
	BatchIdle time.Duration
}

// Story is one tutorial, or a part of one.
type Story struct {
	Name, Title string
	play        func(*stage, context.Context) error
}

// Stories are all that can be played, in the order of playing. Each begins and ends with no machine.
var Stories = []Story{
	{"openfaas", "OpenFaaS functions on demand", (*stage).openfaas},
	{"spot", "A spot-friendly workload", (*stage).spot},
	{"interruption", "Spot interruptions, and a stateful workload beside them", (*stage).interruption},
	{"fallback", "A mix of spot and on demand", (*stage).fallback},
	{"profiles", "OpenFaaS Profiles: affinity and tolerations", (*stage).profiles},
	{"architectures", "Two architectures, a batch job, a limit and user data", (*stage).architectures},
	{"gpus", "Whole and time-sliced GPUs", (*stage).gpus},
	{
		"devices", "Devices that pods claim: whole GPUs, shared ones and partitions",
		func(s *stage, ctx context.Context) error { return playDevices(ctx, s) },
	},
	{"zonal", "A volume's zone, pod affinity, and nodes that expire", (*stage).zonal},
}

// patience bounds each single wait; the longest in the tutorials is consolidateAfter's minute.
const patience = 3 * time.Minute

// Run plays the named stories. The error is nil only if every step came true.
func Run(ctx context.Context, setting Setting, say *Narrator, names ...string) error {
	stories, err := named(names)
	if err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), karpenterv1.AddToScheme(scheme)); err != nil {
		return fmt.Errorf("building the scheme: %w", err)
	}
	config := rest.CopyConfig(setting.Config)
	config.QPS, config.Burst = 200, 400 // it looks ten times a second at three kinds of objects
	cluster, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("reaching the cluster: %w", err)
	}
	s := &stage{
		client: cluster, config: config, say: say, variables: setting.Variables, account: setting.Account,
		patience: patience, began: time.Now(),
	}

	for _, story := range stories {
		say.Chapter(story.Title)
		since := time.Now()
		if err := story.play(s, ctx); err != nil {
			say.Failed("%v", err)
			s.complaints(ctx)
			return fmt.Errorf("story %s: %w", story.Name, err)
		}
		say.Came("story %s came true in %.0f s", story.Name, time.Since(since).Seconds())
	}
	s.summary(setting)
	return nil
}

// named finds stories by their names.
func named(names []string) ([]Story, error) {
	var out []Story
	for _, name := range names {
		i := slices.IndexFunc(Stories, func(s Story) bool { return s.Name == name })
		if i < 0 {
			var all []string
			for _, s := range Stories {
				all = append(all, s.Name)
			}
			return nil, fmt.Errorf("there is no story %q; choose from %s", name, strings.Join(all, ", "))
		}
		out = append(out, Stories[i])
	}
	return out, nil
}

// summary tells what was measured. Goals stand beside the figures, met or not.
func (s *stage) summary(setting Setting) {
	s.say.Chapter("Summary")
	slices.Sort(s.reaction)
	median, worst := s.reaction[len(s.reaction)/2], s.reaction[len(s.reaction)-1]
	goal := ""
	if setting.Goal > 0 {
		goal = seconds(setting.Goal) + " or less"
	}
	rows := [][]string{
		{"control plane ready", seconds(setting.ControlPlane), "5 s or less"},
		{
			fmt.Sprintf("pending pod to launched machine, median of %d", len(s.reaction)),
			seconds(median - setting.BatchIdle),
			"1.5 s or less, on top of the batch window of " + seconds(setting.BatchIdle),
		},
		{"  the slowest", seconds(worst - setting.BatchIdle), ""},
		{"all stories", seconds(time.Since(s.began)), goal},
		s.asPlanned(),
		{"dearest moment", fmt.Sprintf("$%.4f an hour", s.peak), ""},
		{"at the end", "$0.0000 an hour", "no machine is left"},
	}
	if s.dearest != "" {
		price, rule, _ := strings.Cut(s.dearest, ": ")
		rows = append(rows, []string{"dearest rule, by dovetail costs", price, rule})
	}
	if setting.Page != "" {
		rows = append(rows, []string{"web page, while it ran", setting.Page, "make playground has one that stays"})
	}
	s.say.Table([]string{"MEASURED", "", "GOAL"}, rows)
}

// asPlanned says how far what was bought is what was planned.
func (s *stage) asPlanned() []string {
	var sum purchase
	for _, p := range s.bought {
		sum.planned, sum.launched = sum.planned+p.planned, sum.launched+p.launched
	}
	what := fmt.Sprintf("planned over launched price of %s", number(len(s.bought), "machine"))
	if sum.launched == 0 {
		return []string{what, "nothing was bought", ""}
	}
	return []string{what, fmt.Sprintf("%.4f", sum.planned/sum.launched), "1 unless the market moves"}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// complaints shows the newest warnings of the cluster, so that a failed step explains itself.
func (s *stage) complaints(ctx context.Context) {
	var events corev1.EventList
	if err := s.client.List(ctx, &events); err != nil {
		return
	}
	warnings := slices.DeleteFunc(
		events.Items,
		func(e corev1.Event) bool { return e.Type != corev1.EventTypeWarning },
	)
	slices.SortFunc(warnings, func(a, b corev1.Event) int { return b.LastTimestamp.Compare(a.LastTimestamp.Time) })
	for _, e := range warnings[:min(len(warnings), 8)] {
		s.say.Say(
			"%s %s/%s: %s: %s",
			e.LastTimestamp.Format(time.TimeOnly),
			e.InvolvedObject.Kind,
			e.InvolvedObject.Name,
			e.Reason,
			e.Message,
		)
	}
}
