package aws

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/provider/aws/awserror"
	"github.com/dovetail-sh/dovetail/provider/aws/image"
	"github.com/dovetail-sh/dovetail/provider/aws/placement"
	"github.com/dovetail-sh/dovetail/provider/aws/profile"
)

// Reasons of conditions that Karpenter has no name for.
const (
	reasonRoleNotFound  = "RoleNotFound"
	reasonNotResolved   = "ResolutionFailed"
	reasonUserDataWrong = "UserDataMalformed"
	reasonNoType        = "NoInstanceTypeFits"
)

// profileWait is how long IAM may take until EC2 knows a new instance profile; then the class is looked at again.
const profileWait = 5 * time.Second

// ResolveClass works out what the class's selectors come down to, makes its instance
// profile, checks it by dry runs, and writes all that into its status.
//
// When AWS does not answer, what was known before stays; the error makes the caller come again.
func (c *resolver) ResolveClass(ctx context.Context, ref karpenterv1.NodeClassReference) (time.Duration, error) {
	class, err := c.classes.class(ctx, ref)
	if err != nil {
		return 0, err
	}
	if class.DeletionTimestamp != nil {
		return c.leave(ctx, class)
	}
	if err := c.adopt(ctx, class); err != nil {
		return 0, err
	}
	c.cluster.learnCNI(ctx)
	before := class.DeepCopy()
	var errs []error
	for _, step := range []func(context.Context, *awsv1.EC2NodeClass) error{
		c.resolveSubnets, c.resolveSecurityGroups, c.resolveAMIs, c.resolveInstanceProfile, c.resolvePlacementGroup,
		c.resolveReservations, c.validator.validate,
	} {
		errs = append(errs, step(ctx, class))
	}
	condition.RollUp(class, c.clock.Now(), awsv1.ConditionReady, c.dependents(class)...)
	if !equality.Semantic.DeepEqual(before.Status, class.Status) {
		errs = append(errs, c.writeStatus(ctx, before, class))
	}
	return c.lookAgain(class), errors.Join(errs...)
}

// lookAgain is when a class that was resolved is to be resolved again.
func (c *resolver) lookAgain(class *awsv1.EC2NodeClass) time.Duration {
	v := condition.Get(class, awsv1.ConditionValidationSucceeded)
	if v != nil && v.Status == metav1.ConditionUnknown && v.Reason == awsv1.ReasonInstanceProfileNotFound {
		return profileWait
	}
	return c.settings.SubnetRefreshInterval
}

// adopt puts our finalizer and the hash on the class.
func (c *resolver) adopt(ctx context.Context, class *awsv1.EC2NodeClass) error {
	before := class.DeepCopy()
	controllerutil.AddFinalizer(class, awsv1.TerminationFinalizer)
	for key, value := range c.classes.stamp(class) {
		metav1.SetMetaDataAnnotation(&class.ObjectMeta, key, value)
	}
	if equality.Semantic.DeepEqual(before.ObjectMeta, class.ObjectMeta) {
		return nil
	}
	if err := c.client.Patch(ctx, class, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("writing annotations of EC2NodeClass %s: %w", class.Name, err)
	}
	return nil
}

func (c *resolver) writeStatus(ctx context.Context, before, class *awsv1.EC2NodeClass) error {
	// Conditions are a list, which a merge patch replaces whole: it must not overwrite another's.
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := c.client.Status().Patch(ctx, class, patch); err != nil {
		return fmt.Errorf("writing status of EC2NodeClass %s: %w", class.Name, err)
	}
	return nil
}

// unresolved notes that AWS gave no answer. What was true of this spec stays true: one
// throttled call must not stop launches.
func (c *account) unresolved(class *awsv1.EC2NodeClass, conditionType string, err error) error {
	if old := condition.Get(
		class,
		conditionType,
	); old != nil && old.Status == metav1.ConditionTrue &&
		old.ObservedGeneration == class.Generation {
		return err
	}
	condition.Unknown(class, c.clock.Now(), conditionType, reasonNotResolved, c.unanswered(err))
	return err
}

