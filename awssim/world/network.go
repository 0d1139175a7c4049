package world

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/catalog"
)

// Zone is an availability zone or a Local Zone.
type Zone struct {
	Name, ID string // "us-east-1a", "use1-az1"
}

// VPC is the one network of the account.
type VPC struct {
	ID   string
	CIDR netip.Prefix
	Tags []launchspec.Tag
}

// Subnet gives addresses to instances.
type Subnet struct {
	ID     string
	Zone   *Zone
	CIDR   netip.Prefix
	Public bool
	Tags   []launchspec.Tag

	free  int          // addresses left
	next  netip.Addr   // never used before
	freed []netip.Addr // used and given back, oldest first
}

// reserved is how many addresses of each subnet AWS keeps: the first four and
// the last.
const reserved = 5

// Free is how many addresses are left.
func (n *Subnet) Free() int { return n.free }

func newSubnet(id string, zone *Zone, cidr netip.Prefix) *Subnet {
	next := cidr.Addr()
	for range reserved - 1 {
		next = next.Next()
	}
	return &Subnet{ID: id, Zone: zone, CIDR: cidr, free: 1<<(32-cidr.Bits()) - reserved, next: next}
}

// take hands out an address. New ones first, so that a node name is not used
// again while others remember it. With it go more, which only count: those of
// further interfaces and of prefixes.
func (n *Subnet) take(more int) (netip.Addr, error) {
	if n.free < 1+more {
		return netip.Addr{}, apierror.New("InsufficientFreeAddressesInSubnet",
			"There are not enough free addresses in subnet '%s' to satisfy the requested number of instances.", n.ID)
	}
	n.free -= 1 + more
	addr := n.next
	if following := addr.Next(); n.CIDR.Contains(following) && n.CIDR.Contains(following.Next()) {
		n.next = following
		return addr, nil
	}
	if len(n.freed) == 0 { // the last address that was never used
		n.next = addr
		return addr, nil
	}
	addr, n.freed = n.freed[0], n.freed[1:]
	return addr, nil
}

// giveBack returns an address, and more that came with it.
func (n *Subnet) giveBack(addr netip.Addr, more int) {
	n.free += 1 + more
	n.freed = append(n.freed, addr)
}

// Limit sets how many addresses are left, to play a subnet that is nearly full.
func (n *Subnet) Limit(free int) { n.free = free }

// SecurityGroup is a firewall; only its identity is modelled.
type SecurityGroup struct {
	ID, Name, Description string
	Tags                  []launchspec.Tag
}

// clusterZones is how many zones the cluster's subnets span, as eksctl does.
const clusterZones = 3

// withoutEKS are the zones in which EKS takes no subnets: old ones, with few
// types. Each account has its own letters for zones; here these come last.
var withoutEKS = []string{"use1-az3", "usw1-az2", "cac1-az3"}

// buildNetwork makes a VPC as eksctl would: a large private and a smaller
// public subnet in each of three zones.
func (s *State) buildNetwork() {
	ids := slices.Clone(s.Region.ZoneIDs)
	slices.SortStableFunc(ids, func(a, b string) int {
		return cmp.Compare(b2i(slices.Contains(withoutEKS, a)), b2i(slices.Contains(withoutEKS, b)))
	})
	for i, id := range ids {
		s.Zones = append(s.Zones, &Zone{Name: s.Region.Name + string(rune('a'+i)), ID: id})
	}
	name := s.Cluster.Name
	owned := []launchspec.Tag{{Key: "kubernetes.io/cluster/" + name, Value: "owned"}}
	s.VPC = VPC{
		ID: s.fixedID("vpc"), CIDR: netip.MustParsePrefix("10.0.0.0/16"),
		Tags: launchspec.SetTags(nil, []launchspec.Tag{{Key: "Name", Value: name + "/VPC"}}),
	}
	for i, zone := range s.Zones[:min(clusterZones, len(s.Zones))] {
		private := newSubnet(
			s.fixedID("subnet", "private", zone.Name),
			zone,
			netip.MustParsePrefix(fmt.Sprintf("10.0.%d.0/18", i*64)),
		)
		private.Tags = launchspec.SetTags(s.Config.Tags, append(owned,
			launchspec.Tag{Key: "Name", Value: name + "/SubnetPrivate" + strings.ToUpper(zone.Name)},
			launchspec.Tag{Key: "kubernetes.io/role/internal-elb", Value: "1"}))
		public := newSubnet(
			s.fixedID("subnet", "public", zone.Name),
			zone,
			netip.MustParsePrefix(fmt.Sprintf("10.0.%d.0/20", 192+i*16)),
		)
		public.Public = true
		public.Tags = launchspec.SetTags(nil, append(owned,
			launchspec.Tag{Key: "Name", Value: name + "/SubnetPublic" + strings.ToUpper(zone.Name)},
			launchspec.Tag{Key: "kubernetes.io/role/elb", Value: "1"}))
		s.Subnets = append(s.Subnets, private, public)
	}
	s.buildLocalZones(owned)
	s.Groups = []*SecurityGroup{
		{ID: s.fixedID("sg", "default"), Name: "default", Description: "default VPC security group"},
		{
			ID:          s.fixedID("sg", "cluster"),
			Name:        "eks-cluster-sg-" + name + "-1234567890",
			Description: "EKS created security group applied to ENI that is attached to EKS Control Plane master nodes, as well as any managed workloads.",
			Tags: launchspec.SetTags(s.Config.Tags, append(owned,
				launchspec.Tag{Key: "Name", Value: "eks-cluster-sg-" + name + "-1234567890"},
				launchspec.Tag{Key: "aws:eks:cluster-name", Value: name})),
		},
	}
}

