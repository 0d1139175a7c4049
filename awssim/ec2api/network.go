package ec2api

import (
	"context"
	"slices"
	"strings"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

type zonesIn struct {
	asked
	Names []string `query:"ZoneName"`
	IDs   []string `query:"ZoneId"`
	All   bool     `query:"AllAvailabilityZones"`
}

type zoneXML struct {
	Group    string `xml:"groupName"`
	Border   string `xml:"networkBorderGroup"`
	OptIn    string `xml:"optInStatus"`
	Region   string `xml:"regionName"`
	State    string `xml:"zoneState"`
	ZoneID   string `xml:"zoneId"`
	ZoneName string `xml:"zoneName"`
	Kind     string `xml:"zoneType"`
	Parent   string `xml:"parentZoneName,omitempty"`
	ParentID string `xml:"parentZoneId,omitempty"`
}

type zonesOut struct {
	Zones []zoneXML `xml:"availabilityZoneInfo>item"`
}

func (a *api) describeAvailabilityZones(_ context.Context, _ *wire.Call, in *zonesIn) (*zonesOut, error) {
	if err := checkFilters(
		in.Filters,
		false,
		"group-name",
		"opt-in-status",
		"region-name",
		"state",
		"zone-id",
		"zone-name",
		"zone-type",
	); err != nil {
		return nil, err
	}
	out := &zonesOut{}
	err := a.world.Do(func(s *world.State) error {
		for _, name := range in.Names {
			if _, ok := s.Zone(name); !ok {
				return apierror.Invalid("Invalid availability zone: [%s]", name)
			}
		}
		if in.DryRun {
			return apierror.DryRun()
		}
		for _, z := range s.Zones {
			x := zoneXML{
				s.Region.Name + "-zg-1",
				s.Region.Name,
				"opt-in-not-required",
				s.Region.Name,
				"available",
				z.ID,
				z.Name,
				"availability-zone",
				"",
				"",
			}
			if group := s.MarketOf(z.Name); group != s.Region.Name {
				x.Group, x.Border, x.OptIn, x.Kind = group, group, "opted-in", "local-zone"
				x.Parent, x.ParentID = s.Zones[0].Name, s.Zones[0].ID
			}
			known := fields{
				"group-name": one(
					x.Group,
				),
				"opt-in-status": one(x.OptIn),
				"region-name":   one(x.Region),
				"state":         one(x.State),
				"zone-id":       one(x.ZoneID),
				"zone-name":     one(x.ZoneName),
				"zone-type":     one(x.Kind),
			}
			named := (len(in.Names) == 0 || slices.Contains(in.Names, z.Name)) &&
				(len(in.IDs) == 0 || slices.Contains(in.IDs, z.ID))
			if named && match(in.Filters, known, nil) {
				out.Zones = append(out.Zones, x)
			}
		}
		return nil
	})
	return out, err
}

type vpcsIn struct {
	asked
	IDs []string `query:"VpcId"`
}

type vpcXML struct {
	ID      string           `xml:"vpcId"`
	Owner   string           `xml:"ownerId"`
	State   string           `xml:"state"`
	CIDR    string           `xml:"cidrBlock"`
	Default bool             `xml:"isDefault"`
	Tags    []launchspec.Tag `xml:"tagSet>item,omitempty"`
}

type vpcsOut struct {
	VPCs []vpcXML `xml:"vpcSet>item"`
}

func (a *api) describeVpcs(_ context.Context, _ *wire.Call, in *vpcsIn) (*vpcsOut, error) {
	if err := checkFilters(in.Filters, true, "vpc-id", "cidr", "state", "is-default", "owner-id"); err != nil {
		return nil, err
	}
	out := &vpcsOut{}
	err := a.world.Do(func(s *world.State) error {
		v := s.VPC
		for _, id := range in.IDs {
			if id != v.ID {
				return apierror.New("InvalidVpcID.NotFound", "The vpc ID '%s' does not exist", id)
			}
		}
		if in.DryRun {
			return apierror.DryRun()
		}
		known := fields{
			"vpc-id": one(
				v.ID,
			),
			"cidr":       one(v.CIDR.String()),
			"state":      one("available"),
			"is-default": yesNo(false),
			"owner-id":   one(s.Account),
		}
		if match(in.Filters, known, v.Tags) {
			out.VPCs = []vpcXML{{v.ID, s.Account, "available", v.CIDR.String(), false, v.Tags}}
		}
		return nil
	})
	return out, err
}

type subnetsIn struct {
	asked
	IDs []string `query:"SubnetId"`
}

type subnetXML struct {
	ID       string           `xml:"subnetId"`
	Arn      string           `xml:"subnetArn"`
	State    string           `xml:"state"`
	VPC      string           `xml:"vpcId"`
	Owner    string           `xml:"ownerId"`
	CIDR     string           `xml:"cidrBlock"`
	Free     int              `xml:"availableIpAddressCount"`
	Zone     string           `xml:"availabilityZone"`
	ZoneID   string           `xml:"availabilityZoneId"`
	Default  bool             `xml:"defaultForAz"`
	PublicIP bool             `xml:"mapPublicIpOnLaunch"`
	Tags     []launchspec.Tag `xml:"tagSet>item,omitempty"`
}

type subnetsOut struct {
	Subnets   []subnetXML `xml:"subnetSet>item"`
	NextToken string      `xml:"nextToken,omitempty"`
}

func (a *api) describeSubnets(_ context.Context, _ *wire.Call, in *subnetsIn) (*subnetsOut, error) {
	if err := checkFilters(
		in.Filters,
		true,
		"availability-zone",
		"availabilityZone",
		"availability-zone-id",
		"availabilityZoneId",
		"available-ip-address-count",
		"cidr-block",
		"cidr",
		"map-public-ip-on-launch",
		"owner-id",
		"state",
		"subnet-arn",
		"subnet-id",
		"vpc-id",
	); err != nil {
		return nil, err
	}
	out := &subnetsOut{}
	err := a.world.Do(func(s *world.State) error {
		for _, id := range in.IDs {
			if _, err := s.Subnet(id); err != nil {
				return err
			}
		}
		if in.DryRun {
			return apierror.DryRun()
		}
		var kept []subnetXML
		for _, n := range s.Subnets {
			x := subnetXML{
				n.ID, s.ARN("ec2", "subnet/"+n.ID), "available", s.VPC.ID, s.Account, n.CIDR.String(), n.Free(),
				n.Zone.Name, n.Zone.ID, false, n.Public, n.Tags,
			}
			if (len(in.IDs) == 0 || slices.Contains(in.IDs, n.ID)) && match(in.Filters, x.fields(), n.Tags) {
				kept = append(kept, x)
			}
		}
		key := func(x subnetXML) string { return x.ID }
		slices.SortFunc(kept, func(a, b subnetXML) int { return strings.Compare(a.ID, b.ID) })
		var err error
		out.Subnets, out.NextToken, err = page(in.asked, bounds{5, 1000}, kept, key)
		return err
	})
	return out, err
}

func (x subnetXML) fields() fields {
	return fields{
		"availability-zone": one(
			x.Zone,
		),
		"availabilityZone":     one(x.Zone),
		"availability-zone-id": one(x.ZoneID),
		"availabilityZoneId":   one(x.ZoneID),
		"available-ip-address-count": number(
			x.Free,
		),
		"cidr-block":              one(x.CIDR),
		"cidr":                    one(x.CIDR),
		"map-public-ip-on-launch": yesNo(x.PublicIP),
		"owner-id": one(
			x.Owner,
		),
		"state":      one(x.State),
		"subnet-arn": one(x.Arn),
		"subnet-id":  one(x.ID),
		"vpc-id":     one(x.VPC),
	}
}

type groupsIn struct {
	asked
	IDs   []string `query:"GroupId"`
	Names []string `query:"GroupName"`
}

type securityGroup struct {
	ID          string           `xml:"groupId"`
	Name        string           `xml:"groupName"`
	Description string           `xml:"groupDescription"`
	Owner       string           `xml:"ownerId"`
	VPC         string           `xml:"vpcId"`
	Ingress     []permission     `xml:"ipPermissions>item"`
	Egress      []permission     `xml:"ipPermissionsEgress>item"`
	Tags        []launchspec.Tag `xml:"tagSet>item,omitempty"`
}

type groupsOut struct {
	Groups    []securityGroup `xml:"securityGroupInfo>item"`
	NextToken string          `xml:"nextToken,omitempty"`
}

func (a *api) describeSecurityGroups(_ context.Context, _ *wire.Call, in *groupsIn) (*groupsOut, error) {
	if err := checkFilters(
		in.Filters,
		true,
		"description",
		"group-id",
		"group-name",
		"owner-id",
		"vpc-id",
	); err != nil {
		return nil, err
	}
	out := &groupsOut{}
	err := a.world.Do(func(s *world.State) error {
		for _, id := range in.IDs {
			if _, err := s.Group(id); err != nil {
				return err
			}
		}
		if in.DryRun {
			return apierror.DryRun()
		}
		var kept []securityGroup
		for _, g := range s.Groups {
			known := fields{
				"description": one(
					g.Description,
				),
				"group-id":   one(g.ID),
				"group-name": one(g.Name),
				"owner-id":   one(s.Account),
				"vpc-id":     one(s.VPC.ID),
			}
			named := (len(in.IDs) == 0 || slices.Contains(in.IDs, g.ID)) &&
				(len(in.Names) == 0 || slices.Contains(in.Names, g.Name))
			if named && match(in.Filters, known, g.Tags) {
				kept = append(kept, securityGroup{
					g.ID,
					g.Name,
					g.Description,
					s.Account,
					s.VPC.ID,
					[]permission{fromItself(s, g)},
					[]permission{toAnywhere()},
					g.Tags,
				})
			}
		}
		slices.SortFunc(kept, func(a, b securityGroup) int { return strings.Compare(a.ID, b.ID) })
		var err error
		out.Groups, out.NextToken, err = page(
			in.asked,
			bounds{5, 1000},
			kept,
			func(g securityGroup) string { return g.ID },
		)
		return err
	})
	return out, err
}
