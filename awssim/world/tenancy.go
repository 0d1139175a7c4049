package world

import (
	"strings"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/catalog"
)

// Tenancies that are simulated.
const (
	SharedTenancy    = "default"
	DedicatedTenancy = "dedicated"
)

// Tenancy is on whose hardware the instance runs.
func (in *Instance) Tenancy() string { return tenancyOf(in.Data) }

func tenancyOf(data *launchspec.Data) string {
	if p := data.Placement; p != nil && p.Tenancy != "" {
		return p.Tenancy
	}
	return SharedTenancy
}

// TakesDedicated reports whether EC2 launches a type on hardware of the account's own: it does not with the first two
// generations of burstable types.
func TakesDedicated(t *catalog.Type) bool {
	return !strings.HasPrefix(t.Name, "t1.") && !strings.HasPrefix(t.Name, "t2.")
}

// DedicatedPrice is what a type costs on hardware of the account's own, by its price on shared hardware. AWS has a
// price of its own for each type, which the catalogue lacks; most are about a tenth higher. Its fee for the region is
// not simulated.
func DedicatedPrice(t *catalog.Type, shared int64) int64 {
	if t.Bare {
		return shared
	}
	return shared + shared/10
}

func checkTenancy(o order) error {
	p := o.Data.Placement
	switch tenancy := tenancyOf(o.Data); {
	case tenancy == "host" || p != nil && p.HostID != "":
		return apierror.New("Unsupported", "Dedicated hosts are not simulated.")
	case tenancy != SharedTenancy && tenancy != DedicatedTenancy:
		return apierror.Invalid("Invalid value '%s' for Tenancy.", tenancy)
	case tenancy == DedicatedTenancy && !TakesDedicated(o.Type):
		return apierror.New(
			"Unsupported",
			"The requested configuration is currently not supported. Please check the documentation for supported configurations.",
		)
	}
	return nil
}
