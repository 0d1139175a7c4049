package aws

import (
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

// minRefresh is how often AMIs and subnets may be looked up at most.
const minRefresh = time.Minute

// Settings are what Karpenter's users set by flag or environment.
type Settings struct {
	// ClusterName is required.
	ClusterName string

	// ClusterEndpoint is the API server's URL as nodes reach it. Empty means to ask EKS.
	ClusterEndpoint string

	// ClusterCABundle is what nodes trust the API server by, base64. Empty means to ask EKS; the daemon gives its own
	// CA.
	ClusterCABundle string

	// IsolatedVPC is for networks that reach neither the Pricing API nor IAM.
	IsolatedVPC bool

	// EKSControlPlane asks EKS for the version of Kubernetes instead of the API server.
	EKSControlPlane bool

	// VMMemoryOverheadPercent is the share of the nominal memory that a machine does not
	// have, 0 to 1. New does not change it: 0 means none.
	VMMemoryOverheadPercent float64

	// InterruptionQueue is the SQS queue's name; empty for none.
	InterruptionQueue string

	// ReservedENIs are network interfaces kept free of pods on every node.
	ReservedENIs int

	// AMIRefreshInterval, SubnetRefreshInterval and SecurityGroupRefreshInterval are how long what AWS said is used: at
	// least a minute, 0 for a minute.
	AMIRefreshInterval, SubnetRefreshInterval, SecurityGroupRefreshInterval time.Duration

	// ReservedCapacity launches into the capacity reservations that classes select, and into
	// no others.
	ReservedCapacity bool

	// OpenReservations has every class select the open capacity reservations of the account too. It needs
	// ReservedCapacity.
	OpenReservations bool

	// ZonalShift launches nothing in zones that the cluster's traffic was shifted away from.
	ZonalShift bool

	// RebootForRepair has nodes rebooted for what a reset of their devices may mend.
	RebootForRepair bool

	// DRANVIDIAGPU and DRAEFA say that the drivers of dynamic resources for NVIDIA's GPUs and for EFA run on new nodes.
	DRANVIDIAGPU, DRAEFA bool

	// LegacyRepair has the repair policies of Karpenter before 1.15.
	LegacyRepair bool

	// KubeletExpressions lets classes have CEL expressions in spec.kubelet.
	KubeletExpressions bool

	// DisableDryRun skips the dry runs that check an EC2NodeClass.
	DisableDryRun bool
}

// Validate reports everything that is wrong, with the flags' names.
func (s Settings) Validate() error {
	var errs []error
	if s.ClusterName == "" {
		errs = append(errs, errors.New("cluster-name is required"))
	}
	if s.VMMemoryOverheadPercent < 0 || s.VMMemoryOverheadPercent >= 1 {
		errs = append(
			errs,
			fmt.Errorf("vm-memory-overhead-percent is %v, must be from 0 to below 1", s.VMMemoryOverheadPercent),
		)
	}
	if s.ReservedENIs < 0 {
		errs = append(errs, fmt.Errorf("reserved-enis is %d, must not be negative", s.ReservedENIs))
	}
	if _, err := base64.StdEncoding.DecodeString(s.ClusterCABundle); err != nil {
		errs = append(errs, fmt.Errorf("cluster-ca-bundle is not base64: %w", err))
	}
	for _, i := range []struct {
		flag  string
		value time.Duration
	}{{"ami-refresh-interval", s.AMIRefreshInterval}, {"subnet-refresh-interval", s.SubnetRefreshInterval}, {"security-group-refresh-interval", s.SecurityGroupRefreshInterval}} {
		if i.value != 0 && i.value < minRefresh {
			errs = append(errs, fmt.Errorf("%s is %s, must be at least %s", i.flag, i.value, minRefresh))
		}
	}
	return errors.Join(errs...)
}

func (s Settings) withDefaults() Settings {
	if s.AMIRefreshInterval == 0 {
		s.AMIRefreshInterval = minRefresh
	}
	if s.SubnetRefreshInterval == 0 {
		s.SubnetRefreshInterval = minRefresh
	}
	if s.SecurityGroupRefreshInterval == 0 {
		s.SecurityGroupRefreshInterval = minRefresh
	}
	return s
}
