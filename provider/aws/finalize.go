package aws

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// waitForClaims is how long until a class that is still in use is looked at again. The
// deletion of a claim brings the class back sooner.
const waitForClaims = 10 * time.Second

// reasonCleanup is of the Ready condition of a class that is being deleted and cannot be.
const reasonCleanup = "CleanupFailed"

// leave finalizes a class, and says in its Ready condition what stands in the way.
func (c *resolver) leave(ctx context.Context, class *awsv1.EC2NodeClass) (time.Duration, error) {
	again, err := c.finalize(ctx, class)
	if err == nil {
		return again, nil
	}
	before := class.DeepCopy()
	if condition.False(class, c.clock.Now(), awsv1.ConditionReady, reasonCleanup, c.unanswered(err)) {
		err = errors.Join(err, client.IgnoreNotFound(c.writeStatus(ctx, before, class)))
	}
	return 0, err
}

// finalize lets a class go once no claim refers to it, with all that was made for it.
func (c *resolver) finalize(ctx context.Context, class *awsv1.EC2NodeClass) (time.Duration, error) {
	if !controllerutil.ContainsFinalizer(class, awsv1.TerminationFinalizer) {
		return 0, nil
	}
	used, err := c.inUse(ctx, class)
	if err != nil {
		return 0, err
	}
	if used {
		return waitForClaims, nil
	}
	if class.Spec.Role != "" && !c.settings.IsolatedVPC {
		if err := c.profiles.DeleteOf(ctx, class); err != nil {
			return 0, err
		}
	}
	if err := c.templates.DeleteOf(ctx, class.Name); err != nil {
		return 0, err
	}
	before := class.DeepCopy()
	controllerutil.RemoveFinalizer(class, awsv1.TerminationFinalizer)
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := client.IgnoreNotFound(c.client.Patch(ctx, class, patch)); err != nil {
		return 0, fmt.Errorf("removing the finalizer of EC2NodeClass %s: %w", class.Name, err)
	}
	c.meter.NoUserData(class.Name)
	return 0, nil
}

func (c *resolver) inUse(ctx context.Context, class *awsv1.EC2NodeClass) (bool, error) {
	claims := &karpenterv1.NodeClaimList{}
	if err := c.client.List(ctx, claims); err != nil {
		return false, fmt.Errorf("listing the NodeClaims of EC2NodeClass %s: %w", class.Name, err)
	}
	for i := range claims.Items {
		ref := claims.Items[i].Spec.NodeClassRef
		if ref != nil && ref.GroupKind() == classGroupKind && ref.Name == class.Name {
			return true, nil
		}
	}
	return false, nil
}

// collectProfiles removes instance profiles that no class and no claim uses.
func (c *resolver) collectProfiles(ctx context.Context) error {
	classes, claims := &awsv1.EC2NodeClassList{}, &karpenterv1.NodeClaimList{}
	if err := c.client.List(ctx, classes); err != nil {
		return fmt.Errorf("listing EC2NodeClasses to find unused instance profiles: %w", err)
	}
	if err := c.client.List(ctx, claims); err != nil {
		return fmt.Errorf("listing NodeClaims to find unused instance profiles: %w", err)
	}
	used, alive := map[string]bool{}, map[string]bool{}
	for i := range claims.Items {
		used[claims.Items[i].Annotations[awsv1.AnnotationInstanceProfile]] = true
	}
	for i := range classes.Items {
		class := &classes.Items[i]
		alive[string(class.UID)] = class.Status.InstanceProfile == ""
		used[class.Status.InstanceProfile] = true
	}
	return c.profiles.Collect(ctx, func(class, profile string) bool { return used[profile] || alive[class] })
}
