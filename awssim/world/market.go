package world

import (
	"slices"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/catalog"
)

// Capacity types, as EC2's fleets call them.
const (
	OnDemand = "on-demand"
	Spot     = "spot"
)

// Pool is where capacity comes from: machines of one type in one zone, sold
// one way.
type Pool struct {
	Type, Zone, Capacity string
}

// Offered says whether a zone has a type.
func (s *State) Offered(t *catalog.Type, zone *Zone) bool {
	return slices.Contains(catalog.ZoneIDs(s.Region.Name, t.Name), zone.ID)
}

// Price is what a pool costs in micro-dollars an hour; false when it is not
// sold. A zone's spot price lies in the range that the catalogue knows, at a
// place that the seed decides. Where the region's spot prices were not
// published, the range is 30 to 60 % of on demand.
func (s *State) Price(p Pool) (int64, bool) {
	onDemand, sold := catalog.OnDemand(s.Region.Name, p.Type)
	if p.Capacity == OnDemand {
		return onDemand, sold
	}
	spot, traded := catalog.Spot(s.Region.Name, p.Type)
	if !traded {
		if t, ok := catalog.Lookup(p.Type); !ok || !t.Spot || !sold {
			return 0, false
		}
		spot = catalog.Price{Min: onDemand * 30 / 100, Max: onDemand * 60 / 100}
	}
	steps := int64(s.fate("price", p.Type, p.Zone) % 1001)
	// Spot prices are published in steps of 100 micro-dollars.
	return max(100, (spot.Min+(spot.Max-spot.Min)*steps/1000+50)/100*100), true
}

// depth says how much a spot pool has to spare, from 1 (hardly any) to 10: less
// in types that are interrupted often.
func (s *State) depth(p Pool) int {
	band := catalog.InterruptionBand(s.Region.Name, p.Type)
	if band == 0 {
		band = 3
	}
	spread := int(s.fate("depth", p.Type, p.Zone) % 3)
	return min(max(11-2*band+spread-1, 1), 10)
}

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
		if state := in.State(s.Now); state != Terminated && in.capacity() == capacity && bucket(in.Type) == quota.Bucket {
			used += in.Type.VCPU
		}
	}
	if used+t.VCPU <= limit {
		return nil
	}
	if capacity == Spot {
		return apierror.New("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
	}
	return apierror.New("VcpuLimitExceeded", "You have requested more vCPU capacity than your current vCPU limit of %d allows "+
		"for the instance bucket that the specified instance type belongs to. "+
		"Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.", limit)
}

// draw takes one machine out of a pool.
func (s *State) draw(p Pool) error {
	left, limited := s.Pools[p]
	if !limited {
		return nil
	}
	if left > 0 {
		s.Pools[p] = left - 1
		return nil
	}
	return OutOfCapacity(p)
}

// OutOfCapacity is what EC2 answers when a pool is empty.
func OutOfCapacity(p Pool) error {
	if p.Capacity == Spot {
		return apierror.New("InsufficientInstanceCapacity", "There is no Spot capacity available that matches your request.")
	}
	return apierror.New("InsufficientInstanceCapacity", "We currently do not have sufficient %s capacity in the Availability Zone "+
		"you requested (%s). Our system will be working on provisioning additional capacity.", p.Type, p.Zone)
}
