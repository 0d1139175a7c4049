package provision

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

// namedPods is how many pods a line of the log names.
const namedPods = 5

// found logs the pods that a plan is made for, when they are others than the last ones.
func (t *Teller) found(log logr.Logger, s shape.Snapshot, virtual map[shape.PodID]bool, took time.Duration) {
	var pods []string
	for i := range s.Pods {
		if id := s.Pods[i].ID; !virtual[id] {
			pods = append(pods, string(id))
		}
	}
	slices.Sort(pods)
	all := strings.Join(pods, ",")
	if all == t.saidFound {
		return
	}
	t.saidFound = all
	if len(pods) > 0 {
		log.Info(observe.SaidPodsFound, "Pods", some(pods), observe.LogDuration, took.String())
	}
}

// some names the first pods, and says how many more there are.
func some(pods []string) string {
	if len(pods) <= namedPods {
		return strings.Join(pods, ", ")
	}
	return fmt.Sprintf("%s and %d other(s)", strings.Join(pods[:namedPods], ", "), len(pods)-namedPods)
}

// news reports whether a plan says something that the one before did not. Every plan that opens nodes does.
func (t *Teller) news(said, all engine.Decision) bool {
	text := fmt.Sprint(said.Place)
	for _, u := range said.Unplaced {
		text += " " + string(u.Pod)
	}
	fresh := text != t.saidPlan || len(all.Open) > 0
	t.saidPlan = text
	return fresh
}

// unplaced logs why pods have no place, once for each reason that pods share, and again after the reason was gone.
func (t *Teller) unplaced(log logr.Logger, list []engine.Unplaced) {
	pods := map[string][]string{}
	for _, u := range list {
		why := u.Why.Brief(sentenceLimit)
		pods[why] = append(pods[why], string(u.Pod))
	}
	told := map[string]bool{}
	for _, why := range slices.Sorted(maps.Keys(pods)) {
		told[why] = true
		if !t.saidUnplaced[why] {
			log.Error(
				errors.New(why),
				observe.SaidPodUnplaced,
				observe.LogPod,
				pods[why][0],
				observe.LogPodCount,
				len(pods[why]),
			)
		}
	}
	t.saidUnplaced = told
}
