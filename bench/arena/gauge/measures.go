package gauge

import (
	"math"
	"slices"
	"time"
)

// Measures are what became of a run. Times are in seconds, prices in dollars.
type Measures struct {
	Pods int `json:"pods"` // of the first rise
	// Since the first rise began. 0 means that it never came so far.
	HalfRun float64 `json:"halfRunSeconds"`
	MostRun float64 `json:"mostRunSeconds"` // 95 %
	AllRun  float64 `json:"allRunSeconds"`

	// From when a pod was first seen to when it first ran, over all pods that ran.
	PendingP50 float64 `json:"pendingP50Seconds"`
	PendingP95 float64 `json:"pendingP95Seconds"`
	PendingP99 float64 `json:"pendingP99Seconds"`

	Seconds  float64 `json:"seconds"`      // that the run was watched
	Dollars  float64 `json:"dollars"`      // of all nodes over the run, by their instance type
	Bound    float64 `json:"boundDollars"` // of the pods that ran, while they did, if machines came in fractions
	PeakRate float64 `json:"peakDollarsAnHour"`
	EndRate  float64 `json:"endDollarsAnHour"`
	EndBound float64 `json:"endBoundDollarsAnHour"`

	Launched int `json:"nodesLaunched"`
	GivenUp  int `json:"nodesGivenUp"`
	Refused  int `json:"podsRefused"` // by kubelets: their node had too little for them

	Evictions  int     `json:"evictions"` // that the API server granted
	PodDays    float64 `json:"podDays"`   // of pods that ran
	PodsAtEnd  int     `json:"podsWantedAtEnd"`
	RunAtEnd   int     `json:"podsRunningAtEnd"`
	CPU        float64 `json:"controllerCPUSeconds"`
	PeakMemory int64   `json:"controllerPeakBytes"`
	PlaneCPU   float64 `json:"controlPlaneCPUSeconds"` // of etcd, API server, scheduler, controller-manager and kwok
	Requests   int     `json:"controllerRequests"`     // to the API server

	// Parts are the CPU seconds of each process of the cluster, the controller's too.
	Parts map[string]float64 `json:"cpuSecondsByPart"`

	// Writes are what the API server was asked to change over the whole life of the cluster, by everybody.
	Writes map[string]int `json:"writes"`

	Timeline []Point `json:"timeline"`
}

// AllWrites are the requests of everybody that changed something: what a controller leaves to others is among them.
func (m Measures) AllWrites() (sum int) {
	for _, n := range m.Writes {
		sum += n
	}
	return sum
}

// Point is a run at one moment.
type Point struct {
	At      float64 `json:"at"` // seconds since the watch began
	Wanted  int     `json:"wanted"`
	Placed  int     `json:"placed"` // pods that have a node
	Running int     `json:"running"`
	Nodes   int     `json:"nodes"`
	Rate    float64 `json:"dollarsAnHour"`
	Bound   float64 `json:"boundDollarsAnHour"`
}

// Ratio is what was paid over the bound; 0 if nothing was wanted.
func (m Measures) Ratio() float64 {
	if m.Bound == 0 {
		return 0
	}
	return m.Dollars / m.Bound
}

// EvictionsPerPodDay is how often a pod was evicted, as a rate.
func (m Measures) EvictionsPerPodDay() float64 {
	if m.PodDays == 0 {
		return 0
	}
	return float64(m.Evictions) / m.PodDays
}

// Look is the run now.
func (w *Watcher) Look() Point {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	w.add(now)
	p := Point{
		At: round(
			now.Sub(w.began).Seconds(),
		), Wanted: w.now.wanted.pods, Placed: w.now.placed, Running: w.now.running.pods, Nodes: len(w.nodes),
		Bound: round(w.rates.bound(w.now.wanted)),
	}
	for _, n := range w.nodes {
		p.Rate += n.dollars
	}
	p.Rate = round(p.Rate)
	return p
}

// Strange are nodes whose price is not known, by name.
func (w *Watcher) Strange() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.strange)
}

// Measures are what was seen until now, with what processes and the API server say left out.
func (w *Watcher) Measures(timeline []Point) Measures {
	end := w.Look()
	timeline = append(timeline, end)
	w.mu.Lock()
	defer w.mu.Unlock()
	m := Measures{
		Pods: w.rise.pods, HalfRun: seconds(w.rise.half), MostRun: seconds(w.rise.most), AllRun: seconds(w.rise.all),
		PendingP50: seconds(quantile(w.waits, 0.50)), PendingP95: seconds(quantile(w.waits, 0.95)),
		PendingP99: seconds(quantile(w.waits, 0.99)),
		Seconds:    end.At, Bound: w.sums.bound, PodDays: w.sums.podHours / 24, EndRate: end.Rate, EndBound: end.Bound,
		Launched: len(w.nodes) + len(w.mourned), GivenUp: len(w.mourned), Refused: w.refused,
		PodsAtEnd: end.Wanted, RunAtEnd: end.Running, Timeline: timeline,
	}
	now := w.began.Add(time.Duration(end.At * float64(time.Second)))
	for _, n := range w.nodes {
		m.Dollars += n.dollars * now.Sub(n.born).Hours()
	}
	for _, n := range w.mourned {
		m.Dollars += n.dollars * n.gone.Sub(n.born).Hours()
	}
	for _, p := range timeline {
		m.PeakRate = max(m.PeakRate, p.Rate)
	}
	return m
}

// quantile is the least value that so large a share of all does not exceed; 0 of none.
func quantile(all []time.Duration, share float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[max(0, int(math.Ceil(share*float64(len(sorted))))-1)]
}

func seconds(d time.Duration) float64 { return round(d.Seconds()) }

// round keeps milliseconds, and tenths of cents.
func round(x float64) float64 { return math.Round(x*1000) / 1000 }
