package v1

// SubnetSelectorTerm picks subnets. What is set must all match.
type SubnetSelectorTerm struct {
	// Tags of the subnet. The value '*' matches any value.
	// +kubebuilder:validation:XValidation:rule="self.all(k, k != '' && self[k] != '')",message="tag keys and values cannot be empty; use the value '*' for any"
	// +kubebuilder:validation:MaxProperties=20
	// +optional
	Tags map[string]string `json:"tags,omitempty"`

	// ID of the subnet.
	// +kubebuilder:validation:Pattern=`subnet-[0-9a-z]+`
	// +optional
	ID string `json:"id,omitempty"`
}

// SecurityGroupSelectorTerm picks security groups. What is set must all match.
type SecurityGroupSelectorTerm struct {
	// Tags of the security group. The value '*' matches any value.
	// +kubebuilder:validation:XValidation:rule="self.all(k, k != '' && self[k] != '')",message="tag keys and values cannot be empty; use the value '*' for any"
	// +kubebuilder:validation:MaxProperties=20
	// +optional
	Tags map[string]string `json:"tags,omitempty"`

	// ID of the security group.
	// +kubebuilder:validation:Pattern=`sg-[0-9a-z]+`
	// +optional
	ID string `json:"id,omitempty"`

	// Name of the security group: its name field, not its tag "Name".
	// +optional
	Name string `json:"name,omitempty"`
}

// CapacityReservationSelectorTerm picks capacity reservations. What is set must all match.
type CapacityReservationSelectorTerm struct {
	// Tags of the reservation. The value '*' matches any value.
	// +kubebuilder:validation:XValidation:rule="self.all(k, k != '' && self[k] != '')",message="tag keys and values cannot be empty; use the value '*' for any"
	// +kubebuilder:validation:MaxProperties=20
	// +optional
	Tags map[string]string `json:"tags,omitempty"`

	// ID of the reservation.
	// +kubebuilder:validation:Pattern=`^cr-[0-9a-z]+$`
	// +optional
	ID string `json:"id,omitempty"`

	// OwnerID is the account that the reservation belongs to.
	// +kubebuilder:validation:Pattern=`^[0-9]{12}$`
	// +optional
	OwnerID string `json:"ownerID,omitempty"`

	// InstanceMatchCriteria says which launches the reservation takes: open
	// takes any that fits, targeted only those that name it.
	// +kubebuilder:validation:Enum=open;targeted
	// +optional
	InstanceMatchCriteria string `json:"instanceMatchCriteria,omitempty"`
}

// PlacementGroupSelector picks the placement group.
type PlacementGroupSelector struct {
	// Name of the placement group.
	// +kubebuilder:validation:MinLength=1
	// +optional
	Name *string `json:"name,omitempty"`

	// ID of the placement group.
	// +kubebuilder:validation:Pattern=`^pg-[0-9a-z]+$`
	// +optional
	ID *string `json:"id,omitempty"`
}

// AMISelectorTerm picks AMIs. What is set must all match.
type AMISelectorTerm struct {
	// Alias names an AMI that EKS publishes, as family@version. Families are al2,
	// al2023, bottlerocket, windows2019, windows2022 and windows2025. The version
	// is that of a release, such as al2023@v20240625, or latest: then nodes
	// drift with each release, which is not for production. Windows has only
	// latest.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z0-9]+@.+$')",message="alias must have the form family@version, for example al2023@latest"
	// +kubebuilder:validation:XValidation:rule="self.split('@')[0] in ['al2', 'al2023', 'bottlerocket', 'windows2019', 'windows2022', 'windows2025']",message="the family of an alias must be al2, al2023, bottlerocket, windows2019, windows2022 or windows2025"
	// +kubebuilder:validation:XValidation:rule="!(self.split('@')[0] in ['windows2019', 'windows2022', 'windows2025']) || self == self.split('@')[0] + '@latest'",message="the version of a Windows alias must be latest"
	// +kubebuilder:validation:MaxLength=30
	// +optional
	Alias string `json:"alias,omitempty"`

	// Tags of the AMI. The value '*' matches any value.
	// +kubebuilder:validation:XValidation:rule="self.all(k, k != '' && self[k] != '')",message="tag keys and values cannot be empty; use the value '*' for any"
	// +kubebuilder:validation:MaxProperties=20
	// +optional
	Tags map[string]string `json:"tags,omitempty"`

	// ID of the AMI.
	// +kubebuilder:validation:Pattern=`ami-[0-9a-z]+`
	// +optional
	ID string `json:"id,omitempty"`

	// Name of the AMI: its name field, not its tag "Name".
	// +optional
	Name string `json:"name,omitempty"`

	// Owner of the AMI: an account, self, amazon or aws-marketplace.
	// +optional
	Owner string `json:"owner,omitempty"`

	// SSMParameter is the name or ARN of an SSM parameter that holds the AMI's ID.
	// +optional
	SSMParameter string `json:"ssmParameter,omitempty"`
}
