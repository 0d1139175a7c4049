package kwok

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/provider"
)

// Launch creates the Node of the first available candidate, at once or, with
// nodeRegistrationDelay, when the delay is over.
func (c *Cloud) Launch(ctx context.Context, order provider.Order) (provider.Machine, error) {
	if order.Claim == nil || order.Claim.Spec.NodeClassRef == nil || order.Token == "" {
		return provider.Machine{}, errors.New("launching: the order needs a claim with a node class, and a token")
	}
	class, err := c.readyClass(ctx, *order.Claim.Spec.NodeClassRef)
	if err != nil {
		return provider.Machine{}, err
	}
	name := nodeName(order.Token)
	if existing, err := c.Machine(ctx, providerID(name)); !errors.Is(err, provider.ErrNotFound) {
		return existing, err
	}
	i := slices.IndexFunc(order.Candidates, func(o provider.Candidate) bool { return o.Offering.Available })
	if i < 0 {
		return provider.Machine{}, fmt.Errorf(
			"none of %d offerings is available: %w",
			len(order.Candidates),
			provider.ErrNoCapacity,
		)
	}
	m := c.machineFor(order, name, order.Candidates[i])
	if class.Spec.NodeRegistrationDelay != nil && class.Spec.NodeRegistrationDelay.Duration > 0 {
		m.State = provider.Pending
		return m, nil
	}
	return m, c.createNode(ctx, newNode(order.Claim, m))
}

func (c *Cloud) machineFor(order provider.Order, name string, chosen provider.Candidate) provider.Machine {
	m := provider.Machine{
		ProviderID:  providerID(name),
		State:       provider.Running,
		Launched:    c.clock.Now(),
		Claim:       order.Claim.Name,
		Labels:      labelsFor(chosen, name),
		Capacity:    provider.ResourceListOf(chosen.Type.Capacity),
		Allocatable: provider.ResourceListOf(chosen.Allocatable()),
	}
	m = describe(m)
	m.Pool = order.Claim.Labels[karpenterv1.NodePoolLabelKey]
	return m
}

func (c *Cloud) createNode(ctx context.Context, node *corev1.Node) error {
	if err := c.client.Create(ctx, node); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("creating node %s: %w", node.Name, err)
	}
	return nil
}

// Terminate deletes the Node. A Node that a finalizer holds is marked first, since its
// machine counts as gone from then on.
func (c *Cloud) Terminate(ctx context.Context, id string) error {
	name, ok := nodeOf(id)
	if !ok {
		return fmt.Errorf("machine %s is not of the kwok cloud: %w", id, provider.ErrNotFound)
	}
	node, err := c.node(ctx, name)
	if err != nil {
		return err
	}
	if len(node.Finalizers) > 0 {
		before := node.DeepCopy()
		metav1.SetMetaDataAnnotation(&node.ObjectMeta, goneAnnotation, c.clock.Now().UTC().Format(time.RFC3339))
		if err := c.client.Patch(ctx, node, client.MergeFrom(before)); err != nil {
			return goneOr(err, "marking node", name)
		}
	}
	if node.DeletionTimestamp == nil {
		if err := c.client.Delete(ctx, node); err != nil {
			return goneOr(err, "deleting node", name)
		}
	}
	return nil
}

// Machine finds a machine by its Node, or by its claim while the Node is still to come.
func (c *Cloud) Machine(ctx context.Context, id string) (provider.Machine, error) {
	name, ok := nodeOf(id)
	if !ok {
		return provider.Machine{}, fmt.Errorf("machine %s is not of the kwok cloud: %w", id, provider.ErrNotFound)
	}
	node, err := c.node(ctx, name)
	if err == nil {
		return machineOf(node), nil
	}
	if !errors.Is(err, provider.ErrNotFound) {
		return provider.Machine{}, err
	}
	pending, err := c.pending(ctx)
	if err != nil {
		return provider.Machine{}, err
	}
	for _, p := range pending {
		if p.machine.ProviderID == id {
			return p.machine, nil
		}
	}
	return provider.Machine{}, fmt.Errorf("node %s: %w", name, provider.ErrNotFound)
}

