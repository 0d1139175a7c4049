package view

import (
	"fmt"
	"strings"
	"time"

	"github.com/dovetail-sh/dovetail/engine/explain"
)

// APIVersion is that of everything which is printed as JSON with a kind. Fields are only ever added to it.
const APIVersion = "dovetail.sh/v1alpha1"

// Fleet is a cluster at one moment, as terminal, page and commands show it.
type Fleet struct {
	Header
	At      time.Time `json:"at"`
	Source  string    `json:"source"` // where it was read
	Money   Money     `json:"money"`
	Nodes   []Machine `json:"nodes"` // ascending by name, claims without a node among them
	Pending []Waiting `json:"pending"`
	Pools   []Pool    `json:"pools"`
	Moves   []Course  `json:"moves"`

	// Missing says what could not be read, or is not known, and so is not shown; one clause each.
	Missing []string `json:"missing,omitempty"`
	Notes   []string `json:"notes,omitempty"`
}

// Money is what a fleet costs.
type Money struct {
	Nodes    int     `json:"nodes"`
	PerHour  PerHour `json:"perHour"` // of all nodes that have a price
	Pools    PerHour `json:"poolsPerHour"`
	Unpriced int     `json:"unpriced"` // nodes whose price nobody knows; the others' sum is at least what is paid

	// Bound is a price that no fleet of the NodePools for the same pods can go below, absent if nothing is proven;
	// Saving is what the moves save that would be begun now. Both are unknown until somebody has thought about them.
	Bound    PerHour `json:"boundPerHour,omitempty"`
	Saving   PerHour `json:"savingPerHour"`
	Thought  bool    `json:"thought"`
	UnderWay int     `json:"underWay"` // nodes that are on their way out
}

// Phase is how far a machine has come.
type Phase string

// Phases, in the order of a machine's life.
const (
	Planned     Phase = "planned"     // a plan wants it, and nothing has asked for it yet
	Launching   Phase = "launching"   // there is a claim, and no machine
	Launched    Phase = "launched"    // there is a machine, and no node
	Registered  Phase = "registered"  // the node has joined, and is not ready for pods
	Ready       Phase = "ready"       // takes pods
	Broken      Phase = "not ready"   // was ready, and its kubelet says or is believed that it is not
	Cordoned    Phase = "cordoned"    // takes no new pods, by somebody's hand
	Disrupting  Phase = "disrupting"  // chosen to go: it takes no new pods
	Draining    Phase = "draining"    // being deleted: its pods are evicted
	Terminating Phase = "terminating" // drained, and the machine is being ended
)

// Going reports whether a machine is on its way out.
func (p Phase) Going() bool { return p == Disrupting || p == Draining || p == Terminating }

// Machine is a node, or what is to become one.
type Machine struct {
	Name         string    `json:"name"` // the Node's, or the claim's while there is none
	Claim        string    `json:"claim,omitempty"`
	Pool         string    `json:"pool,omitempty"` // empty for nodes that no NodePool has
	Phase        Phase     `json:"phase"`
	Since        time.Time `json:"since,omitzero"` // of the phase, if it is known
	Created      time.Time `json:"created,omitzero"`
	InstanceType string    `json:"instanceType,omitempty"`
	Zone         string    `json:"zone,omitempty"`
	CapacityType string    `json:"capacityType,omitempty"`
	Arch         string    `json:"arch,omitempty"`

	Price     PerHour `json:"pricePerHour"`
	PriceFrom string  `json:"priceFrom"` // "label", "pool", "catalogue" or "plan"; empty if there is no price

	Use  []Use    `json:"use"` // cpu, memory, pods first, then devices
	Pods []string `json:"pods,omitempty"`

	// Why says why it is here, why it is still here, or why it goes: one sentence without a full stop. Left is how long
	// it stays for that reason, if that is known.
	Why     string        `json:"why,omitempty"`
	WhyKind string        `json:"whyKind,omitempty"`
	Left    time.Duration `json:"leftNanoseconds,omitempty"`
}

// Priced reports whether somebody knows the price.
func (m *Machine) Priced() bool { return m.PriceFrom != "" }

