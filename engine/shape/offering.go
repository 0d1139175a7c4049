package shape

// InstanceType is a kind of machine that a cloud sells.
type InstanceType struct {
	Name string `json:"name"`

	// Requirements describe the labels of its nodes, one for each key, ascending by key:
	// In with the possible values, or DoesNotExist.
	Requirements []Requirement `json:"requirements,omitempty"`

	Capacity    Vector     `json:"capacity"`
	Allocatable Vector     `json:"allocatable"`
	Offerings   []Offering `json:"offerings,omitempty"`

	// LastResort types are not launched while another of a launch's types remains: the cloud leaves them out. They are
	// planned for nodes alone that nothing else of the pool can be.
	LastResort bool `json:"lastResort,omitempty"`

	// Attachable is how many volumes each CSI driver can attach; a driver that is not named has no limit.
	Attachable []Amount `json:"attachable,omitempty"`
}

// Offering is an instance type in one zone, one capacity type and at most one reservation, at a price.
type Offering struct {
	Zone         string `json:"zone"`
	CapacityType string `json:"capacityType"`

	// Extra are further labels of nodes launched from this offering, ascending by key.
	Extra []Label `json:"extra,omitempty"`

	Price Money `json:"price"`

	// Available is false when the cloud has none just now; such an offering is never chosen,
	// but explanations count it.
	Available bool `json:"available"`

	// Remaining is how many machines a reservation still holds; 0 for offerings without one,
	// which have no such limit. An exhausted reservation is not Available.
	Remaining int32 `json:"remaining,omitempty"`

	// Reservation names the capacity reservation, empty for none. Offerings with the same
	// name share Remaining.
	Reservation string `json:"reservation,omitempty"`

	// Allocatable replaces the type's when it differs for this offering.
	Allocatable *Vector `json:"allocatable,omitempty"`
}
