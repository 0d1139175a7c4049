package aws

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/awserror"
	"github.com/dovetail-sh/dovetail/provider/aws/selector"
)

// together is how many instances one call may name. AWS allows 200 values in a filter.
const together = 200

// instancesPage is what DescribeInstances is asked for at once; AWS's upper limit.
const instancesPage = 1000

// leavesWithin is how long a machine that was ended may take to be gone, so that its place in its reservation counts as
// free at once; later EC2's own count shows it. EC2 ends one that does not stop by itself within minutes.
const leavesWithin = 30 * time.Minute

// States of instances that are not gone, and of those that have a future.
var (
	aliveStates  = []string{"pending", "running", "stopping", "stopped", "shutting-down"}
	comingStates = []string{"pending", "running"}
)

// idPattern is how the kubelet writes the ID of an EC2 instance.
var idPattern = regexp.MustCompile(`^aws:///([a-z0-9-]+)/(i-[0-9a-f]+)$`)

func providerID(zone, instanceID string) string { return fmt.Sprintf("aws:///%s/%s", zone, instanceID) }

// instanceOf reads a provider ID. Others than EC2's belong to no machine of ours.
func instanceOf(id string) (string, error) {
	m := idPattern.FindStringSubmatch(id)
	if m == nil {
		return "", fmt.Errorf("machine %q is no EC2 instance: %w", id, provider.ErrNotFound)
	}
	return m[2], nil
}

// Machine finds one instance. One that was just launched is found although EC2 does not list
// it yet.
func (c *machines) Machine(ctx context.Context, id string) (provider.Machine, error) {
	i, err := c.instance(ctx, id)
	if m, ok := c.fresh.Peek(id); ok && errors.Is(err, provider.ErrNotFound) {
		return m, nil
	}
	if err != nil {
		return provider.Machine{}, err
	}
	return machineOf(i), nil
}

// Machines lists the cluster's instances, ascending by provider ID.
func (c *machines) Machines(ctx context.Context) ([]provider.Machine, error) {
	instances, err := c.describe(ctx,
		selector.One("tag-key", awsv1.NodePoolTagKey),
		selector.One("tag-key", awsv1.NodeClassTagKey),
		selector.One("tag:"+awsv1.EKSClusterNameTagKey, c.settings.ClusterName),
		selector.One("instance-state-name", aliveStates...))
	if err != nil {
		return nil, err
	}
	out := make([]provider.Machine, len(instances))
	for i, instance := range instances {
		out[i] = machineOf(instance)
	}
	for _, m := range c.fresh.All() {
		if !slices.ContainsFunc(
			out,
			func(listed provider.Machine) bool { return listed.ProviderID == m.ProviderID },
		) {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b provider.Machine) int { return cmp.Compare(a.ProviderID, b.ProviderID) })
	return out, nil
}

// Terminate ends an instance. One that is shutting down already is left to it.
func (c *machines) Terminate(ctx context.Context, id string) error {
	instanceID, err := instanceOf(id)
	if err != nil {
		return err
	}
	i, err := c.instance(ctx, id)
	_, fresh := c.fresh.Peek(id)
	if err != nil && !(fresh && errors.Is(err, provider.ErrNotFound)) {
		return err
	}
	if held := awssdk.ToString(i.CapacityReservationId); held != "" {
		c.leaving.Put(instanceID, held)
	}
	if i.State != nil && i.State.Name == ec2types.InstanceStateNameShuttingDown {
		c.fresh.Forget(id)
		return nil
	}
	_, _, err = c.ending.Get(ctx, instanceID)
	if awserror.IsNotFound(err) {
		return fmt.Errorf("instance %s: %w", id, provider.ErrNotFound)
	}
	if err != nil {
		c.meter.NotTerminated(zoneOf(i))
		return fmt.Errorf("terminating instance %s: %w", id, err)
	}
	c.fresh.Forget(id)
	return nil
}

// togetherFor bounds a call that serves many, its repetitions included: whoever comes later waits for it.
const togetherFor = time.Minute

// end terminates instances by ID.
func (c *machines) end(ctx context.Context, ids []string) (map[string]struct{}, error) {
	ctx, cancel := context.WithTimeout(ctx, togetherFor)
	defer cancel()
	_, err := c.ec2.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: ids})
	return nil, err
}

