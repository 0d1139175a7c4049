package play

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/dovetail-sh/dovetail/playground/soak"
)

const (
	// steps are parts of a day, of half an hour each.
	steps = 48

	// whichDay of the trace is played: one in the middle of its first week.
	whichDay = 3
)

// shares are of how many groups of the trace one is taken, until those of a day are no more pods than are asked for.
var shares = []int{2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256}

// day plays a recorded day if there is one.
func day(ctx context.Context, s *Stage) error {
	if s.Trace == "" {
		s.Say("no trace is there: eight services follow a curve each")
		return curves(ctx, s)
	}
	recorded, oneIn, err := pick(s.Trace, s.Pods)
	if err != nil {
		return err
	}
	s.Say("one in %d groups of day %d of the trace", oneIn, whichDay)
	return replay(ctx, s, recorded)
}

// pick takes as many groups of a trace as have at most so many pods at their peak.
func pick(file string, pods int) (*soak.Day, int, error) {
	for _, oneIn := range shares {
		d, err := soak.ReadDay(file, whichDay, oneIn)
		if err != nil {
			return nil, 0, err
		}
		most := 0
		for _, now := range d.Replicas(steps) {
			most = max(most, sum(now))
		}
		if most <= pods {
			return d, oneIn, nil
		}
	}
	return nil, 0, errors.New("a few groups of the trace are more pods than are asked for: ask for more with --pods")
}

func sum(replicas map[string]int) (pods int) {
	for _, n := range replicas {
		pods += n
	}
	return pods
}

// replay has every Deployment of a recorded day follow its numbers.
func replay(ctx context.Context, s *Stage, recorded *soak.Day) error {
	at := recorded.Replicas(steps)
	var groups []group
	for _, d := range recorded.Deployments() {
		groups = append(groups, group{
			name: d.Name, replicas: int32(at[0][d.Name]), cpu: fmt.Sprintf("%dm", d.MilliCPU),
			memory: fmt.Sprintf("%dMi", d.MiB),
		})
	}
	if err := s.raise(ctx, groups); err != nil {
		return err
	}
	for step := 1; step <= steps; step++ {
		if err := s.follow(ctx, groups, at[step-1], at[step]); err != nil {
			return err
		}
		if err := pause(ctx, s.For/steps); err != nil {
			return err
		}
	}
	return s.settle(ctx, sum(at[steps]))
}

// follow scales what has other numbers than before.
func (s *Stage) follow(ctx context.Context, groups []group, before, now map[string]int) error {
	for _, g := range groups {
		if now[g.name] == before[g.name] {
			continue
		}
		if err := s.scale(ctx, g.name, int32(now[g.name])); err != nil {
			return err
		}
	}
	return nil
}

// curves has every service follow a curve with one peak, at another hour each, between a quarter and all of its pods.
func curves(ctx context.Context, s *Stage) error {
	groups := services(8, s.Pods)
	at := func(i, step int) int32 {
		phase := 2 * math.Pi * (float64(step)/steps - float64(i)/float64(2*len(groups)))
		return part(int(groups[i].replicas), 0.625-0.375*math.Cos(phase))
	}
	begin := make([]group, len(groups))
	for i, g := range groups {
		g.replicas = at(i, 0)
		begin[i] = g
	}
	if err := s.raise(ctx, begin); err != nil {
		return err
	}
	pods := 0
	for step := 1; step <= steps; step++ {
		pods = 0
		for i, g := range groups {
			if err := s.scale(ctx, g.name, at(i, step)); err != nil {
				return err
			}
			pods += int(at(i, step))
		}
		if err := pause(ctx, s.For/steps); err != nil {
			return err
		}
	}
	return s.settle(ctx, pods)
}
