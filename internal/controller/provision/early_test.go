package provision

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider/kwok"
)

// TestWhatIsBoughtEarlyIsNotRegretted has the pods of some Deployments come in any order while what is certain is
// bought again and again. What is paid in the end is what a plan of all pods at once would have cost, but for half a
// percent in the mean and for 3 % at most: of 4,500 mixes one in 130 cost over half a percent more, the worst 1.9 %. Of
// a few pods that is less than the smallest machine, of which there may be one more.
func TestWhatIsBoughtEarlyIsNotRegretted(t *testing.T) {
	t.Parallel()
	early, mixes, regret := 0, 0, 0.0
	rapid.Check(t, func(t *rapid.T) {
		s := crowd(t)
		all := engine.Plan(s, engine.DefaultPolicy()).Price
		var c certainty
		var paid shape.Money
		bought := map[shape.PodID]bool{}
		for _, n := range looks(t, len(s.Pods)) {
			here := s
			here.Pods = slices.DeleteFunc(slices.Clone(s.Pods[:n]), func(p shape.Pod) bool { return bought[p.ID] })
			here.Pods = c.look(engine.Plan(here, engine.DefaultPolicy()), here)
			if len(here.Pods) == 0 {
				continue
			}
			if d := engine.Plan(here, engine.DefaultPolicy()); tight(d) {
				paid += d.Price
				for _, p := range here.Pods {
					bought[p.ID] = true
				}
			}
		}
		if len(bought) == 0 {
			return
		}
		early += len(bought)
		rest := s
		rest.Pods = slices.DeleteFunc(slices.Clone(s.Pods), func(p shape.Pod) bool { return bought[p.ID] })
		paid += engine.Plan(rest, engine.DefaultPolicy()).Price
		mixes++
		regret += float64(paid)/float64(all) - 1
		if float64(paid) > 1.03*float64(all)+float64(least(s)) {
			t.Errorf("%d of %d pods were bought machines for early; all cost %s in the end, %.4f times the %s of one "+
				"plan", len(bought), len(s.Pods), paid, float64(paid)/float64(all), all)
		}
	})
	if early == 0 {
		t.Error("nothing was ever bought early")
	}
	if mean := regret / float64(mixes); mean > 0.005 {
		t.Errorf("what was bought early made %d mixes %.4f dearer in the mean, want half a percent", mixes, mean)
	}
}

// least is the price of the cheapest machine.
func least(s shape.Snapshot) shape.Money {
	price := s.Types[0].Offerings[0].Price
	for _, it := range s.Types {
		for _, o := range it.Offerings {
			price = min(price, o.Price)
		}
	}
	return price
}

// looks are how many pods are there at each look.
func looks(t *rapid.T, pods int) (out []int) {
	for n := certainPods; n < pods; n += 1 + pods/rapid.IntRange(3, 8).Draw(t, "pace") {
		out = append(out, n)
	}
	return out
}

// crowd is the pods of some Deployments, in the order in which they come: those of all of them mixed.
func crowd(t *rapid.T) shape.Snapshot {
	w := enginetest.NewWorld()
	for _, it := range kwok.GenericTypes()[:36] { // of one architecture and operating system
		w.Type(*it)
	}
	w.Pool(shape.Pool{Name: "q"})
	var classes []shape.Class
	for i := range rapid.IntRange(2, 4).Draw(t, "Deployments") {
		c := shape.Class{Namespace: "default", Labels: []shape.Label{{Key: "app", Value: fmt.Sprint(i)}},
			Requests: shape.Vector{
				CPU:    rapid.SampledFrom([]int64{250, 500, 700, 900, 1700, 4000}).Draw(t, "cpu"),
				Memory: rapid.SampledFrom([]int64{512, 1024, 1500, 3072, 8192}).Draw(t, "memory") << 20, Pods: 1,
			}}
		for range rapid.IntRange(50, 200).Draw(t, "replicas") {
			classes = append(classes, c)
		}
	}
	dice := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0))
	dice.Shuffle(len(classes), func(i, j int) { classes[i], classes[j] = classes[j], classes[i] })
	for i, c := range classes {
		w.Pod(shape.PodID(fmt.Sprintf("default/%05d", i)), c)
	}
	return w.Snapshot()
}
