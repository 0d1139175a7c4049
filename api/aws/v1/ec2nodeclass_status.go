package v1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Subnet is one that can be launched into.
type Subnet struct {
	// ID of the subnet.
	// +required
	ID string `json:"id"`
	// Zone of the subnet, for example us-east-1a.
	// +required
	Zone string `json:"zone"`
	// ZoneID is the zone's name that is the same in every account, for example use1-az1.
	// +optional
	ZoneID string `json:"zoneID,omitempty"`
}

// SecurityGroup is one that instances are put in.
type SecurityGroup struct {
	// ID of the security group.
	// +required
	ID string `json:"id"`
	// Name of the security group.
	// +optional
	Name string `json:"name,omitempty"`
}

// AMI is one that instances can be started from.
type AMI struct {
	// ID of the AMI.
	// +required
	ID string `json:"id"`
	// Deprecated is true when its owner has deprecated the AMI.
	// +optional
	Deprecated bool `json:"deprecated,omitempty"`
	// Name of the AMI.
	// +optional
	Name string `json:"name,omitempty"`
	// Requirements that an instance type must meet to run the AMI.
	// +required
	Requirements []corev1.NodeSelectorRequirement `json:"requirements"`
}

// CapacityReservation is one that can be launched into.
type CapacityReservation struct {
	// AvailabilityZone of the reservation.
	// +required
	AvailabilityZone string `json:"availabilityZone"`
	// EndTime is when the reservation ends, if it does.
	// +optional
	EndTime *metav1.Time `json:"endTime,omitempty" hash:"ignore"`
	// ID of the reservation.
	// +kubebuilder:validation:Pattern=`^cr-[0-9a-z]+$`
	// +required
	ID string `json:"id"`
	// InstanceMatchCriteria says which launches the reservation takes.
	// +kubebuilder:validation:Enum=open;targeted
	// +required
	InstanceMatchCriteria string `json:"instanceMatchCriteria"`
	// InstanceType of the reservation.
	// +required
	InstanceType string `json:"instanceType"`
	// OwnerID is the account that the reservation belongs to.
	// +kubebuilder:validation:Pattern=`^[0-9]{12}$`
	// +required
	OwnerID string `json:"ownerID"`
	// ReservationType is default or capacity-block.
	// +kubebuilder:validation:Enum=default;capacity-block
	// +kubebuilder:default=default
	// +optional
	ReservationType CapacityReservationType `json:"reservationType,omitempty"`
	// Interruptible is true when AWS may take instances in the reservation back.
	// +optional
	Interruptible bool `json:"interruptible"`
	// State is expiring when a capacity block is so near its end that EC2 takes
	// its instances back.
	// +kubebuilder:validation:Enum=active;expiring
	// +kubebuilder:default=active
	// +optional
	State CapacityReservationState `json:"state,omitempty"`
}

// CapacityReservationType is how a reservation was bought.
type CapacityReservationType string

const (
	// CapacityReservationTypeDefault is a reservation without a fixed end.
	CapacityReservationTypeDefault CapacityReservationType = "default"
	// CapacityReservationTypeCapacityBlock is one for a span of time, paid in advance.
	CapacityReservationTypeCapacityBlock CapacityReservationType = "capacity-block"
)

// CapacityReservationState says whether a reservation may be launched into.
type CapacityReservationState string

const (
	// CapacityReservationStateActive may be launched into.
	CapacityReservationStateActive CapacityReservationState = "active"
	// CapacityReservationStateExpiring is about to lose its instances.
	CapacityReservationStateExpiring CapacityReservationState = "expiring"
)

// IdleCapacityReservation is a capacity reservation with room left that a class does not select.
type IdleCapacityReservation struct {
	// ID of the reservation.
	// +required
	ID string `json:"id"`
	// InstanceType of the reservation.
	// +required
	InstanceType string `json:"instanceType"`
	// AvailabilityZone of the reservation.
	// +required
	AvailabilityZone string `json:"availabilityZone"`
	// InstanceMatchCriteria is open when any instance that fits may run in the reservation, whether it names it or not,
	// and targeted when only those may that name it.
	// +required
	InstanceMatchCriteria string `json:"instanceMatchCriteria"`
	// Idle is how many instances it still takes.
	// +required
	Idle int32 `json:"idle"`
	// HourlyCost of those, in dollars, at the price on demand. Empty where that is not known.
	// +optional
	HourlyCost string `json:"hourlyCost,omitempty"`
}

// EC2NodeClassStatus is what the selectors of a class come down to.
type EC2NodeClassStatus struct {
	// Subnets to launch into, the one with the most free addresses first.
	// +optional
	Subnets []Subnet `json:"subnets,omitempty"`

	// SecurityGroups of the instances.
	// +optional
	SecurityGroups []SecurityGroup `json:"securityGroups,omitempty"`

	// CapacityReservations that may be launched into.
	// +optional
	CapacityReservations []CapacityReservation `json:"capacityReservations,omitempty"`

	// IdleCapacityReservations are capacity reservations of the account that are paid for and have room left, and that
	// the class does not select: the dearest first, 20 at most.
	// +optional
	IdleCapacityReservations []IdleCapacityReservation `json:"idleCapacityReservations,omitempty"`

	// AMIs to start from. For an instance type the first counts whose
	// requirements it meets.
	// +optional
	AMIs []AMI `json:"amis,omitempty"`

	// InstanceProfile of the instances.
	// +optional
	InstanceProfile string `json:"instanceProfile,omitempty"`

	// Conditions say whether instances can be launched.
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
