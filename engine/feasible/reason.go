package feasible

// Kind names why something did not fit.
type Kind string

// The kinds of refusal. Which of Reason's fields a kind fills is said with it.
const (
	// TooSmall offerings can never hold the pod with the daemons that run beside it, or
	// not even those, whatever else is on them: Resource, Need, Have (of the largest).
	TooSmall Kind = "TooSmall"
	// NoRoom nodes have too little left: Resource, Need, Have (of the emptiest).
	NoRoom Kind = "NoRoom"
	// WrongLabel nodes do not satisfy the pod's node selector or affinity: Key, Want.
	WrongLabel Kind = "WrongLabel"
	// WrongVolume nodes cannot reach the pod's volumes: Key, Want.
	WrongVolume Kind = "WrongVolume"
	// NoDevices nodes cannot give the pod the devices that it claims: Want.
	NoDevices Kind = "NoDevices"
	// InVain places are no larger than a node that was bought for the pod and did not take it.
	InVain Kind = "InVain"
	// Tainted nodes have a taint that the pod does not tolerate: Key, Want (value and effect).
	Tainted Kind = "Tainted"
	// Spread constraints would be violated: Key, Need (skew it would have), Have (skew allowed).
	Spread Kind = "Spread"
	// NoDomain nodes lack the label whose values the pod's rules compare: Key.
	NoDomain Kind = "NoDomain"
	// Affinity finds no pod to be near: Key.
	Affinity Kind = "Affinity"
	// AntiAffinity finds a pod that must not be near: Key.
	AntiAffinity Kind = "AntiAffinity"
	// PortTaken nodes have the host port in use: Key (protocol and port).
	PortTaken Kind = "PortTaken"
	// NoAttach nodes have no slot left for another volume: Key (driver), Need, Have.
	NoAttach Kind = "NoAttach"
	// Unavailable offerings cannot be had just now.
	Unavailable Kind = "Unavailable"
	// Full reservations have no machine left.
	Full Kind = "Full"
	// OverLimit pools may not grow that far: Resource, Need, Have (what is left of the limit).
	OverLimit Kind = "OverLimit"
	// NotReady pools cannot launch: Want says why.
	NotReady Kind = "NotReady"
	// PoolExcludes offerings are ruled out by the pool's own requirements: Key, Want.
	PoolExcludes Kind = "PoolExcludes"
	// TooFewTypes are left to keep the pool's minValues: Key, Need, Have.
	TooFewTypes Kind = "TooFewTypes"
	// Later is what would take the pod once this plan is carried out; the plan did not find that out in time.
	Later Kind = "Later"
	// Leaving nodes are being deleted.
	Leaving Kind = "Leaving"
	// Refused pods are not placed on bought nodes at all: Want says why.
	Refused Kind = "Refused"
	// NoPools means that there is no NodePool.
	NoPools Kind = "NoPools"
)

// Reason is one refusal with its numbers. Fields that the kind does not fill are zero.
type Reason struct {
	Kind     Kind   `json:"kind"`
	Resource string `json:"resource,omitempty"`
	Key      string `json:"key,omitempty"`
	Want     string `json:"want,omitempty"`
	Need     int64  `json:"need,omitempty"` // base units of Resource
	Have     int64  `json:"have,omitempty"` // base units of Resource
}
