package admissionoracle

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

var (
	objects   = flag.Int("objects", 2000, "how many objects to create, pods of workloads not counted")
	firstSeed = flag.Uint64("seed", 1, "the first namespace's seed; the next ones count up")
	examples  = flag.Int("examples", 5, "how many disagreements to show")
)

// mostAtOnce is how many objects are created before the controllers are waited for and everything is thrown away.
const mostAtOnce = 4000

// What is made of manifests offline is what an API server and its controllers make of them.
func TestTheServerAgrees(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	sum := tally{kinds: map[string]int{}, refused: map[string]int{}}
	seed := *firstSeed
	for sum.objects < *objects && !t.Failed() {
		var scenes []*scene
		for n := 0; n < min(mostAtOnce, *objects-sum.objects); seed++ {
			sc := newScene(seed)
			scenes = append(scenes, sc)
			n += len(sc.around) + len(sc.subjects) + 1
		}
		s.hold(t, scenes, &sum)
	}
	t.Logf("%d objects in %d namespaces, of which %d LimitRanges; %d pods of theirs compared, in %s",
		sum.objects, sum.scenes, sum.ranges, sum.pods, sum.took.Round(time.Second))
	for _, kind := range slices.Sorted(maps.Keys(sum.kinds)) {
		t.Logf("%-22s %6d, of which refused by both %d", kind, sum.kinds[kind], sum.refused[kind])
	}
}

type tally struct {
	objects, scenes, ranges, pods, bad int
	kinds, refused                     map[string]int
	took                               time.Duration
}

// hold plays scenes and compares.
func (s *server) hold(t *testing.T, scenes []*scene, sum *tally) {
	t.Helper()
	start := time.Now()
	s.play(t, scenes)
	created := time.Since(start)
	plans := map[client.ObjectKey]*offline{}
	expected := map[client.ObjectKey]int{}
	for _, sc := range scenes {
		sum.scenes++
		sum.ranges += len(sc.around)
		sum.objects += len(sc.around) + len(sc.subjects) + 1
		for _, of := range sc.subjects {
			key := client.ObjectKeyFromObject(of.object)
			plans[key] = plan(t, sc, of)
			if of.refused == nil {
				expected[key] = len(plans[key].pods)
				if plans[key].err != nil {
					expected[key] = 1 // or a reason why there is none
				}
			}
		}
	}
	now := s.settle(t, expected)
	t.Logf(
		"created objects in %s, and waited for the controllers until %s",
		created.Round(time.Second/10),
		time.Since(start).Round(time.Second/10),
	)
	for _, sc := range scenes {
		for _, of := range sc.subjects {
			key := client.ObjectKeyFromObject(of.object)
			kind := strings.TrimPrefix(fmt.Sprintf("%T", of.object), "*v1.")
			sum.kinds[kind]++
			sum.pods += len(now.pods[key])
			if plans[key].err != nil {
				sum.refused[kind]++
			}
			for _, d := range disagreements(of, plans[key], now.pods[key], now.failed[key]) {
				if sum.bad++; sum.bad <= *examples {
					t.Errorf("seed %d, %s %s: %s\n%s", sc.seed, kind, key, d, shown(t, sc, of))
				}
			}
		}
	}
	if sum.bad > 0 {
		t.Errorf("%d disagreements", sum.bad)
	}
	sum.took += time.Since(start)
}
