package shape

// Pool is a NodePool: what its nodes look like and how many there may be.
type Pool struct {
	Name   string `json:"name"`
	Weight int32  `json:"weight,omitempty"` // 0 to 100; higher is tried first, equals compete on price

	Labels []Label `json:"labels,omitempty"` // ascending by key
	Taints []Taint `json:"taints,omitempty"` // without startup taints

	// Requirements narrow the instance types, offerings and further labels.
	Requirements []Requirement `json:"requirements,omitempty"`

	// Types are indexes into Snapshot.Types, ascending.
	Types []int32 `json:"types,omitempty"`

	Limits []Limit `json:"limits,omitempty"` // ascending by resource

	// NotReady is why nothing can be launched from this pool, one sentence; empty if it can.
	NotReady string `json:"notReady,omitempty"`
}

// Limit bounds one resource of a pool.
type Limit struct {
	Resource string `json:"resource"` // "nodes" counts machines
	Max      int64  `json:"max"`      // base units of Resource
	Used     int64  `json:"used"`     // by existing and in-flight nodes; may exceed Max
}

// LimitNodes is the Limit.Resource that counts machines.
const LimitNodes = "nodes"
