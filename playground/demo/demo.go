package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// Setting is a cluster on which Dovetail runs already.
type Setting struct {
	Config *rest.Config

	// Variables are the tutorials' shell variables: CLUSTER_NAME, ARM_AMI_ID, AMD_AMI_ID.
	Variables map[string]string

	// Prices are what machines cost now, in dollars an hour by provider ID.
	Prices func(context.Context) (map[string]float64, error)

	// ControlPlane is how long the cluster took from start to a ready API server.
	ControlPlane time.Duration

	// BatchIdle is Dovetail's batch window: it waits that long for more pods before it plans.
	BatchIdle time.Duration
}

// patience bounds each single wait; the longest in the tutorials is consolidateAfter's minute.
const patience = 3 * time.Minute

// Run plays the stories. The error is nil only if every step came true.
func Run(ctx context.Context, setting Setting, say *Narrator) error {
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
	s := &stage{client: cluster, say: say, variables: setting.Variables, prices: setting.Prices, patience: patience, began: time.Now()}

	for _, story := range []func(context.Context) error{s.openfaas, s.spot} {
		if err := story(ctx); err != nil {
			say.Failed("%v", err)
			s.complaints(ctx)
			return err
		}
	}
	s.summary(setting)
	return nil
}

// summary tells what was measured. Goals stand beside the figures, met or not.
func (s *stage) summary(setting Setting) {
	s.say.Chapter("Summary")
	slices.Sort(s.reaction)
	median, worst := s.reaction[len(s.reaction)/2], s.reaction[len(s.reaction)-1]
	rows := [][]string{
		{"control plane ready", seconds(setting.ControlPlane), "5 s or less"},
		{fmt.Sprintf("pending pod to launched machine, median of %d", len(s.reaction)), seconds(median - setting.BatchIdle), "1.5 s or less, on top of the batch window of " + seconds(setting.BatchIdle)},
		{"  the slowest", seconds(worst - setting.BatchIdle), ""},
		{"both stories", seconds(time.Since(s.began)), "3 minutes or less"},
		{"dearest moment", fmt.Sprintf("$%.4f an hour", s.peak), ""},
		{"at the end", "$0.0000 an hour", "no machine is left"},
	}
	s.say.Table([]string{"MEASURED", "", "GOAL"}, rows)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// complaints shows the newest warnings of the cluster, so that a failed step explains itself.
func (s *stage) complaints(ctx context.Context) {
	var events corev1.EventList
	if err := s.client.List(ctx, &events); err != nil {
		return
	}
	warnings := slices.DeleteFunc(events.Items, func(e corev1.Event) bool { return e.Type != corev1.EventTypeWarning })
	slices.SortFunc(warnings, func(a, b corev1.Event) int { return b.LastTimestamp.Compare(a.LastTimestamp.Time) })
	for _, e := range warnings[:min(len(warnings), 8)] {
		s.say.Say("%s %s/%s: %s: %s", e.LastTimestamp.Format(time.TimeOnly), e.InvolvedObject.Kind, e.InvolvedObject.Name, e.Reason, e.Message)
	}
}
