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
}

// DefaultGates are Karpenter's defaults.
func DefaultGates() Gates { return Gates{ReservedCapacity: true} }

func (g *Gates) fields() []gate {
	return []gate{
		{"NodeRepair", &g.NodeRepair},
		{"ReservedCapacity", &g.ReservedCapacity},
		{"SpotToSpotConsolidation", &g.SpotToSpotConsolidation},
		{"NodeOverlay", &g.NodeOverlay},
		{"StaticCapacity", &g.StaticCapacity},
		{"CapacityBuffer", &g.CapacityBuffer},
	}
}

type gate struct {
	name string
	on   *bool
}

// Set reads "NodeRepair=true,StaticCapacity=false". Gates that are not named keep their
// value. It reports every problem.
func (g *Gates) Set(text string) error {
	var errs []error
	for _, part := range strings.Split(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		i := slices.IndexFunc(g.fields(), func(f gate) bool { return f.name == strings.TrimSpace(name) })
		on, err := strconv.ParseBool(strings.TrimSpace(value))
		switch {
		case i < 0:
			errs = append(errs, fmt.Errorf("there is no feature gate %q; there are %s", name, g.names()))
		case err != nil:
			errs = append(errs, fmt.Errorf("feature gate %s must be true or false, not %q", name, value))
		default:
			*g.fields()[i].on = on
		}
	}
	return errors.Join(errs...)
}

func (g *Gates) names() string {
	var names []string
	for _, f := range g.fields() {
		names = append(names, f.name)
	}
	return strings.Join(names, ", ")
}

// String lists all gates, as Set reads them.
func (g *Gates) String() string {
	var parts []string
	for _, f := range g.fields() {
		parts = append(parts, fmt.Sprintf("%s=%t", f.name, *f.on))
	}
	return strings.Join(parts, ",")
}

// Type is for the help text.
func (g *Gates) Type() string { return "gates" }
