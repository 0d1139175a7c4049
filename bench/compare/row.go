package compare

import (
	"cmp"
	"slices"
	"time"

	"github.com/dovetail-sh/dovetail/bench/workload"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Row is one workload's figures, as results.json has them. The peer's fields are absent where it was not run.
type Row struct {
	Workload string `json:"workload"`
	Pods     int    `json:"pods"`

	OursPodsPerSecond float64 `json:"oursPodsPerSecond"`
	PeerPodsPerSecond float64 `json:"peerPodsPerSecond,omitzero"`
	Ratio             float64 `json:"ratio,omitzero"` // ours by peer's pods per second

	OursBytes uint64 `json:"oursBytes"`
	PeerBytes uint64 `json:"peerBytes,omitzero"`
	OursNodes int    `json:"oursNodes"`
	PeerNodes int    `json:"peerNodes,omitzero"`

	// Dollars an hour.
	OursPrice float64 `json:"oursPrice"`
	PeerPrice float64 `json:"peerPrice,omitzero"`
	Bound     float64 `json:"bound"` // 0 if the planner gave none

	OursRuns     int `json:"oursRuns"`
	PeerRuns     int `json:"peerRuns"`
	OursUnplaced int `json:"oursUnplaced"`
	PeerUnplaced int `json:"peerUnplaced"`
}

func newRow(w workload.Workload, ours, peers []workload.Outcome) Row {
	us := median(ours)
	row := Row{
		Workload:          w.Name,
		Pods:              len(w.Pods),
		OursPodsPerSecond: rate(w, us),
		OursBytes:         us.Bytes,
		OursNodes:         us.Nodes,
		OursPrice:         us.Price.Float(),
		Bound:             us.Bound.Float(),
		OursRuns:          len(ours),
		OursUnplaced:      us.Unplaced,
	}
	if len(peers) == 0 {
		return row
	}
	peer := median(peers)
	row.PeerPodsPerSecond = rate(w, peer)
	row.Ratio = row.OursPodsPerSecond / row.PeerPodsPerSecond
	row.PeerBytes, row.PeerNodes, row.PeerPrice = peer.Bytes, peer.Nodes, peer.Price.Float()
	row.PeerRuns, row.PeerUnplaced = len(peers), peer.Unplaced
	return row
}

func rate(w workload.Workload, o workload.Outcome) float64 {
	return float64(len(w.Pods)) / o.Took.Seconds()
}

// median takes each figure's own median; of an even number of runs the higher of the middle two.
func median(runs []workload.Outcome) workload.Outcome {
	return workload.Outcome{
		Took:     middle(runs, func(o workload.Outcome) time.Duration { return o.Took }),
		Bytes:    middle(runs, func(o workload.Outcome) uint64 { return o.Bytes }),
		Nodes:    middle(runs, func(o workload.Outcome) int { return o.Nodes }),
		Price:    middle(runs, func(o workload.Outcome) shape.Money { return o.Price }),
		Bound:    middle(runs, func(o workload.Outcome) shape.Money { return o.Bound }),
		Unplaced: middle(runs, func(o workload.Outcome) int { return o.Unplaced }),
	}
}

func middle[T cmp.Ordered](runs []workload.Outcome, figure func(workload.Outcome) T) T {
	figures := make([]T, len(runs))
	for i, r := range runs {
		figures[i] = figure(r)
	}
	slices.Sort(figures)
	return figures[len(figures)/2]
}
