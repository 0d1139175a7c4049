package world

import (
	"cmp"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
)

// PlacementGroup says where on EC2's hosts its instances go.
type PlacementGroup struct {
	ID, Name   string
	Strategy   string // "cluster", "spread" or "partition"
	Partitions int    // of the strategy partition: 1 to 7
	Tags       []launchspec.Tag
}

// Limits of placement groups.
const (
	maxPartitions = 7
	maxSpread     = 7 // instances in each zone
)

// CreateGroup adds a placement group.
func (s *State) CreateGroup(g *PlacementGroup) error {
	if _, err := s.PlacementGroup("", g.Name); err == nil {
		return apierror.New("InvalidPlacementGroup.Duplicate", "The Placement Group '%s' already exists.", g.Name)
	}
	g.Strategy = cmp.Or(g.Strategy, "cluster")
	switch {
	case g.Name == "":
		return apierror.Missing("groupName")
	case g.Strategy != "cluster" && g.Strategy != "spread" && g.Strategy != "partition":
		return apierror.Invalid("Value (%s) for parameter strategy is invalid.", g.Strategy)
	case g.Strategy != "partition" && g.Partitions != 0:
		return apierror.New("InvalidParameterCombination", "PartitionCount is for the strategy partition only.")
	case g.Partitions < 0 || g.Partitions > maxPartitions:
		return apierror.Invalid("PartitionCount must be from 1 to %d, got %d.", maxPartitions, g.Partitions)
	}
	if g.Strategy == "partition" && g.Partitions == 0 {
		g.Partitions = 2
	}
	g.ID = s.id("pg")
	s.PlacementGroups = append(s.PlacementGroups, g)
	return nil
}

// DeleteGroup removes a placement group that is not in use.
func (s *State) DeleteGroup(name string) error {
	g, err := s.PlacementGroup("", name)
	if err != nil {
		return err
	}
	for _, in := range s.Instances {
		if in.Group == g && in.State(s.Now) != Terminated {
			return apierror.New(
				"InvalidPlacementGroup.InUse",
				"The placement group '%s' is in use and may not be deleted.",
				name,
			)
		}
	}
	for i, other := range s.PlacementGroups {
		if other == g {
			s.PlacementGroups = append(s.PlacementGroups[:i:i], s.PlacementGroups[i+1:]...)
			break
		}
	}
	return nil
}

// PlacementGroup finds a placement group by id or name.
func (s *State) PlacementGroup(id, name string) (*PlacementGroup, error) {
	for _, g := range s.PlacementGroups {
		if id != "" && g.ID == id || id == "" && g.Name == name {
			return g, nil
		}
	}
	return nil, apierror.New(
		"InvalidPlacementGroup.Unknown",
		"The Placement Group '%s' is unknown.",
		cmp.Or(id, name),
	)
}

// place finds the group that a launch names, nil for none, and the partition
// it goes to, or refuses what the group's strategy does not allow.
func (s *State) place(o order) (*PlacementGroup, int, error) {
	p := o.Data.Placement
	if p == nil || p.GroupID == "" && p.GroupName == "" {
		return nil, 0, nil
	}
	g, err := s.PlacementGroup(p.GroupID, p.GroupName)
	if err != nil {
		return nil, 0, err
	}
	zone, here := o.Subnet.Zone, 0
	perPartition := make([]int, g.Partitions+1)
	for _, in := range s.Instances {
		if in.Group != g || in.State(s.Now) == Terminated {
			continue
		}
		perPartition[in.Partition]++
		if in.Subnet.Zone == zone {
			here++
		} else if g.Strategy == "cluster" {
			return nil, 0, apierror.New("InvalidPlacementGroup.InUse",
				"The placement group '%s' is in use in another availability zone: %s", g.Name, in.Subnet.Zone.Name)
		}
	}
	switch {
	case g.Strategy == "cluster" && o.Type.Burstable():
		return nil, 0, apierror.New(
			"InvalidParameterCombination",
			"Cluster placement groups are not supported by the '%s' instance type.",
			o.Type.Name,
		)
	case g.Strategy == "spread" && here >= maxSpread:
		return nil, 0, apierror.New(
			"InsufficientInstanceCapacity",
			"The spread placement group '%s' has its limit of %d running instances in %s.",
			g.Name,
			maxSpread,
			zone.Name,
		)
	case g.Strategy != "partition":
		return g, 0, nil
	}
	partition, err := choosePartition(g, p.PartitionNumber, perPartition)
	return g, partition, err
}

// choosePartition returns the partition that a launch asks for or, when it
// leaves that to EC2, the emptiest.
func choosePartition(g *PlacementGroup, wanted *int, perPartition []int) (int, error) {
	if wanted != nil {
		if *wanted < 1 || *wanted > g.Partitions {
			return 0, apierror.Invalid("PartitionNumber must be from 1 to %d, got %d.", g.Partitions, *wanted)
		}
		return *wanted, nil
	}
	best := 1
	for n := 2; n <= g.Partitions; n++ {
		if perPartition[n] < perPartition[best] {
			best = n
		}
	}
	return best, nil
}