// buildLocalZones makes the Local Zones that the account opted in to, with a
// small private subnet in each.
func (s *State) buildLocalZones(tags []launchspec.Tag) {
	for i, group := range s.LocalZones {
		for j, name := range group.LocalZoneNames() {
			zone := &Zone{Name: name, ID: group.ZoneIDs[j]}
			s.Zones = append(s.Zones, zone)
			subnet := newSubnet(
				s.fixedID("subnet", "local", name),
				zone,
				netip.MustParsePrefix(fmt.Sprintf("10.0.%d.%d/25", 240+i, j*128)),
			)
			subnet.Tags = launchspec.SetTags(
				s.Config.Tags,
				append(
					tags,
					launchspec.Tag{Key: "Name", Value: s.Cluster.Name + "/SubnetLocal" + strings.ToUpper(name)},
				),
			)
			s.Subnets = append(s.Subnets, subnet)
		}
	}
}

// Subnet finds a subnet by id.
func (s *State) Subnet(id string) (*Subnet, error) {
	for _, n := range s.Subnets {
		if n.ID == id {
			return n, nil
		}
	}
	if rest, ok := strings.CutPrefix(id, "subnet-"); !ok || !isHex(rest) {
		return nil, apierror.New("InvalidSubnetId.Malformed", "Invalid id: \"%s\" (expecting \"subnet-...\")", id)
	}
	return nil, apierror.New("InvalidSubnetID.NotFound", "The subnet ID '%s' does not exist", id)
}

// Group finds a security group by id.
func (s *State) Group(id string) (*SecurityGroup, error) {
	for _, g := range s.Groups {
		if g.ID == id {
			return g, nil
		}
	}
	if rest, ok := strings.CutPrefix(id, "sg-"); !ok || !isHex(rest) {
		return nil, apierror.New("InvalidGroupId.Malformed", "Invalid id: \"%s\" (expecting \"sg-...\")", id)
	}
	return nil, apierror.New("InvalidGroup.NotFound", "The security group '%s' does not exist", id)
}

// Zone finds a zone by name.
func (s *State) Zone(name string) (*Zone, bool) {
	i := slices.IndexFunc(s.Zones, func(z *Zone) bool { return z.Name == name })
	if i < 0 {
		return nil, false
	}
	return s.Zones[i], true
}

// MarketOf is under which name the catalogue lists what a zone sells: the
// region's or, of a Local Zone, its group's.
func (s *State) MarketOf(zone string) string { return catalog.PricedAs(s.Region.Name, zone) }

// PrivateDNSName is the name EC2 gives an address: "ip-10-0-1-2.ec2.internal",
// with the region in it everywhere but in us-east-1.
func (s *State) PrivateDNSName(addr netip.Addr) string {
	domain := s.Region.Name + ".compute.internal"
	if s.Region.Name == "us-east-1" {
		domain = "ec2.internal"
	}
	return "ip-" + strings.ReplaceAll(addr.String(), ".", "-") + "." + domain
}