// instance finds one that is not gone.
func (c *machines) instance(ctx context.Context, id string) (ec2types.Instance, error) {
	instanceID, err := instanceOf(id)
	if err != nil {
		return ec2types.Instance{}, err
	}
	i, found, err := c.finding.Get(ctx, instanceID)
	if err != nil {
		return ec2types.Instance{}, err
	}
	if !found {
		if held, ok := c.leaving.Take(instanceID); ok {
			c.reserved.Released(held)
		}
		return ec2types.Instance{}, fmt.Errorf("instance %s: %w", id, provider.ErrNotFound)
	}
	return i, nil
}

// find describes instances by ID, as far as they are not gone.
func (c *machines) find(ctx context.Context, ids []string) (map[string]ec2types.Instance, error) {
	ctx, cancel := context.WithTimeout(ctx, togetherFor)
	defer cancel()
	found, err := c.describe(
		ctx,
		selector.One("instance-id", ids...),
		selector.One("instance-state-name", aliveStates...),
	)
	if err != nil {
		return nil, err
	}
	out := make(map[string]ec2types.Instance, len(found))
	for _, i := range found {
		out[awssdk.ToString(i.InstanceId)] = i
	}
	return out, nil
}

// spoilt reports whether an error may be one instance's alone. A denial may be: what may be terminated depends on its
// tags.
func spoilt(err error) bool { return awserror.IsDefinite(err) && !awserror.IsThrottled(err) }

// describe lists instances, ascending by ID.
func (c *machines) describe(ctx context.Context, filters ...ec2types.Filter) ([]ec2types.Instance, error) {
	var out []ec2types.Instance
	pages := ec2.NewDescribeInstancesPaginator(
		c.ec2,
		&ec2.DescribeInstancesInput{Filters: filters, MaxResults: awssdk.Int32(instancesPage)},
	)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("describing instances: %w", err)
		}
		for _, r := range page.Reservations {
			out = append(out, r.Instances...)
		}
	}
	slices.SortFunc(
		out,
		func(a, b ec2types.Instance) int { return cmp.Compare(deref(a.InstanceId), deref(b.InstanceId)) },
	)
	return out, nil
}

// machineOf reads a machine off EC2's description.
func machineOf(i ec2types.Instance) provider.Machine {
	tags := map[string]string{}
	for _, t := range i.Tags {
		tags[awssdk.ToString(t.Key)] = awssdk.ToString(t.Value)
	}
	zone, _ := zoneOf(i)
	capacityType := shape.OnDemand
	switch {
	case i.InstanceLifecycle == ec2types.InstanceLifecycleTypeSpot:
		capacityType = shape.Spot
	case awssdk.ToString(i.CapacityReservationId) != "":
		capacityType = shape.Reserved
	}
	return provider.Machine{
		ProviderID:   providerID(zone, awssdk.ToString(i.InstanceId)),
		State:        stateOf(i),
		Launched:     awssdk.ToTime(i.LaunchTime),
		Claim:        tags[awsv1.NodeClaimTagKey],
		Pool:         tags[awsv1.NodePoolTagKey],
		InstanceType: string(i.InstanceType),
		Zone:         zone,
		CapacityType: capacityType,
		Reservation:  awssdk.ToString(i.CapacityReservationId),
		ImageID:      awssdk.ToString(i.ImageId),
		Labels: map[string]string{
			shape.LabelInstanceType: string(i.InstanceType),
			shape.LabelZone:         zone,
			shape.LabelCapacityType: capacityType,
		},
	}
}

// zoneOf is where an instance is, by name and by ID; empty where EC2 does not tell.
func zoneOf(i ec2types.Instance) (zone, zoneID string) {
	if i.Placement == nil {
		return "", ""
	}
	return awssdk.ToString(i.Placement.AvailabilityZone), awssdk.ToString(i.Placement.AvailabilityZoneId)
}

func stateOf(i ec2types.Instance) provider.State {
	if i.State == nil {
		return provider.Pending
	}
	switch i.State.Name {
	case ec2types.InstanceStateNamePending:
		return provider.Pending
	case ec2types.InstanceStateNameRunning:
		return provider.Running
	}
	return provider.Stopping
}
