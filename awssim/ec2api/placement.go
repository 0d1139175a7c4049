package ec2api

import (
	"cmp"
	"context"
	"slices"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

type placementGroup struct {
	ID         string           `xml:"groupId"`
	Name       string           `xml:"groupName"`
	Arn        string           `xml:"groupArn"`
	State      string           `xml:"state"`
	Strategy   string           `xml:"strategy"`
	Partitions int              `xml:"partitionCount,omitempty"`
	Spread     string           `xml:"spreadLevel,omitempty"`
	Tags       []launchspec.Tag `xml:"tagSet>item,omitempty"`
}

func groupXML(s *world.State, g *world.PlacementGroup) placementGroup {
	out := placementGroup{
		ID:         g.ID,
		Name:       g.Name,
		Arn:        s.ARN("ec2", "placement-group/"+g.Name),
		State:      "available",
		Strategy:   g.Strategy,
		Partitions: g.Partitions,
		Tags:       s.SeenTags(&g.Tags),
	}
	if g.Strategy == "spread" {
		out.Spread = "rack"
	}
	return out
}

type createGroupIn struct {
	DryRun     bool
	Name       string `query:"GroupName"`
	Strategy   string
	Partitions int                           `query:"PartitionCount"`
	Spread     string                        `query:"SpreadLevel"`
	Tags       []launchspec.TagSpecification `query:"TagSpecification"`
}

type createGroupOut struct {
	Group placementGroup `xml:"placementGroup"`
}

func (a *api) createPlacementGroup(_ context.Context, _ *wire.Call, in *createGroupIn) (*createGroupOut, error) {
	if in.Spread != "" && in.Spread != "rack" {
		return nil, apierror.Invalid("The spread level '%s' is not simulated: use rack.", in.Spread)
	}
	out := &createGroupOut{}
	return out, a.world.Do(func(s *world.State) error {
		if in.DryRun {
			return apierror.DryRun()
		}
		g := &world.PlacementGroup{
			Name:       in.Name,
			Strategy:   in.Strategy,
			Partitions: in.Partitions,
			Tags:       launchspec.TagsFor(in.Tags, "placement-group"),
		}
		if err := s.CreateGroup(g); err != nil {
			return err
		}
		out.Group = groupXML(s, g)
		return nil
	})
}

type deleteGroupIn struct {
	DryRun bool
	Name   string `query:"GroupName"`
}

func (a *api) deletePlacementGroup(_ context.Context, _ *wire.Call, in *deleteGroupIn) (*done, error) {
	return &done{true}, a.world.Do(func(s *world.State) error {
		if in.DryRun {
			return apierror.DryRun()
		}
		return s.DeleteGroup(in.Name)
	})
}

type placementGroupsIn struct {
	DryRun  bool
	Filters []filter `query:"Filter"`
	IDs     []string `query:"GroupId"`
	Names   []string `query:"GroupName"`
}

type placementGroupsOut struct {
	Groups []placementGroup `xml:"placementGroupSet>item"`
}

func (a *api) describePlacementGroups(
	_ context.Context,
	_ *wire.Call,
	in *placementGroupsIn,
) (*placementGroupsOut, error) {
	if err := checkFilters(
		in.Filters,
		true,
		"group-name",
		"group-arn",
		"spread-level",
		"state",
		"strategy",
	); err != nil {
		return nil, err
	}
	out := &placementGroupsOut{}
	return out, a.world.Do(func(s *world.State) error {
		for _, id := range in.IDs {
			if _, err := s.PlacementGroup(id, ""); err != nil {
				return err
			}
		}
		for _, name := range in.Names {
			if _, err := s.PlacementGroup("", name); err != nil {
				return err
			}
		}
		if in.DryRun {
			return apierror.DryRun()
		}
		for _, g := range s.PlacementGroups {
			x := groupXML(s, g)
			known := fields{
				"group-name": one(
					x.Name,
				),
				"group-arn":    one(x.Arn),
				"spread-level": one(x.Spread),
				"state":        one(x.State),
				"strategy":     one(x.Strategy),
			}
			named := (len(in.IDs) == 0 || slices.Contains(in.IDs, x.ID)) &&
				(len(in.Names) == 0 || slices.Contains(in.Names, x.Name))
			if named && match(in.Filters, known, x.Tags) {
				out.Groups = append(out.Groups, x)
			}
		}
		slices.SortFunc(out.Groups, func(a, b placementGroup) int { return cmp.Compare(a.ID, b.ID) })
		return nil
	})
}