// Machines lists Nodes of ours and machines whose Node is still to come, ascending by ID.
func (c *Cloud) Machines(ctx context.Context) ([]provider.Machine, error) {
	nodes := &corev1.NodeList{}
	if err := c.live.List(ctx, nodes); err != nil {
		return nil, fmt.Errorf("listing nodes: %w", err)
	}
	var out []provider.Machine
	seen := map[string]bool{}
	for i := range nodes.Items {
		node := &nodes.Items[i]
		if _, ours := nodeOf(node.Spec.ProviderID); !ours {
			continue
		}
		seen[node.Spec.ProviderID] = true
		if !gone(node) {
			out = append(out, machineOf(node))
		}
	}
	pending, err := c.pending(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range pending {
		if !seen[p.machine.ProviderID] {
			out = append(out, p.machine)
		}
	}
	slices.SortFunc(out, func(a, b provider.Machine) int { return cmp.Compare(a.ProviderID, b.ProviderID) })
	return out, nil
}

// node reads a Node whose machine is not gone.
func (c *Cloud) node(ctx context.Context, name string) (*corev1.Node, error) {
	node := &corev1.Node{}
	err := c.client.Get(ctx, client.ObjectKey{Name: name}, node)
	if apierrors.IsNotFound(err) {
		err = c.live.Get(ctx, client.ObjectKey{Name: name}, node)
	}
	if err != nil {
		return nil, goneOr(err, "getting node", name)
	}
	if gone(node) {
		return nil, fmt.Errorf("node %s: %w", name, provider.ErrNotFound)
	}
	return node, nil
}

func gone(node *corev1.Node) bool { return node.Annotations[goneAnnotation] != "" }

func goneOr(err error, doing, name string) error {
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("node %s: %w", name, provider.ErrNotFound)
	}
	return fmt.Errorf("%s %s: %w", doing, name, err)
}

// waiting is a machine whose Node is still to come.
type waiting struct {
	claim   *karpenterv1.NodeClaim
	machine provider.Machine
}

// pending lists launched claims that never had a Node. Claims that are being deleted are
// left out: with no Node there is nothing to give back.
func (c *Cloud) pending(ctx context.Context) ([]waiting, error) {
	claims := &karpenterv1.NodeClaimList{}
	if err := c.client.List(ctx, claims); err != nil {
		return nil, fmt.Errorf("listing NodeClaims: %w", err)
	}
	var out []waiting
	for i := range claims.Items {
		claim := &claims.Items[i]
		launched := condition.Get(claim, karpenterv1.ConditionLaunched)
		_, ours := nodeOf(claim.Status.ProviderID)
		if !ours || launched == nil || claim.DeletionTimestamp != nil || claim.Status.NodeName != "" {
			continue
		}
		if condition.IsTrue(claim, karpenterv1.ConditionLaunched) &&
			!condition.IsTrue(claim, karpenterv1.ConditionRegistered) {
			out = append(out, waiting{claim, pendingMachine(claim, launched.LastTransitionTime)})
		}
	}
	return out, nil
}

// join creates the Nodes whose delay is over.
func (c *Cloud) join(ctx context.Context) error {
	pending, err := c.pending(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range pending {
		errs = append(errs, c.joinOne(ctx, p))
	}
	return errors.Join(errs...)
}

func (c *Cloud) joinOne(ctx context.Context, p waiting) error {
	name, _ := nodeOf(p.machine.ProviderID)
	if name != nodeName(string(p.claim.UID)) {
		return nil // launched under another token: its Node is not ours to make
	}
	class, err := c.class(ctx, *p.claim.Spec.NodeClassRef)
	if errors.Is(err, provider.ErrClassNotFound) {
		return nil // the claim is about to go
	}
	if err != nil {
		return err
	}
	delay := time.Duration(0)
	if class.Spec.NodeRegistrationDelay != nil {
		delay = class.Spec.NodeRegistrationDelay.Duration
	}
	if c.clock.Since(p.machine.Launched) < delay {
		return nil
	}
	node := &corev1.Node{}
	if err := c.live.Get(ctx, client.ObjectKey{Name: name}, node); !apierrors.IsNotFound(err) {
		return err
	}
	claim := &karpenterv1.NodeClaim{}
	if err := c.live.Get(ctx, client.ObjectKeyFromObject(p.claim), claim); err != nil {
		return client.IgnoreNotFound(err)
	}
	if claim.Status.NodeName != "" || claim.DeletionTimestamp != nil {
		return nil // its Node has come and gone, and the cache does not show it yet
	}
	return c.createNode(ctx, newNode(p.claim, p.machine))
}
