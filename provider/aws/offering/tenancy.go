package offering

import (
	"slices"
	"strings"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// AsksDedicated reports whether a NodePool speaks of tenancy, and lets dedicated machines in.
func AsksDedicated(pool *karpenterv1.NodePool) bool {
	template := &pool.Spec.Template
	return template.Labels[awsv1.LabelInstanceTenancy] == awsv1.TenancyDedicated ||
		slices.ContainsFunc(template.Spec.Requirements, func(r karpenterv1.Requirement) bool {
			op, ok := shape.OperatorOf(string(r.Operator))
			return ok && r.Key == awsv1.LabelInstanceTenancy &&
				require.Of(shape.Requirement{Key: r.Key, Operator: op, Values: r.Values}).Has(awsv1.TenancyDedicated)
		})
}

// tenancies are the values of the tenancy label that machines of a type may have.
type tenancies []string

// tenancies are those of a type. Dedicated machines are on offer to those who ask for them, and where a capacity
// reservation is of them.
func (m Market) tenancies(instanceType string) tenancies {
	out := tenancies{awsv1.TenancyDefault}
	reserved := slices.ContainsFunc(
		m.Reserved,
		func(r awsv1.CapacityReservation) bool { return r.InstanceType == instanceType && m.own(r) },
	)
	if reserved || len(m.sorts(instanceType)) > 1 {
		out = append(out, awsv1.TenancyDedicated)
	}
	return out
}

// label is what one offering has to say of its tenancy: nothing where the type has but one.
func (t tenancies) label(own bool) string {
	switch {
	case len(t) == 1:
		return ""
	case own:
		return awsv1.TenancyDedicated
	}
	return awsv1.TenancyDefault
}

// sorts lists what is on offer of a type outside of reservations: shared machines, and dedicated ones where they are
// asked for.
func (m Market) sorts(instanceType string) []bool {
	if m.Dedicated == nil || !takesDedicated(instanceType) {
		return []bool{false}
	}
	return []bool{false, true}
}

// takesDedicated is false for types that EC2 launches on shared hardware only: the first two generations of burstable
// types.
func takesDedicated(instanceType string) bool {
	return !strings.HasPrefix(instanceType, "t1.") && !strings.HasPrefix(instanceType, "t2.")
}

// dedicated is the price of a dedicated machine that costs as much as the offering on shared hardware. The spot market
// has one price for both. It is always the higher one, so that nobody gets a dedicated machine who could do with
// another.
func (m Market) dedicated(o shape.Offering, instanceType string) shape.Money {
	price := o.Price + 1
	if listed, ok := m.Dedicated(instanceType, o.Zone); ok && o.CapacityType == shape.OnDemand {
		price = max(price, listed)
	}
	return price
}

// own reports whether a reservation is of dedicated machines.
func (m Market) own(r awsv1.CapacityReservation) bool { return m.Own != nil && m.Own(r.ID) }
