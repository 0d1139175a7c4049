package aws

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// idleEvery is how often the account's reservations are looked through.
const idleEvery = time.Minute

// idleShown is how many a class shows: the API's limit.
const idleShown = 20

// IdleReservation is a capacity reservation of the account with room left.
type IdleReservation struct {
	ID, InstanceType, Zone string
	InstanceMatchCriteria  string // open or targeted
	Left                   int32  // instances that it still takes
	Price                  shape.Money
	Selected               bool // some EC2NodeClass selects it
}

// findIdle looks for room in reservations that is paid for and not used.
func (c *Cloud) findIdle(ctx context.Context) error {
	if err := c.reserved.RefreshIdle(ctx); err != nil {
		return err
	}
	if c.idle == nil {
		return nil
	}
	var classes awsv1.EC2NodeClassList
	if err := c.client.List(ctx, &classes); err != nil {
		return fmt.Errorf("listing EC2NodeClasses: %w", err)
	}
	selected := map[string]bool{}
	for i := range classes.Items {
		for _, r := range classes.Items[i].Status.CapacityReservations {
			selected[r.ID] = true
		}
	}
	idle := c.account.idleReservations()
	for i := range idle {
		idle[i].Selected = selected[idle[i].ID]
	}
	c.idle(ctx, idle)
	return nil
}

// idleReservations are all, the dearest first. Price is of what is left together, 0 where it is not known.
func (a *account) idleReservations() []IdleReservation {
	var out []IdleReservation
	for _, r := range a.reserved.Idle() {
		price, _ := a.prices.OnDemand(r.InstanceType, r.AvailabilityZone)
		out = append(out, IdleReservation{
			ID: r.ID, InstanceType: r.InstanceType, Zone: r.AvailabilityZone,
			InstanceMatchCriteria: r.InstanceMatchCriteria,
			Left:                  r.Left, Price: price * shape.Money(r.Left),
		})
	}
	slices.SortStableFunc(out, func(a, b IdleReservation) int { return -cmp.Compare(a.Price, b.Price) })
	return out
}

// idleBeside are those that are not among the selected ones, for a class's status.
func (a *account) idleBeside(selected []awsv1.CapacityReservation) []awsv1.IdleCapacityReservation {
	var out []awsv1.IdleCapacityReservation
	for _, r := range a.idleReservations() {
		if len(out) == idleShown {
			break
		}
		if slices.ContainsFunc(selected, func(s awsv1.CapacityReservation) bool { return s.ID == r.ID }) {
			continue
		}
		next := awsv1.IdleCapacityReservation{
			ID: r.ID, InstanceType: r.InstanceType, AvailabilityZone: r.Zone,
			InstanceMatchCriteria: r.InstanceMatchCriteria, Idle: r.Left,
		}
		if r.Price > 0 {
			next.HourlyCost = strconv.FormatFloat(r.Price.Float(), 'f', 4, 64)
		}
		out = append(out, next)
	}
	return out
}
