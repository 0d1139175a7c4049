package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Gates switch features that are not for everyone. It is a pflag.Value.
type Gates struct {
	NodeRepair              bool
	ReservedCapacity        bool
	SpotToSpotConsolidation bool
	NodeOverlay             bool
	StaticCapacity          bool
	CapacityBuffer          bool
	TerminateFirstDrift     bool
	TerminateFirstRepair    bool

	// PodDeletionCostManagement has ReplicaSets end those pods first whose nodes are to go.
	PodDeletionCostManagement bool

	// Ignored are the gates that were set and have no effect here, as warnings for the operator: another version of
	// Karpenter may have left them in the environment, which is no reason not to start.
	Ignored []string
}

// DefaultGates are Karpenter's defaults.
func DefaultGates() Gates { return Gates{ReservedCapacity: true} }

func (g *Gates) table() gateTable {
	return gateTable{
		known: []gate{
			{"NodeRepair", &g.NodeRepair},
			{"ReservedCapacity", &g.ReservedCapacity},
			{"SpotToSpotConsolidation", &g.SpotToSpotConsolidation},
			{"NodeOverlay", &g.NodeOverlay},
			{"StaticCapacity", &g.StaticCapacity},
			{"CapacityBuffer", &g.CapacityBuffer},
			{"PodDeletionCostManagement", &g.PodDeletionCostManagement},
			{"TerminateFirstDrift", &g.TerminateFirstDrift},
			{"TerminateFirstRepair", &g.TerminateFirstRepair},
		},
	}
}

// Set reads "NodeRepair=true,StaticCapacity=false". Gates that are not named keep their value; of those that are named
// twice the last counts. It reports every value that is neither true nor false. A gate that there is not goes to
// Ignored.
func (g *Gates) Set(text string) error {
	var err error
	g.Ignored, err = g.table().set(text)
	return err
}

// String lists all gates, as Set reads them.
func (g *Gates) String() string { return g.table().String() }

// Type is for the help text.
func (g *Gates) Type() string { return "gates" }

// AWSGates are the gates of the aws cloud. It is a pflag.Value.
type AWSGates struct {
	NodeClassCEL    bool // expressions in an EC2NodeClass's kubelet configuration
	DRANVIDIAGPU    bool // what NVIDIA's driver of dynamic resources publishes is known of types before a node does
	DRAEFA          bool // and what that of EFA does
	RebootForRepair bool // nodes are rebooted for what a reset of their devices may mend

	// Ignored is as in Gates.
	Ignored []string
}

func (g *AWSGates) table() gateTable {
	return gateTable{
		known: []gate{
			{"NodeClassCEL", &g.NodeClassCEL}, {"DRANVIDIAGPU", &g.DRANVIDIAGPU}, {"DRAEFA", &g.DRAEFA},
			{"RebootForRepair", &g.RebootForRepair},
		},
	}
}

// Set is like Gates.Set.
func (g *AWSGates) Set(text string) error {
	var err error
	g.Ignored, err = g.table().set(text)
	return err
}

// String lists all gates, as Set reads them.
func (g *AWSGates) String() string { return g.table().String() }

// Type is for the help text.
func (g *AWSGates) Type() string { return "gates" }

// gateTable is what Set and String go by.
type gateTable struct {
	known []gate
}

type gate struct {
	name string
	on   *bool
}

// set switches the gates that text names, and returns a warning for each that has no effect.
func (t gateTable) set(text string) (ignored []string, err error) {
	var errs []error
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name = strings.TrimSpace(name)
		on, err := strconv.ParseBool(strings.TrimSpace(value))
		if err != nil {
			errs = append(errs, fmt.Errorf("feature gate %s must be true or false, not %q", name, value))
			continue
		}
		i := slices.IndexFunc(t.known, func(f gate) bool { return f.name == name })
		switch {
		case i >= 0:
			*t.known[i].on = on
		default:
			ignored = append(
				ignored,
				fmt.Sprintf("there is no feature gate %q, so it has no effect; there are %s", name, t.names()),
			)
		}
	}
	return ignored, errors.Join(errs...)
}

func (t gateTable) names() string {
	var names []string
	for _, f := range t.known {
		names = append(names, f.name)
	}
	return strings.Join(names, ", ")
}

func (t gateTable) String() string {
	var parts []string
	for _, f := range t.known {
		parts = append(parts, fmt.Sprintf("%s=%t", f.name, *f.on))
	}
	return strings.Join(parts, ",")
}
