package ec2api

import (
	"context"
	"slices"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
	"github.com/dovetail-sh/dovetail/catalog"
)

type regionsIn struct {
	asked
	Names []string `query:"RegionName"`
	All   bool     `query:"AllRegions"`
}

type regionXML struct {
	Name     string `xml:"regionName"`
	Endpoint string `xml:"regionEndpoint"`
	OptIn    string `xml:"optInStatus"`
}

type regionsOut struct {
	Regions []regionXML `xml:"regionInfo>item"`
}

// describeRegions lists the regions of the account's partition, though the
// account answers in one alone.
func (a sales) describeRegions(_ context.Context, _ *wire.Call, in *regionsIn) (*regionsOut, error) {
	if err := checkFilters(in.Filters, false, "endpoint", "opt-in-status", "region-name"); err != nil {
		return nil, err
	}
	out := &regionsOut{}
	return out, a.world.Do(func(s *world.State) error {
		known := map[string]regionXML{}
		for _, r := range catalog.Regions() {
			if world.PartitionOf(r.Name) == s.Partition() {
				known[r.Name] = regionXML{r.Name, "ec2." + r.Name + ".amazonaws.com", "opt-in-not-required"}
			}
		}
		kept, err := chosen(
			in.asked,
			in.Names,
			known,
			"InvalidParameterValue",
			"Invalid region names: [%s]",
			func(r regionXML) bool {
				return match(
					in.Filters,
					fields{"endpoint": one(r.Endpoint), "opt-in-status": one(r.OptIn), "region-name": one(r.Name)},
					nil,
				)
			},
		)
		out.Regions = kept
		return err
	})
}

type accountIn struct {
	DryRun bool
	Names  []string `query:"AttributeName"`
}

type attributeXML struct {
	Name   string           `xml:"attributeName"`
	Values []attributeValue `xml:"attributeValueSet>item"`
}

type attributeValue struct {
	Value string `xml:"attributeValue"`
}

type accountOut struct {
	Attributes []attributeXML `xml:"accountAttributeSet>item"`
}

// accountAttributes are EC2's defaults for an account without a default VPC.
var accountAttributes = []attributeXML{
	{"supported-platforms", []attributeValue{{"VPC"}}},
	{"default-vpc", []attributeValue{{"none"}}},
	{"max-instances", []attributeValue{{"20"}}},
	{"vpc-max-security-groups-per-interface", []attributeValue{{"5"}}},
	{"max-elastic-ips", []attributeValue{{"5"}}},
	{"vpc-max-elastic-ips", []attributeValue{{"5"}}},
}

func (a sales) describeAccountAttributes(_ context.Context, _ *wire.Call, in *accountIn) (*accountOut, error) {
	if in.DryRun {
		return nil, apierror.DryRun()
	}
	out := &accountOut{}
	for _, name := range in.Names {
		if !slices.ContainsFunc(accountAttributes, func(x attributeXML) bool { return x.Name == name }) {
			return nil, apierror.Invalid("Value (%s) for parameter attributeName is invalid.", name)
		}
	}
	for _, x := range accountAttributes {
		if len(in.Names) == 0 || slices.Contains(in.Names, x.Name) {
			out.Attributes = append(out.Attributes, x)
		}
	}
	return out, nil
}