// Use is how much of a resource pods have asked for.
type Use struct {
	Resource string `json:"resource"`
	Used     int64  `json:"used"` // milli-cores, bytes, or a number
	Of       int64  `json:"of"`   // 0 if that is not known yet
}

// Share is Used in percent of Of, and whether there is anything to compare with.
func (u Use) Share() (percent int, ok bool) {
	if u.Of <= 0 {
		return 0, false
	}
	return int((100*u.Used + u.Of/2) / u.Of), true
}

// Used finds a resource.
func (m *Machine) Used(resource string) Use {
	for _, u := range m.Use {
		if u.Resource == resource {
			return u
		}
	}
	return Use{Resource: resource}
}

// device is the first resource that is a GPU or another accelerator.
func (m *Machine) device() (Use, bool) {
	for _, u := range m.Use {
		if strings.Contains(u.Resource, "gpu") || strings.Contains(u.Resource, "neuron") ||
			strings.Contains(u.Resource, "tpu") {
			return u, true
		}
	}
	return Use{}, false
}

// Waiting is a pod without a node.
type Waiting struct {
	Pod     string       `json:"pod"`
	Since   time.Time    `json:"since,omitzero"`
	Verdict Verdict      `json:"verdict"`
	Node    string       `json:"node,omitempty"` // where it goes
	Why     string       `json:"why"`            // one line: what came closest, in numbers
	Tree    explain.Tree `json:"tree"`
}

// Pool is a NodePool as it stands.
type Pool struct {
	Name    string      `json:"name"`
	Nodes   int         `json:"nodes"`
	PerHour PerHour     `json:"perHour"`
	Trouble string      `json:"trouble,omitempty"` // why it launches nothing
	Limits  []Limit     `json:"limits,omitempty"`
	Budgets []Allowance `json:"budgets,omitempty"`

	Outdated int    `json:"outdated,omitempty"` // nodes that a rollout has yet to replace
	Held     string `json:"held,omitempty"`     // who holds it still, and until when
}

// Limit is what a NodePool may have of a resource.
type Limit struct {
	Resource string `json:"resource"`
	Used     int64  `json:"used"`
	Max      int64  `json:"max"`
}

// Allowance is how many nodes a NodePool's budgets let go now for a reason.
type Allowance struct {
	Reason  string `json:"reason"`
	Allowed int    `json:"allowed"` // at once; negative for no limit
	Going   int    `json:"going"`   // nodes that are on their way out for any reason
	Trouble string `json:"trouble,omitempty"`
}

// Course is a move that is under way, or would be begun now.
type Course struct {
	State   string   `json:"state"` // "under way" or "next"
	Reason  string   `json:"reason"`
	Why     string   `json:"why,omitempty"`
	GiveUp  []string `json:"giveUp"`
	Open    []string `json:"open,omitempty"` // instance types of what replaces them
	Evicted int      `json:"evicted"`
	Saving  PerHour  `json:"savingPerHour"`
}

// Line is the money line, of one sentence.
func (f *Fleet) Line() string {
	m := &f.Money
	least := ""
	if m.Unpriced > 0 {
		least = "≥ "
	}
	parts := []string{
		fmt.Sprintf(
			"%s, %s%s/h, %s%s/month",
			count(m.Nodes, "node"),
			least,
			m.PerHour.Dollars(),
			least,
			m.PerHour.Month(),
		),
	}
	if m.Pools != m.PerHour {
		parts = append(parts, m.Pools.Dollars()+"/h of NodePools")
	}
	if m.Thought && m.Bound > 0 {
		parts = append(parts, "bound "+m.Bound.Dollars()+"/h")
	}
	if m.Thought {
		parts = append(parts, m.Saving.Dollars()+"/h to save")
	}
	if m.UnderWay > 0 {
		parts = append(parts, fmt.Sprintf("%d going", m.UnderWay))
	}
	if m.Unpriced > 0 {
		parts = append(parts, fmt.Sprintf("%d without a known price", m.Unpriced))
	}
	if n := len(f.Pending); n > 0 {
		parts = append(parts, count(n, "pod")+" waiting")
	}
	return strings.Join(parts, " · ")
}
