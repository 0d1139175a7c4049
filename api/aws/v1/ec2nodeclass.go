package v1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// EC2NodeClassSpec says how EC2 instances are launched.
//
// The names and the order of the fields here and in the structs below are part
// of the hash: changing either makes every node drift. See Hash.
type EC2NodeClassSpec struct {
	// SubnetSelectorTerms pick the subnets to launch into. One term must match.
	// +kubebuilder:validation:XValidation:rule="self.size() != 0",message="subnetSelectorTerms cannot be empty"
	// +kubebuilder:validation:XValidation:rule="self.all(t, has(t.tags) || has(t.id))",message="each term of subnetSelectorTerms needs 'tags' or 'id'"
	// +kubebuilder:validation:XValidation:rule="self.all(t, !(has(t.id) && has(t.tags)))",message="a term of subnetSelectorTerms with 'id' cannot have other fields"
	// +kubebuilder:validation:MaxItems=30
	// +required
	SubnetSelectorTerms []SubnetSelectorTerm `json:"subnetSelectorTerms" hash:"ignore"`

	// SecurityGroupSelectorTerms pick the security groups of instances. One term must match.
	// +kubebuilder:validation:XValidation:rule="self.size() != 0",message="securityGroupSelectorTerms cannot be empty"
	// +kubebuilder:validation:XValidation:rule="self.all(t, has(t.tags) || has(t.id) || has(t.name))",message="each term of securityGroupSelectorTerms needs 'tags', 'id' or 'name'"
	// +kubebuilder:validation:XValidation:rule="self.all(t, !(has(t.id) && (has(t.tags) || has(t.name))))",message="a term of securityGroupSelectorTerms with 'id' cannot have other fields"
	// +kubebuilder:validation:XValidation:rule="self.all(t, !(has(t.name) && (has(t.tags) || has(t.id))))",message="a term of securityGroupSelectorTerms with 'name' cannot have other fields"
	// +kubebuilder:validation:MaxItems=30
	// +required
	SecurityGroupSelectorTerms []SecurityGroupSelectorTerm `json:"securityGroupSelectorTerms" hash:"ignore"`

	// CapacityReservationSelectorTerms pick the capacity reservations that may be
	// launched into. One term must match.
	// +kubebuilder:validation:XValidation:rule="self.all(t, has(t.tags) || has(t.id) || has(t.instanceMatchCriteria))",message="each term of capacityReservationSelectorTerms needs 'tags', 'id' or 'instanceMatchCriteria'"
	// +kubebuilder:validation:XValidation:rule="self.all(t, !(has(t.id) && (has(t.tags) || has(t.ownerID) || has(t.instanceMatchCriteria))))",message="a term of capacityReservationSelectorTerms with 'id' cannot have other fields"
	// +kubebuilder:validation:MaxItems=30
	// +optional
	CapacityReservationSelectorTerms []CapacityReservationSelectorTerm `json:"capacityReservationSelectorTerms,omitempty" hash:"ignore"`

	// PlacementGroupSelector picks the placement group to launch into.
	// +kubebuilder:validation:XValidation:rule="has(self.name) || has(self.id)",message="placementGroupSelector needs 'name' or 'id'"
	// +kubebuilder:validation:XValidation:rule="!(has(self.name) && has(self.id))",message="placementGroupSelector can have only one of 'name' and 'id'"
	// +optional
	PlacementGroupSelector *PlacementGroupSelector `json:"placementGroupSelector,omitempty"`

	// AssociatePublicIPAddress gives instances a public address, or not. Without
	// it the subnet decides.
	// +optional
	AssociatePublicIPAddress *bool `json:"associatePublicIPAddress,omitempty"`

	// IPPrefixCount is how many IPv4 prefixes the primary network interface gets.
	// +kubebuilder:validation:Minimum=0
	// +optional
	IPPrefixCount *int32 `json:"ipPrefixCount,omitempty" hash:"ignore"`

	// AMISelectorTerms pick the AMIs of instances. One term must match.
	// +kubebuilder:validation:XValidation:rule="self.all(t, has(t.tags) || has(t.id) || has(t.name) || has(t.alias) || has(t.ssmParameter))",message="each term of amiSelectorTerms needs 'alias', 'tags', 'id', 'name' or 'ssmParameter'"
	// +kubebuilder:validation:XValidation:rule="!self.exists(t, has(t.id) && (has(t.alias) || has(t.tags) || has(t.name) || has(t.owner)))",message="a term of amiSelectorTerms with 'id' cannot have 'alias', 'tags', 'name' or 'owner'"
	// +kubebuilder:validation:XValidation:rule="!self.exists(t, has(t.alias) && (has(t.id) || has(t.tags) || has(t.name) || has(t.owner)))",message="a term of amiSelectorTerms with 'alias' cannot have 'id', 'tags', 'name' or 'owner'"
	// +kubebuilder:validation:XValidation:rule="!(self.exists(t, has(t.alias)) && self.size() != 1)",message="a term of amiSelectorTerms with 'alias' must be the only term"
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=30
	// +required
	AMISelectorTerms []AMISelectorTerm `json:"amiSelectorTerms" hash:"ignore"`

	// AMIFamily says which user data the AMI understands and which disks it
	// needs. With an alias it may be left out, else it is the alias's family or
	// Custom.
	// +kubebuilder:validation:Enum=AL2;AL2023;Bottlerocket;Custom;Windows2019;Windows2022;Windows2025
	// +optional
	AMIFamily *string `json:"amiFamily,omitempty" hash:"ignore"`

	// UserData for the instances, in the form of the AMI family. What the node
	// needs to join is merged in, except with the family Custom.
	// +optional
	UserData *string `json:"userData,omitempty"`

	// Role of the instances; an instance profile is made for it. Cannot be used
	// with instanceProfile.
	// +kubebuilder:validation:XValidation:rule="self != ''",message="role cannot be empty"
	// +optional
	Role string `json:"role,omitempty"`

	// InstanceProfile of the instances. Cannot be used with role.
	// +kubebuilder:validation:XValidation:rule="self != ''",message="instanceProfile cannot be empty"
	// +optional
	InstanceProfile *string `json:"instanceProfile,omitempty"`

	// Tags for instances, volumes, launch templates and whatever else is made.
	// +kubebuilder:validation:XValidation:rule="self.all(k, k != '')",message="tag keys cannot be empty"
	// +kubebuilder:validation:XValidation:rule="self.all(k, !(k in ['eks:eks-cluster-name', 'karpenter.sh/nodepool', 'karpenter.sh/nodeclaim', 'karpenter.k8s.aws/ec2nodeclass']) && !k.startsWith('kubernetes.io/cluster'))",message="tags eks:eks-cluster-name, kubernetes.io/cluster/*, karpenter.sh/nodepool, karpenter.sh/nodeclaim and karpenter.k8s.aws/ec2nodeclass are set by the controller; remove them"
	// +optional
	Tags map[string]string `json:"tags,omitempty"`

	// Kubelet is what nodes' kubelet configuration files set, in the fields of kubelet.config.k8s.io/v1beta1. AL2023
	// takes every field; other AMI families take clusterDNS (one address), maxPods, podsPerCore (not Bottlerocket),
	// systemReserved, kubeReserved, evictionHard, evictionSoft, evictionSoftGracePeriod, evictionMaxPodGracePeriod,
	// imageGCHighThresholdPercent, imageGCLowThresholdPercent and cpuCFSQuota. registerWithTaints is not for a class to
	// set. With the feature gate NodeClassCEL, maxPods and the values of systemReserved and kubeReserved may be CEL
	// expressions of vcpus, memory_mib, default_enis, ips_per_eni, max_pods and instance_type. They give pods,
	// milli-cores of CPU, MiB of memory, GiB of storage and numbers of process IDs.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	// +optional
	Kubelet KubeletConfiguration `json:"kubelet,omitempty" hash:"ignore"`

	// BlockDeviceMappings are the disks of the instances. Without them the AMI
	// family decides.
	// +kubebuilder:validation:XValidation:rule="self.filter(m, has(m.rootVolume) && m.rootVolume).size() <= 1",message="only one of blockDeviceMappings may be the rootVolume"
	// +kubebuilder:validation:MaxItems=50
	// +optional
	BlockDeviceMappings []BlockDeviceMapping `json:"blockDeviceMappings,omitempty"`

	// InstanceStorePolicy says what to do with the disks inside the machine.
	// +optional
	InstanceStorePolicy *InstanceStorePolicy `json:"instanceStorePolicy,omitempty"`

	// NetworkInterfaces are what instances are launched with. Without them
	// there is one.
	// +kubebuilder:validation:XValidation:rule="self.size() == 0 || self.exists(n, n.networkCardIndex == 0 && n.deviceIndex == 0 && n.interfaceType == 'interface')",message="networkInterfaces need one of type 'interface' with networkCardIndex 0 and deviceIndex 0"
	// +kubebuilder:validation:XValidation:rule="self.all(n, self.filter(m, m.networkCardIndex == n.networkCardIndex && m.deviceIndex == n.deviceIndex).size() == 1)",message="networkInterfaces cannot have the same networkCardIndex and deviceIndex twice"
	// +kubebuilder:validation:XValidation:rule="self.all(n, n.interfaceType != 'efa-only' || self.filter(m, m.networkCardIndex == n.networkCardIndex && m.interfaceType == 'efa-only').size() == 1)",message="networkInterfaces can have only one of type 'efa-only' on each network card"
	// +kubebuilder:validation:MaxItems=150
	// +optional
	NetworkInterfaces []NetworkInterface `json:"networkInterfaces,omitempty"`

	// DetailedMonitoring reports metrics every minute, at a cost.
	// +optional
	DetailedMonitoring *bool `json:"detailedMonitoring,omitempty"`

	// MetadataOptions say how pods and programs reach the instance metadata
	// service. By default they need a session token, which travels one hop.
	// +kubebuilder:default={"httpEndpoint":"enabled","httpProtocolIPv6":"disabled","httpPutResponseHopLimit":1,"httpTokens":"required"}
	// +optional
	MetadataOptions *MetadataOptions `json:"metadataOptions,omitempty"`

	// EnclaveOptions turn Nitro enclaves on. Enabled leaves only instance types that can.
	// +optional
	EnclaveOptions *EnclaveOptions `json:"enclaveOptions,omitempty"`

	// ConnectionTracking says how long network interfaces remember idle connections.
	// +optional
	ConnectionTracking *ConnectionTracking `json:"connectionTracking,omitempty"`

	// Context is passed to EC2's CreateFleet, which has reserved the field.
	// +optional
	Context *string `json:"context,omitempty"`

	// CPUOptions say how the processors are set up.
	// +optional
	CPUOptions *CPUOptions `json:"cpuOptions,omitempty"`
}

