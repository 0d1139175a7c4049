package view

import "time"

// Shadow is what Dovetail would have done on a cluster that Karpenter runs, beside what Karpenter did, over a time.
type Shadow struct {
	Header
	Source string    `json:"source"` // where the cluster was read
	From   time.Time `json:"from"`   // of the first look
	Until  time.Time `json:"until"`  // of the last one
	Looks  int       `json:"looks"`  // at which it was planned what Dovetail would do

	Money     ShadowMoney `json:"money"`
	Karpenter Deeds       `json:"karpenter"` // what was done
	Dovetail  Deeds       `json:"dovetail"`  // what would have been done
	Waited    Waits       `json:"waited"`
	Moves     []Move      `json:"moves"`  // that Dovetail would make at the last look
	Claims    []Life      `json:"claims"` // that came or went meanwhile, the oldest first

	Missing []string `json:"missing,omitempty"` // what could not be read, one clause each
	Notes   []string `json:"notes"`             // how it was reckoned, one sentence each
}

// ShadowMoney is what the cluster costs, and would. Paid is in dollars, of the whole time.
type ShadowMoney struct {
	Now       PerHour        `json:"nowPerHour"`  // of all nodes that have a price, at the last look
	Then      PerHour        `json:"thenPerHour"` // once the moves are made and pods that still wait have nodes
	Paid      float64        `json:"paidDollars"`
	WouldHave float64        `json:"wouldHavePaidDollars"` // with each hour at Then
	Unpriced  int            `json:"unpriced"`             // nodes whose price nobody knows, at the last look
	Sources   map[string]int `json:"priceSources"`         // nodes, by who says their price
}

// Deeds are what a controller does in a time.
type Deeds struct {
	Bought  []Purchase `json:"bought"` // for pods that waited, the dearest first
	Removed int        `json:"nodesRemoved"`
	Evicted int        `json:"podsEvicted"`

	// Reasons are Removed by why: Underutilized, Empty, Drifted and so on.
	Reasons map[string]int `json:"reasons"`
}

// Purchase is nodes that are alike.
type Purchase struct {
	Nodes        int     `json:"nodes"`
	Pool         string  `json:"pool"`
	InstanceType string  `json:"instanceType"`
	CapacityType string  `json:"capacityType"`
	Price        PerHour `json:"pricePerHour"` // of all of them
}

// Nodes is how many nodes were bought.
func (d *Deeds) Nodes() (n int) {
	for i := range d.Bought {
		n += d.Bought[i].Nodes
	}
	return n
}

// Price is what those that were bought cost.
func (d *Deeds) Price() (sum PerHour) {
	for i := range d.Bought {
		sum += d.Bought[i].Price
	}
	return sum
}

// Waits are pods that found no node when they came.
type Waits struct {
	Pods   int     `json:"pods"`
	Placed int     `json:"placed"`        // that have a node since
	Still  int     `json:"still"`         // that wait at the last look
	Half   float64 `json:"medianSeconds"` // that those waited which have a node
	Most   float64 `json:"mostSeconds"`

	// What Dovetail planned for them when it saw them first.
	Existing int `json:"dovetailExisting"` // on nodes that were there
	Opened   int `json:"dovetailNew"`      // on nodes that it would have bought
	None     int `json:"dovetailNone"`     // nowhere

	Reasons []string `json:"dovetailNoneReasons"` // why nowhere, one for each kind of pods
}

// Saving is what Dovetail would save an hour; less than 0 if it would pay more.
func (m *ShadowMoney) Saving() PerHour { return m.Now - m.Then }
