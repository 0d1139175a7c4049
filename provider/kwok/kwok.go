package kwok

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/api/kwok/v1alpha1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
)

// joinEvery is how often machines whose registration delay is over get their Node.
const joinEvery = time.Second

// unwellFor is how long a node may be not ready before it is worth replacing.
const unwellFor = 10 * time.Minute

// Deps is what the cloud needs. All but Types and Live are required.
type Deps struct {
	Client client.Client

	// Live reads past any cache, so that a Node just created is seen. nil means Client.
	Live client.Reader

	Clock clock.PassiveClock

	// Types are what can be launched; nil means GenericTypes.
	Types []*shape.InstanceType
}

// Cloud is the provider.Cloud.
type Cloud struct {
	client client.Client
	live   client.Reader
	clock  clock.PassiveClock
	types  []*shape.InstanceType
}

var (
	_ provider.Cloud    = (*Cloud)(nil)
	_ provider.Rebooter = (*Cloud)(nil)
)

// New checks the dependencies.
func New(d Deps) (*Cloud, error) {
	if d.Client == nil || d.Clock == nil {
		return nil, errors.New("making the kwok cloud: Client and Clock are required")
	}
	if d.Live == nil {
		d.Live = d.Client
	}
	if d.Types == nil {
		d.Types = GenericTypes()
	}
	return &Cloud{client: d.Client, live: d.Live, clock: d.Clock, types: d.Types}, nil
}

// Name is "kwok".
func (c *Cloud) Name() string { return "kwok" }

// ClassKinds is KWOKNodeClass.
func (c *Cloud) ClassKinds() []schema.GroupKind {
	return []schema.GroupKind{{Group: v1alpha1.Group, Kind: "KWOKNodeClass"}}
}

// Class is Ready unless someone has set its condition otherwise.
func (c *Cloud) Class(ctx context.Context, ref karpenterv1.NodeClassReference) (provider.Class, error) {
	class, err := c.class(ctx, ref)
	if err != nil {
		return provider.Class{}, err
	}
	out := provider.Class{
		Name:       class.Name,
		Generation: class.Generation,
		Ready:      true,
		Deleting:   class.DeletionTimestamp != nil,
	}
	if ready := condition.Get(
		class,
		v1alpha1.ConditionReady,
	); ready != nil &&
		!condition.IsTrue(class, v1alpha1.ConditionReady) {
		out.Ready, out.Reason, out.Message = false, ready.Reason, ready.Message
	}
	return out, nil
}

// ResolveClass sets Ready on a class that lacks it. There is nothing else to work out.
func (c *Cloud) ResolveClass(ctx context.Context, ref karpenterv1.NodeClassReference) (time.Duration, error) {
	class, err := c.class(ctx, ref)
	if err != nil || condition.Get(class, v1alpha1.ConditionReady) != nil {
		return 0, err
	}
	before := class.DeepCopy()
	condition.True(class, c.clock.Now(), v1alpha1.ConditionReady)
	if err := c.client.Status().Patch(ctx, class, client.MergeFrom(before)); err != nil {
		return 0, fmt.Errorf("writing status of KWOKNodeClass %s: %w", ref.Name, err)
	}
	return 0, nil
}

// InstanceTypes are the same for every class.
func (c *Cloud) InstanceTypes(
	ctx context.Context,
	ref karpenterv1.NodeClassReference,
) ([]*shape.InstanceType, error) {
	if _, err := c.readyClass(ctx, ref); err != nil {
		return nil, err
	}
	return c.types, nil
}

// Drift never happens.
func (c *Cloud) Drift(context.Context, *karpenterv1.NodeClaim) (string, error) { return "", nil }

// LabelRules are those of KWOKNodeClasses.
func (c *Cloud) LabelRules() karpenterv1.LabelRules { return v1alpha1.LabelRules() }

// Conditions by which tests make a simulated node sick.
const (
	ConditionUnhealthy      corev1.NodeConditionType = "KWOKUnhealthy"
	ConditionRebootRequired corev1.NodeConditionType = "KWOKRebootRequired"
)

// RepairPolicies are Karpenter's for kwok: nodes that are not ready for 10 minutes are replaced at once, those that
// tests call sick soon.
func (c *Cloud) RepairPolicies() []provider.RepairPolicy {
	const soon = 30 * time.Second
	none, some, more := time.Duration(0), 45*time.Second, time.Minute
	return []provider.RepairPolicy{
		{Condition: corev1.NodeReady, Status: corev1.ConditionFalse, After: unwellFor, GracePeriod: &none},
		{Condition: corev1.NodeReady, Status: corev1.ConditionUnknown, After: unwellFor, GracePeriod: &none},
		{Condition: ConditionUnhealthy, Status: corev1.ConditionTrue, After: soon, GracePeriod: &some},
		{
			Condition: ConditionRebootRequired, Status: corev1.ConditionTrue, After: soon, GracePeriod: &more,
			Action: provider.RebootNode,
		},
	}
}

// Reboot gives a node another boot ID.
func (c *Cloud) Reboot(ctx context.Context, id, operation string) error {
	name, ok := nodeOf(id)
	if !ok {
		return fmt.Errorf("machine %s is not of the kwok cloud: %w", id, provider.ErrNotFound)
	}
	node, err := c.node(ctx, name)
	if err != nil {
		return err
	}
	before := node.DeepCopy()
	node.Status.NodeInfo.BootID = "kwok-" + operation
	if err := c.client.Status().Patch(ctx, node, client.MergeFrom(before)); err != nil {
		return goneOr(err, "rebooting node", name)
	}
	return nil
}

// Tasks create the Nodes whose registration delay is over.
func (c *Cloud) Tasks() []provider.Task {
	return []provider.Task{{Name: "kwok.join", Every: joinEvery, Run: c.join}}
}

func (c *Cloud) class(ctx context.Context, ref karpenterv1.NodeClassReference) (*v1alpha1.KWOKNodeClass, error) {
	if ref.GroupKind() != c.ClassKinds()[0] {
		return nil, fmt.Errorf("%s %s of group %s: the kwok cloud has KWOKNodeClass of group %s only: %w",
			ref.Kind, ref.Name, ref.Group, v1alpha1.Group, provider.ErrClassNotFound)
	}
	class := &v1alpha1.KWOKNodeClass{}
	err := c.client.Get(ctx, client.ObjectKey{Name: ref.Name}, class)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("KWOKNodeClass %s: %w", ref.Name, provider.ErrClassNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("getting KWOKNodeClass %s: %w", ref.Name, err)
	}
	return class, nil
}

func (c *Cloud) readyClass(ctx context.Context, ref karpenterv1.NodeClassReference) (*v1alpha1.KWOKNodeClass, error) {
	class, err := c.class(ctx, ref)
	if err != nil {
		return nil, err
	}
	if class.DeletionTimestamp != nil {
		return nil, fmt.Errorf("KWOKNodeClass %s is being deleted: %w", ref.Name, provider.ErrClassNotReady)
	}
	if ready := condition.Get(
		class,
		v1alpha1.ConditionReady,
	); ready != nil &&
		!condition.IsTrue(class, v1alpha1.ConditionReady) {
		return nil, fmt.Errorf(
			"KWOKNodeClass %s: %s: %w",
			ref.Name,
			strings.TrimSuffix(ready.Message, "."),
			provider.ErrClassNotReady,
		)
	}
	return class, nil
}