// unanswered says in a condition why a call brought nothing. It holds still while the trouble stays the same.
func (c *account) unanswered(err error) string {
	if action := awserror.Action(err); action != "" && awserror.IsUnauthorized(err) {
		return sentence(fmt.Sprintf("The controller's IAM role does not allow %s: %s", action, awserror.Text(err)))
	}
	return sentence("AWS did not answer: " + awserror.Text(err))
}

// Explain is unanswered for AWS's errors, and for others their own text.
func (c *account) Explain(err error) string {
	if awserror.Action(err) == "" {
		return sentence(err.Error())
	}
	return c.unanswered(err)
}

func (c *resolver) resolveSubnets(ctx context.Context, class *awsv1.EC2NodeClass) error {
	found, err := c.subnets.Find(ctx, class.Spec.SubnetSelectorTerms)
	if err != nil {
		return c.unresolved(class, awsv1.ConditionSubnetsReady, err)
	}
	class.Status.Subnets = nil
	if len(found) == 0 {
		condition.False(class, c.clock.Now(), awsv1.ConditionSubnetsReady, awsv1.ReasonSubnetsNotFound,
			"No subnet matches spec.subnetSelectorTerms; tag the cluster's subnets or correct the terms.")
		return nil
	}
	for _, s := range found {
		class.Status.Subnets = append(class.Status.Subnets, awsv1.Subnet{ID: s.ID, Zone: s.Zone, ZoneID: s.ZoneID})
	}
	condition.True(class, c.clock.Now(), awsv1.ConditionSubnetsReady)
	return nil
}

func (c *resolver) resolveSecurityGroups(ctx context.Context, class *awsv1.EC2NodeClass) error {
	found, err := c.groups.Find(ctx, class.Spec.SecurityGroupSelectorTerms)
	if err != nil {
		return c.unresolved(class, awsv1.ConditionSecurityGroupsReady, err)
	}
	class.Status.SecurityGroups = found
	if len(found) == 0 {
		condition.False(
			class,
			c.clock.Now(),
			awsv1.ConditionSecurityGroupsReady,
			awsv1.ReasonSecurityGroupsNotFound,
			"No security group matches spec.securityGroupSelectorTerms; tag the nodes' security groups or correct the terms.",
		)
		return nil
	}
	condition.True(class, c.clock.Now(), awsv1.ConditionSecurityGroupsReady)
	return nil
}

func (c *resolver) resolveAMIs(ctx context.Context, class *awsv1.EC2NodeClass) error {
	version, err := c.cluster.version(ctx)
	if err != nil {
		return c.unresolved(class, awsv1.ConditionAMIsReady, err)
	}
	found, err := c.images.Find(ctx, class, version)
	var unsupported image.Unsupported
	if errors.As(err, &unsupported) {
		class.Status.AMIs = nil
		condition.False(
			class,
			c.clock.Now(),
			awsv1.ConditionAMIsReady,
			awsv1.ReasonUnsupportedAlias,
			sentence(unsupported.Message),
		)
		return nil
	}
	if err != nil {
		return c.unresolved(class, awsv1.ConditionAMIsReady, err)
	}
	class.Status.AMIs = found
	if len(found) == 0 {
		condition.False(
			class,
			c.clock.Now(),
			awsv1.ConditionAMIsReady,
			awsv1.ReasonAMINotFound,
			noAMI(class, version),
		)
		return nil
	}
	condition.True(class, c.clock.Now(), awsv1.ConditionAMIsReady)
	return nil
}

func noAMI(class *awsv1.EC2NodeClass, version string) string {
	if alias, ok := class.Alias(); ok {
		return fmt.Sprintf(
			"No AMI is published as %s for Kubernetes %s; use another version, or latest.",
			alias,
			version,
		)
	}
	return "No available AMI for amd64 or arm64 matches spec.amiSelectorTerms; correct the terms, or check that the AMI is shared with this account and in this region."
}

