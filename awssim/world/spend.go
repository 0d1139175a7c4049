package world

import "time"

// Spending is what the account's instances cost so far, in micro-dollars.
type Spending struct {
	Paid int64
	// OnDemand is what the same instances would have cost on demand.
	OnDemand int64
	// Interruptions counts spot instances that were given notice.
	Interruptions int
}

// Spent returns what was spent until now.
func (s *State) Spent() Spending {
	s.settle()
	return s.spending
}

// settle bills all instances until now. EC2 bills by the second, from running
// to the order to stop, and spot at the price of the moment: prices change
// slowly enough that the price now stands for the time since the last bill.
func (s *State) settle() {
	s.settled = s.Now
	prices := map[Pool]int64{}
	for _, in := range s.Instances {
		pool := in.Pool()
		if _, known := prices[pool]; !known {
			prices[pool], _ = s.Price(pool)
		}
		s.bill(in, prices[pool])
	}
}

// bill charges an instance a price for the time since it was billed last.
func (s *State) bill(in *Instance, price int64) {
	from, until := in.ReadyAt, s.Now
	if in.billed.After(from) {
		from = in.billed
	}
	if !in.StoppedAt.IsZero() && in.StoppedAt.Before(until) {
		until = in.StoppedAt
	}
	if !in.HaltingAt.IsZero() && in.HaltingAt.Before(until) {
		until = in.HaltingAt
	}
	if !until.After(from) {
		return
	}
	in.billed = until
	full, _ := s.Price(Pool{in.Type.Name, in.Subnet.Zone.Name, OnDemand})
	if in.Tenancy() == DedicatedTenancy {
		full = DedicatedPrice(in.Type, full)
		if !in.Spot {
			price = full
		}
	}
	s.spending.Paid += part(price+in.license(), until.Sub(from))
	s.spending.OnDemand += part(full+in.license(), until.Sub(from))
}

// part is what a price an hour comes to over a stretch of time.
func part(perHour int64, d time.Duration) int64 {
	return int64(float64(perHour) * d.Hours())
}