// EC2NodeClass is how EC2 instances are launched.
//
// +kubebuilder:object:root=true
// +kubebuilder:printcolumn:name="Ready",type="string",JSONPath=".status.conditions[?(@.type==\"Ready\")].status"
// +kubebuilder:printcolumn:name="Age",type="date",JSONPath=".metadata.creationTimestamp"
// +kubebuilder:printcolumn:name="Role",type="string",JSONPath=".spec.role",priority=1
// +kubebuilder:resource:path=ec2nodeclasses,scope=Cluster,categories=karpenter,shortName={ec2nc,ec2ncs}
// +kubebuilder:storageversion
// +kubebuilder:subresource:status
type EC2NodeClass struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +kubebuilder:validation:XValidation:rule="has(self.role) != has(self.instanceProfile)",message="set exactly one of 'role' and 'instanceProfile'"
	// +kubebuilder:validation:XValidation:rule="!has(self.amiFamily) || self.amiFamily == 'Custom' || self.amiSelectorTerms.all(t, !has(t.alias) || t.alias.split('@')[0] == self.amiFamily.lowerAscii())",message="amiFamily must be the family of the alias, or Custom; it may be left out"
	// +kubebuilder:validation:XValidation:rule="has(self.amiFamily) || self.amiSelectorTerms.exists(t, has(t.alias))",message="amiFamily is required, because amiSelectorTerms have no alias"
	Spec   EC2NodeClassSpec   `json:"spec,omitempty"`
	Status EC2NodeClassStatus `json:"status,omitempty"`
}

// EC2NodeClassList is a list of EC2NodeClasses.
//
// +kubebuilder:object:root=true
type EC2NodeClassList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []EC2NodeClass `json:"items"`
}