func (c *resolver) resolveInstanceProfile(ctx context.Context, class *awsv1.EC2NodeClass) error {
	if class.Spec.Role == "" {
		class.Status.InstanceProfile = deref(class.Spec.InstanceProfile)
		condition.True(class, c.clock.Now(), awsv1.ConditionInstanceProfileReady)
		return nil
	}
	name, err := c.profiles.Ensure(ctx, class)
	var missing profile.RoleNotFound
	if errors.As(err, &missing) {
		class.Status.InstanceProfile = ""
		condition.False(
			class,
			c.clock.Now(),
			awsv1.ConditionInstanceProfileReady,
			reasonRoleNotFound,
			sentence(missing.Error()),
		)
		return nil
	}
	if err != nil {
		return c.unresolved(class, awsv1.ConditionInstanceProfileReady, err)
	}
	class.Status.InstanceProfile = name
	condition.True(class, c.clock.Now(), awsv1.ConditionInstanceProfileReady)
	return nil
}

// resolvePlacementGroup looks the class's placement group up. It is kept in memory: the status has no place for it.
func (c *resolver) resolvePlacementGroup(ctx context.Context, class *awsv1.EC2NodeClass) error {
	_, err := c.placement.Find(ctx, class.Spec.PlacementGroupSelector)
	if errors.Is(err, placement.ErrNotFound) {
		condition.False(class, c.clock.Now(), awsv1.ConditionPlacementGroupReady, awsv1.ReasonPlacementGroupNotFound,
			"No available placement group matches spec.placementGroupSelector; create it or correct the selector.")
		return nil
	}
	if err != nil {
		condition.False(
			class,
			c.clock.Now(),
			awsv1.ConditionPlacementGroupReady,
			awsv1.ReasonPlacementGroupResolutionFailed,
			c.unanswered(err),
		)
		return err
	}
	condition.True(class, c.clock.Now(), awsv1.ConditionPlacementGroupReady)
	return nil
}

// resolveReservations looks the class's reservations up. To find none is not wrong: they come
// and go. Those for another operating system are nothing to the class; what Custom images run
// is not known.
func (c *resolver) resolveReservations(ctx context.Context, class *awsv1.EC2NodeClass) error {
	if !c.settings.ReservedCapacity {
		class.Status.CapacityReservations, class.Status.IdleCapacityReservations = nil, nil
		condition.Clear(class, awsv1.ConditionCapacityReservationsReady)
		return nil
	}
	found, err := c.reserved.Find(ctx, c.reservationTerms(class))
	if err != nil {
		return c.unresolved(class, awsv1.ConditionCapacityReservationsReady, err)
	}
	if family := class.AMIFamily(); family != awsv1.AMIFamilyCustom {
		found = slices.DeleteFunc(found, func(r awsv1.CapacityReservation) bool {
			return c.reserved.Windows(r.ID) != strings.HasPrefix(family, "Windows")
		})
	}
	class.Status.CapacityReservations = found
	class.Status.IdleCapacityReservations = c.idleBeside(found)
	condition.True(class, c.clock.Now(), awsv1.ConditionCapacityReservationsReady)
	return nil
}

// reservationTerms are the class's own, and one for all open reservations where the controller is to use them.
func (c *resolver) reservationTerms(class *awsv1.EC2NodeClass) []awsv1.CapacityReservationSelectorTerm {
	terms := class.Spec.CapacityReservationSelectorTerms
	if !c.settings.OpenReservations {
		return terms
	}
	open := awsv1.CapacityReservationSelectorTerm{InstanceMatchCriteria: string(ec2types.InstanceMatchCriteriaOpen)}
	return append(slices.Clone(terms), open)
}

// dependents are the conditions that Ready rolls up.
func (c *resolver) dependents(class *awsv1.EC2NodeClass) []string {
	if !c.settings.ReservedCapacity {
		return class.ReadyDependsOn()
	}
	return append(class.ReadyDependsOn(), awsv1.ConditionCapacityReservationsReady)
}

// sentence ends a message with a full stop.
func sentence(text string) string {
	if text == "" || text[len(text)-1] == '.' {
		return text
	}
	return text + "."
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
