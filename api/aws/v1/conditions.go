package v1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Condition types of EC2NodeClass.
const (
	// ConditionReady rolls up the others.
	ConditionReady = "Ready"
	// ConditionSubnetsReady is True when the selector finds a subnet.
	ConditionSubnetsReady = "SubnetsReady"
	// ConditionSecurityGroupsReady is True when the selector finds a security group.
	ConditionSecurityGroupsReady = "SecurityGroupsReady"
	// ConditionAMIsReady is True when the selector finds an AMI.
	ConditionAMIsReady = "AMIsReady"
	// ConditionInstanceProfileReady is True when instances have a profile to run with.
	ConditionInstanceProfileReady = "InstanceProfileReady"
	// ConditionPlacementGroupReady is True when the placement group, if any, is found.
	ConditionPlacementGroupReady = "PlacementGroupReady"
	// ConditionCapacityReservationsReady is True when the reservations have been
	// looked up. It counts only while reserved capacity is in use.
	ConditionCapacityReservationsReady = "CapacityReservationsReady"
	// ConditionValidationSucceeded is True when AWS has accepted the launch as a dry run.
	ConditionValidationSucceeded = "ValidationSucceeded"
)

// Reasons of EC2NodeClass conditions.
const (
	ReasonSubnetsNotFound                     = "SubnetsNotFound"
	ReasonSecurityGroupsNotFound              = "SecurityGroupsNotFound"
	ReasonAMINotFound                         = "AMINotFound"
	ReasonUnsupportedAlias                    = "UnsupportedAlias"
	ReasonPlacementGroupNotFound              = "PlacementGroupNotFound"
	ReasonPlacementGroupResolutionFailed      = "PlacementGroupResolutionFailed"
	ReasonDependenciesNotReady                = "DependenciesNotReady"
	ReasonTagValidationFailed                 = "TagValidationFailed"
	ReasonCreateFleetAuthCheckFailed          = "CreateFleetAuthCheckFailed"
	ReasonCreateLaunchTemplateAuthCheckFailed = "CreateLaunchTemplateAuthCheckFailed"
	ReasonRunInstancesAuthCheckFailed         = "RunInstancesAuthCheckFailed"
	ReasonUserDataSizeLimitExceeded           = "UserDataSizeLimitExceeded"
	ReasonInstanceProfileNotFound             = "InstanceProfileNotFound"
	ReasonClusterCIDRResolutionFailed         = "ClusterCIDRResolutionFailed"
	// ReasonInvalidKubeletConfiguration is for what no kubelet takes.
	ReasonInvalidKubeletConfiguration = "InvalidKubeletConfiguration"
	// ReasonUnsupportedKubeletConfiguration is for what nodes of the AMI family cannot be told.
	ReasonUnsupportedKubeletConfiguration = "UnsupportedKubeletConfiguration"
	// ReasonKubeletExpressionsDisabled is for expressions without the feature gate NodeClassCEL.
	ReasonKubeletExpressionsDisabled = "KubeletExpressionsDisabled"
	// ReasonKubeletExpressionInvalid is for expressions that do not compile.
	ReasonKubeletExpressionInvalid = "KubeletExpressionInvalid"
	// ReasonKubeletExpressionEvaluationFailed is for expressions that give no good value for any instance type.
	ReasonKubeletExpressionEvaluationFailed = "KubeletExpressionEvaluationFailed"
	// ReasonDryRunDisabled goes with True: nothing was tried.
	ReasonDryRunDisabled = "DryRunDisabled"
)

// Conditions is where the EC2NodeClass keeps its conditions.
func (c *EC2NodeClass) Conditions() *[]metav1.Condition { return &c.Status.Conditions }

// ReadyDependsOn lists the conditions that the EC2NodeClass's Ready rolls up.
// ConditionCapacityReservationsReady joins them while reserved capacity is in
// use, which the caller knows.
func (c *EC2NodeClass) ReadyDependsOn() []string {
	return []string{
		ConditionAMIsReady,
		ConditionSubnetsReady,
		ConditionSecurityGroupsReady,
		ConditionInstanceProfileReady,
		ConditionValidationSucceeded,
		ConditionPlacementGroupReady,
	}
}
