package aws

import (
	"cmp"
	"slices"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/fleet"
)

// maxTypes is how many instance types one fleet is offered. CreateFleet's request has a limit
// of size, and more types than this make no launch likelier.
const maxTypes = 60

// maxTemplates is how many launch templates one fleet may name: EC2's limit. Each reservation takes one of its own.
const maxTemplates = 50

// rounds groups candidates by capacity type and kind of reservation, in the order in which to try them: the group
// with the cheapest candidate first. Each keeps maxTypes types at most.
func rounds(claim *karpenterv1.NodeClaim, candidates []provider.Candidate) [][]provider.Candidate {
	wide := minValues(claim)
	candidates = dropDedicated(candidates)
	if len(wide) == 0 {
		candidates = dropExotic(dropDearSpot(candidates))
	}
	type group struct {
		capacityType string
		kind         fleet.Kind
	}
	var order []group
	groups := map[group][]provider.Candidate{}
	for _, c := range candidates {
		g := group{c.Offering.CapacityType, kindOf(c)}
		if groups[g] == nil {
			order = append(order, g)
		}
		groups[g] = append(groups[g], c)
	}
	out := make([][]provider.Candidate, len(order))
	for i, g := range order {
		out[i] = narrow(onePartition(groups[g]), wide)
		switch {
		case g.kind == fleet.Block:
			out[i] = out[i][:1] // a fleet serves one block
		case g.capacityType == shape.Reserved:
			out[i] = fullest(out[i])
		}
	}
	return out
}

// kindOf is how the candidate's reservation was bought; empty without one.
func kindOf(c provider.Candidate) fleet.Kind {
	if c.Offering.CapacityType != shape.Reserved {
		return ""
	}
	if kind, _ := shape.LabelValue(
		c.Offering.Extra,
		awsv1.LabelCapacityReservationType,
	); kind == string(
		fleet.Block,
	) {
		return fleet.Block
	}
	if yes, _ := shape.LabelValue(c.Offering.Extra, awsv1.LabelCapacityReservationInterruptible); yes == "true" {
		return fleet.Interruptible
	}
	return fleet.Default
}

// onePartition keeps the candidates of one partition of the placement group, if they are in any: a fleet can offer each
// type and zone once.
func onePartition(candidates []provider.Candidate) []provider.Candidate {
	chosen, ok := shape.LabelValue(candidates[0].Offering.Extra, awsv1.LabelPlacementGroupPartition)
	if !ok {
		return candidates
	}
	return keep(candidates, func(c provider.Candidate) bool {
		partition, _ := shape.LabelValue(c.Offering.Extra, awsv1.LabelPlacementGroupPartition) // empty is another one
		return partition == chosen
	})
}

// fullest keeps for each type and zone the reservation with the most left: a fleet can offer
// each type and zone once.
func fullest(candidates []provider.Candidate) []provider.Candidate {
	type place struct{ instanceType, zone string }
	best := map[place]provider.Candidate{}
	for _, c := range candidates {
		p := place{c.Type.Name, c.Offering.Zone}
		if old, ok := best[p]; !ok || c.Offering.Remaining > old.Offering.Remaining {
			best[p] = c
		}
	}
	return keep(candidates, func(c provider.Candidate) bool { return best[place{c.Type.Name, c.Offering.Zone}] == c })
}

// minValues are the wishes for breadth among a claim's requirements, by key.
func minValues(claim *karpenterv1.NodeClaim) map[string]int {
	out := map[string]int{}
	if claim.Annotations[karpenterv1.NodeClaimMinValuesRelaxedAnnotationKey] == "true" {
		return out
	}
	for _, r := range claim.Spec.Requirements {
		if r.MinValues != nil {
			key := awsv1.LabelAliases().Normalize(r.Key)
			out[key] = max(out[key], *r.MinValues)
		}
	}
	return out
}

// dropDearSpot leaves out spot offerings that cost more than the cheapest on demand.
func dropDearSpot(candidates []provider.Candidate) []provider.Candidate {
	limit := shape.Money(-1)
	for _, c := range candidates {
		if c.Offering.CapacityType == shape.OnDemand && (limit < 0 || c.Offering.Price < limit) {
			limit = c.Offering.Price
		}
	}
	if limit < 0 {
		return candidates
	}
	return keep(candidates, func(c provider.Candidate) bool {
		return c.Offering.CapacityType != shape.Spot || c.Offering.Price <= limit
	})
}

// dropExotic leaves out accelerated and metal types if others remain: a fleet that may choose
// should not choose those for a pod that did not ask.
func dropExotic(candidates []provider.Candidate) []provider.Candidate {
	plain := keep(candidates, func(c provider.Candidate) bool { return !c.Type.LastResort })
	if len(plain) == 0 {
		return candidates
	}
	return plain
}

func keep(candidates []provider.Candidate, ok func(provider.Candidate) bool) []provider.Candidate {
	var out []provider.Candidate
	for _, c := range candidates {
		if ok(c) {
			out = append(out, c)
		}
	}
	return out
}

// narrow keeps the candidates of maxTypes types: first the cheapest that are needed for
// breadth, then the cheapest of the rest.
func narrow(candidates []provider.Candidate, wide map[string]int) []provider.Candidate {
	var types []*shape.InstanceType // cheapest first, as the candidates are
	seen := map[*shape.InstanceType]bool{}
	for _, c := range candidates {
		if !seen[c.Type] {
			seen[c.Type] = true
			types = append(types, c.Type)
		}
	}
	if len(types) <= maxTypes {
		return candidates
	}
	kept := map[*shape.InstanceType]bool{}
	for _, t := range slices.Concat(broad(types, wide), types) {
		if len(kept) < maxTypes {
			kept[t] = true
		}
	}
	return keep(candidates, func(c provider.Candidate) bool { return kept[c.Type] })
}

// broad picks the cheapest types that bring a new value of a label until each has enough.
func broad(types []*shape.InstanceType, wide map[string]int) []*shape.InstanceType {
	var out []*shape.InstanceType
	seen := map[shape.Label]bool{}
	count := map[string]int{}
	for _, t := range types {
		if len(out) == maxTypes {
			break
		}
		brings := false
		for key, want := range wide {
			for _, value := range valuesOf(t, key) {
				l := shape.Label{Key: key, Value: value}
				if count[key] < want && !seen[l] {
					seen[l], brings = true, true
					count[key]++
				}
			}
		}
		if brings {
			out = append(out, t)
		}
	}
	return out
}

func valuesOf(t *shape.InstanceType, key string) []string {
	i, ok := slices.BinarySearchFunc(
		t.Requirements,
		key,
		func(r shape.Requirement, k string) int { return cmp.Compare(r.Key, k) },
	)
	if !ok || t.Requirements[i].Operator != shape.In {
		return nil
	}
	return t.Requirements[i].Values
}
