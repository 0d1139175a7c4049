package world

import (
	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/catalog"
)

// Quota is an account's limit on vCPUs of a group of families.
type Quota struct {
	Bucket   string // "standard", "g", "p", "inf", "trn", "x", "f", "dl", "hpc", "u"
	Capacity string
}

// bucket is the quota a type counts against.
func bucket(t *catalog.Type) string {
	family := t.Family()
	for _, name := range []string{"inf", "trn", "hpc", "dl"} {
		if len(family) > len(name) && family[:len(name)] == name {
			return name
		}
	}
	switch family[0] {
	case 'g', 'v':
		return "g"
	case 'p', 'x', 'f', 'u':
		return family[:1]
	default:
		return "standard"
	}
}

// checkQuota refuses a launch that would go over the account's limit.
func (s *State) checkQuota(t *catalog.Type, capacity string) error {
	quota := Quota{bucket(t), capacity}
	limit, limited := s.Quotas[quota]
	if !limited {
		return nil
	}
	used := 0
	for _, in := range s.Instances {
		if state := in.State(
			s.Now,
		); state != Terminated && in.capacity() == capacity &&
			bucket(in.Type) == quota.Bucket {
			used += in.Type.VCPU
		}
	}
	if used+t.VCPU <= limit {
		return nil
	}
	if capacity == Spot {
		return apierror.New("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
	}
	return apierror.New(
		"VcpuLimitExceeded",
		"You have requested more vCPU capacity than your current vCPU limit of %d allows "+
			"for the instance bucket that the specified instance type belongs to. "+
			"Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.",
		limit,
	)
}
