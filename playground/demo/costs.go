package demo

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/internal/capture"
	"github.com/dovetail-sh/dovetail/internal/daemon"
	"github.com/dovetail-sh/dovetail/internal/roster"
	"github.com/dovetail-sh/dovetail/internal/simulate"
	"github.com/dovetail-sh/dovetail/internal/whatif"
)

// costsWithin is how long the prices of rules may take.
const costsWithin = 20 * time.Second

// costs finds out which rule of a stage's cluster costs most, as `dovetail costs` does.
func costs(ctx context.Context, s *stage) error {
	from, err := client.New(s.config, client.Options{Scheme: daemon.Scheme()})
	if err != nil {
		return fmt.Errorf("reaching the cluster: %w", err)
	}
	set, missing, err := capture.Allowed(ctx, from, "")
	if err != nil {
		return err
	}
	in := roster.Input{Source: "the playground", Missing: missing}
	in.Input = simulate.Input{Set: set, Policy: engine.DefaultPolicy(), Now: time.Now(), Lenient: true}
	end := time.Now().Add(costsWithin)
	found, err := whatif.Costs(in, func() bool { return time.Now().Before(end) })
	if err != nil {
		return fmt.Errorf("pricing the cluster's rules: %w", err)
	}
	for _, r := range found.Rules {
		if r.PerHour > 0 {
			s.dearest = fmt.Sprintf("%s a month: %s, %s", r.PerHour.Month(), r.Object, r.Rule)
			s.say.Came("dovetail costs: %s", s.dearest)
			return nil
		}
	}
	s.dearest = "no rule costs anything"
	return nil
}
