package aws

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/awserror"
)

// Conditions of EKS's node monitoring agent.
const (
	conditionAccelerator corev1.NodeConditionType = "AcceleratedHardwareReady"
	conditionStorage     corev1.NodeConditionType = "StorageReady"
	conditionNetwork     corev1.NodeConditionType = "NetworkingReady"
	conditionKernel      corev1.NodeConditionType = "KernelReady"
	conditionRuntime     corev1.NodeConditionType = "ContainerRuntimeReady"
)

// Codes of NVIDIA's driver: a reset may mend what the first report, and does not what the second do.
const (
	resettableXIDs = "46|48|54|62|63|95|109|110|136|140|143|155|156|158"
	fatalXIDs      = "64|74|79|119|120"
)

// Priorities: a node whose pods have lost their devices, then one whose kubelet is gone or whose devices complain, then
// one on which something is slow or full.
const (
	priorityDevice = 20
	prioritySilent = 10
	priorityOther  = 0
)

// xid is the expression for a reason with one of several codes. The code must end there: XID 640 is not 64.
func xid(codes string) string { return "XID(" + codes + ")([^0-9]|$)" }

// RepairPolicies are the conditions of the kubelet and of EKS's node monitoring agent.
func (c *Cloud) RepairPolicies() []provider.RepairPolicy {
	const patient, quick = 30 * time.Minute, 10 * time.Minute
	if c.settings.LegacyRepair {
		return legacyPolicies(patient, quick)
	}
	drain, short := 10*time.Minute, 5*time.Minute
	list := []provider.RepairPolicy{
		{
			Condition: corev1.NodeReady, Status: corev1.ConditionFalse, After: patient, GracePeriod: &drain,
			Priority: prioritySilent,
		},
		{
			Condition: corev1.NodeReady, Status: corev1.ConditionUnknown, After: patient, GracePeriod: &drain,
			Priority: prioritySilent,
		},
		{
			Condition: conditionAccelerator, Status: corev1.ConditionFalse, Reason: xid(resettableXIDs), After: quick,
			GracePeriod: &short, Priority: priorityDevice, Action: c.resets(),
		},
		{
			Condition: conditionAccelerator, Status: corev1.ConditionFalse, Reason: xid(fatalXIDs), After: quick,
			GracePeriod: &short, Priority: priorityDevice,
		},
		{
			Condition: conditionAccelerator, Status: corev1.ConditionFalse, After: patient, GracePeriod: &drain,
			Priority: prioritySilent,
		},
	}
	for _, kind := range []corev1.NodeConditionType{conditionStorage, conditionNetwork, conditionKernel, conditionRuntime} {
		list = append(list, provider.RepairPolicy{
			Condition:   kind,
			Status:      corev1.ConditionFalse,
			After:       patient,
			GracePeriod: &drain,
			Priority:    priorityOther,
		})
	}
	return list
}

// resets is what mends a device that a reset may mend.
func (c *Cloud) resets() provider.RepairAction {
	if c.settings.RebootForRepair {
		return provider.RebootNode
	}
	return provider.ReplaceNode
}

// legacyPolicies are those of Karpenter before 1.15: whatever the reason, and without a drain.
func legacyPolicies(patient, quick time.Duration) []provider.RepairPolicy {
	none := time.Duration(0)
	var list []provider.RepairPolicy
	for _, status := range []corev1.ConditionStatus{corev1.ConditionFalse, corev1.ConditionUnknown} {
		list = append(list, provider.RepairPolicy{
			Condition: corev1.NodeReady, Status: status, After: patient, GracePeriod: &none,
		})
	}
	list = append(list, provider.RepairPolicy{
		Condition: conditionAccelerator, Status: corev1.ConditionFalse, After: quick, GracePeriod: &none,
	})
	for _, kind := range []corev1.NodeConditionType{conditionStorage, conditionNetwork, conditionKernel, conditionRuntime} {
		list = append(list, provider.RepairPolicy{
			Condition: kind, Status: corev1.ConditionFalse, After: patient, GracePeriod: &none,
		})
	}
	return list
}

// Reboot has EC2 reboot an instance. EC2 takes no token: asked twice it may reboot twice, and callers look at the boot
// ID before they ask again. In a zone that traffic was shifted away from nothing is rebooted, for now.
func (c *machines) Reboot(ctx context.Context, id, _ string) error {
	instanceID, err := instanceOf(id)
	if err != nil {
		return err
	}
	i, err := c.instance(ctx, id)
	if err != nil {
		return err
	}
	if zone, zoneID := zoneOf(i); zoneID != "" && c.settings.ZonalShift && c.shifts.Away(zoneID) {
		return fmt.Errorf("rebooting instance %s: a zonal shift has moved traffic away from %s", id, zone)
	}
	_, err = c.ec2.RebootInstances(ctx, &ec2.RebootInstancesInput{InstanceIds: []string{instanceID}})
	switch {
	case err == nil:
		return nil
	case awserror.IsNotFound(err):
		return fmt.Errorf("instance %s: %w", id, provider.ErrNotFound)
	case awserror.IsUnauthorized(err):
		return errors.Join(
			provider.ErrRebootRefused,
			fmt.Errorf("rebooting instance %s: the controller's role does not allow %s: %w",
				id, strings.Join(rebootActions, ", "), err),
		)
	}
	return fmt.Errorf("rebooting instance %s: %w", id, err)
}

// rebootActions are what the controller's role must allow for the gate RebootForRepair.
var rebootActions = []string{"ec2:RebootInstances"}
