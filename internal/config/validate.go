package config

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// Validate reports every setting that cannot be, under the name that the user typed.
func (c *Config) Validate() error {
	v := validator{config: c}
	v.oneOf("cloud", c.Cloud, CloudAWS, CloudKWOK)
	v.oneOf("log-level", c.Log.Level, "debug", "info", "error")
	v.oneOf("preference-policy", c.Planning.Preferences, "Respect", "Ignore")
	v.oneOf("placement", c.Planning.Placement, PlacementBind, PlacementNominate, PlacementOff)
	v.notNegative("placement-hold", c.Planning.PlacementHold.Seconds())
	v.oneOf("min-values-policy", c.Planning.MinValues, "Strict", "BestEffort")

	v.serve(&c.Serve)
	v.positive("kube-client-qps", c.Kube.QPS)
	v.positive("kube-client-burst", c.Kube.Burst)
	v.notNegative("cpu-requests", float64(c.CPURequests)) // charts say 0 when nothing is requested
	v.notNegative("plan-effort", float64(c.Planning.Effort))
	v.notNegative("node-price", c.Planning.NodePrice)
	if c.Planning.PodPrice < 0 {
		v.add("%s is %v, must not be negative", v.name("consolidation-pod-price"), c.Planning.PodPrice)
	}
	if c.Planning.Payback < 0 {
		v.add("%s is %s, must not be negative", v.name("consolidation-payback"), c.Planning.Payback)
	}
	if c.Planning.MinSaving < 0 || c.Planning.MinSaving > 1 {
		v.add("%s is %v, must be from 0 to 1", v.name("consolidation-min-saving"), c.Planning.MinSaving)
	}

	for name, d := range map[string]time.Duration{
		"launch-timeout": c.Lifecycle.Launch, "registration-timeout": c.Lifecycle.Registration,
		"initialization-timeout": c.Lifecycle.Initialization,
	} {
		v.notNegative(name, d.Seconds())
	}
	v.notNegative("batch-idle-duration", c.Planning.BatchIdle.Seconds())
	if c.Planning.BatchIdle > c.Planning.BatchMax {
		v.add(
			"%s is %s, must not exceed %s (%s)",
			v.name("batch-idle-duration"),
			c.Planning.BatchIdle,
			v.name("batch-max-duration"),
			c.Planning.BatchMax,
		)
	}
	if !c.Leader.Disabled && c.Leader.Name == "" {
		v.add(
			"%s is empty, must name the lease; or set %s",
			v.name("leader-election-name"),
			v.name("disable-leader-election"),
		)
	}
	if c.Cloud == CloudAWS {
		v.aws(c.AWS)
	}
	slices.SortFunc(v.errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(v.errs...)
}

// serve is where the daemon can be asked.
func (v *validator) serve(s *Serve) {
	if s.Address != "" && net.ParseIP(s.Address) == nil {
		v.add("%s is %q, must be an IP address", v.name("listen-address"), s.Address)
	}
	v.port("metrics-port", s.MetricsPort)
	v.port("health-probe-port", s.HealthPort)
	if s.WebAddress != "" {
		if _, port, err := net.SplitHostPort(s.WebAddress); err != nil || port == "" {
			v.add("%s is %q, must be an address such as :8082 or 127.0.0.1:8082", v.name("web-address"),
				s.WebAddress)
		}
	}
	if s.MetricsPort != 0 && s.MetricsPort == s.HealthPort {
		v.add(
			"%s and %s are both %d, must differ",
			v.name("metrics-port"),
			v.name("health-probe-port"),
			s.MetricsPort,
		)
	}
}

type validator struct {
	config *Config
	errs   []error
}

// name is what the user calls a setting: what was typed, or for defaults both ways.
func (v *validator) name(flag string) string {
	if typed := v.config.origins[flag]; typed != "" {
		return typed
	}
	return fmt.Sprintf("--%s (or %s)", flag, Variable(flag))
}

func (v *validator) add(format string, args ...any) {
	v.errs = append(v.errs, fmt.Errorf(format, args...))
}

func (v *validator) oneOf(flag, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		v.add("%s is %q, must be one of %s", v.name(flag), value, strings.Join(allowed, ", "))
	}
}

func (v *validator) port(flag string, value int) {
	if value < 0 || value > 65535 {
		v.add("%s is %d, must be from 0 to 65535", v.name(flag), value)
	}
}

func (v *validator) positive(flag string, value int) {
	if value <= 0 {
		v.add("%s is %d, must be above 0", v.name(flag), value)
	}
}

func (v *validator) notNegative(flag string, value float64) {
	if value < 0 {
		v.add("%s is %v, must not be negative", v.name(flag), value)
	}
}

func (v *validator) aws(a AWS) {
	if a.ClusterName == "" {
		v.add("%s is empty: with the aws cloud it must name the EKS cluster", v.name("cluster-name"))
	}
	if a.ClusterEndpoint != "" && !strings.HasPrefix(a.ClusterEndpoint, "https://") &&
		!strings.HasPrefix(a.ClusterEndpoint, "http://") {
		v.add("%s is %q, must be a URL such as https://…", v.name("cluster-endpoint"), a.ClusterEndpoint)
	}
	v.oneOf("rebalance-action", a.RebalanceAction, RebalanceEvent, RebalanceReplace)
	v.notNegative("vm-memory-overhead-percent", a.VMMemoryOverheadPercent)
	v.notNegative("reserved-enis", float64(a.ReservedENIs))
	for flag, d := range map[string]time.Duration{
		"ami-refresh-interval": a.AMIRefreshInterval, "subnet-refresh-interval": a.SubnetRefreshInterval,
		"security-group-refresh-interval": a.SecurityGroupRefreshInterval,
	} {
		if d < time.Minute {
			v.add("%s is %s, must be at least 1m", v.name(flag), d)
		}
	}
}
