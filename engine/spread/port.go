package spread

import (
	"fmt"

	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// bindPorts treats a host port as anti-affinity by hostname to pods that have a port in its way.
func (b *ruleBuilder) bindPorts(i int, c *feasible.Class) {
	for k := range c.HostPorts {
		port := c.HostPorts[k]
		text := fmt.Sprintf("port %q %q %d", port.IP, port.Protocol, port.Port)
		at := b.tally(text, shape.LabelHostname, func() Tally { return Tally{port: &port, ending: true} })
		b.rule(i, c, Rule{Kind: Apart, Tally: at, Port: fmt.Sprintf("%s/%d", port.Protocol, port.Port)})
	}
}
