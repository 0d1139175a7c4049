package shape

import "time"

// Snapshot is everything that the planner knows. Equal Snapshots give equal decisions.
type Snapshot struct {
	Now      time.Time `json:"now"`      // the planner's only clock
	Seed     uint64    `json:"seed"`     // the planner's only dice
	Revision uint64    `json:"revision"` // the mirror's, for the journal; plans do not depend on it

	// Classes and Profiles are tables that indexes point into. Entries that nothing
	// points to are allowed and change no decision; the order of entries changes none either.
	Classes  []*Class   `json:"classes"`
	Profiles []*Profile `json:"profiles"`

	Pods       []Pod           `json:"pods"`       // to be placed, ascending by ID
	Nodes      []*Node         `json:"nodes"`      // ascending by Name
	Pools      []*Pool         `json:"pools"`      // ascending by Name
	Types      []*InstanceType `json:"types"`      // names may repeat where pools see a type differently
	DaemonSets []DaemonSet     `json:"daemonSets"` // ascending by Name
}
