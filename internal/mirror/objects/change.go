package objects

// Change says what an event may mean to those who plan.
type Change uint8

const (
	// Wanted means that a pod needs a place that needed none before.
	Wanted Change = 1 << iota
	// Room means that pods for which there was no room may find some now.
	Room
	// Taken means that a pod has come to a node: room that buffers counted on may be gone.
	Taken
	// Confirmed means that kube-scheduler has refused a pod that could be planned before, with others of its owner. To
	// those who have done so it is no news.
	Confirmed
)
