package aws

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/provider"
)

const classKind = "EC2NodeClass"

// Class tells the state of an EC2NodeClass. Its stamp is the hash that drift compares.
func (c *classes) Class(ctx context.Context, ref karpenterv1.NodeClassReference) (provider.Class, error) {
	class, err := c.class(ctx, ref)
	if err != nil {
		return provider.Class{}, err
	}
	out := provider.Class{
		Name:       class.Name,
		Generation: class.Generation,
		Ready:      ready(class),
		Deleting:   class.DeletionTimestamp != nil,
		Stamp:      c.stamp(class),

		StampVersion: awsv1.AnnotationEC2NodeClassHashVersion,
	}
	if !out.Ready {
		out.Reason, out.Message = whyNotReady(class)
	}
	return out, nil
}

// stamp is what claims remember of the class that they were made from.
func (c *classes) stamp(class *awsv1.EC2NodeClass) map[string]string {
	return map[string]string{
		awsv1.AnnotationEC2NodeClassHash:        class.Hash(c.cluster.authority()),
		awsv1.AnnotationEC2NodeClassHashVersion: awsv1.EC2NodeClassHashVersion,
	}
}

// ready reports whether the status is about the spec as it is now, and good.
func ready(class *awsv1.EC2NodeClass) bool {
	r := condition.Get(class, awsv1.ConditionReady)
	return condition.IsTrue(class, awsv1.ConditionReady) && r.ObservedGeneration == class.Generation
}

// undecided reports whether it will be seen soon if the class is ready.
func undecided(class *awsv1.EC2NodeClass) bool {
	r := condition.Get(class, awsv1.ConditionReady)
	return r == nil || r.Status == metav1.ConditionUnknown || r.ObservedGeneration != class.Generation
}

func whyNotReady(class *awsv1.EC2NodeClass) (reason, message string) {
	r := condition.Get(class, awsv1.ConditionReady)
	if r == nil || condition.IsTrue(class, awsv1.ConditionReady) {
		return condition.ReasonAwaiting, "The EC2NodeClass has not been looked at since it was changed."
	}
	return r.Reason, r.Message
}

func (c *classes) class(ctx context.Context, ref karpenterv1.NodeClassReference) (*awsv1.EC2NodeClass, error) {
	if ref.GroupKind() != classGroupKind {
		return nil, fmt.Errorf("%s %s of group %s: the AWS cloud has %s of group %s only: %w",
			ref.Kind, ref.Name, ref.Group, classKind, awsv1.Group, provider.ErrClassNotFound)
	}
	class := &awsv1.EC2NodeClass{}
	err := c.client.Get(ctx, client.ObjectKey{Name: ref.Name}, class)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("EC2NodeClass %s: %w", ref.Name, provider.ErrClassNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("getting EC2NodeClass %s: %w", ref.Name, err)
	}
	return class, nil
}

// readyClass is a class that can launch.
func (c *classes) readyClass(ctx context.Context, ref karpenterv1.NodeClassReference) (*awsv1.EC2NodeClass, error) {
	class, err := c.class(ctx, ref)
	if err != nil {
		return nil, err
	}
	if class.DeletionTimestamp != nil {
		return nil, fmt.Errorf("EC2NodeClass %s is being deleted: %w", ref.Name, provider.ErrClassNotReady)
	}
	if undecided(class) {
		return nil, fmt.Errorf(
			"EC2NodeClass %s has not been looked at since it was changed: %w",
			ref.Name,
			provider.ErrClassUndecided,
		)
	}
	if !ready(class) {
		_, message := whyNotReady(class)
		return nil, fmt.Errorf(
			"EC2NodeClass %s: %s: %w",
			ref.Name,
			strings.TrimSuffix(message, "."),
			provider.ErrClassNotReady,
		)
	}
	if _, known := c.placement.Known(class.Spec.PlacementGroupSelector); !known {
		return nil, fmt.Errorf(
			"EC2NodeClass %s: the placement group has not been looked up since the controller started: %w",
			ref.Name,
			provider.ErrClassUndecided,
		)
	}
	return class, nil
}
