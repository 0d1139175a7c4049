package cluster

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are drawn below the range that Linux and macOS hand out for outgoing
// connections (from 32768 up), so that no client on the machine takes one in
// the moment between our look and the part's own bind.
const (
	lowestPort  = 20000
	highestPort = 32000
)

// freePorts returns n different ports on which nobody listens on loopback now.
// Two clusters that start in the same instant can still draw the same port;
// Start then tries again with others.
func freePorts(n int) ([]int, error) {
	taken := make(map[int]bool, n)
	ports := make([]int, 0, n)
	for range 100 * n {
		port := lowestPort + rand.IntN(highestPort-lowestPort)
		if taken[port] {
			continue
		}
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			continue
		}
		taken[port] = true
		ports = append(ports, port)
		if len(ports) == n {
			return ports, nil
		}
	}
	return nil, errors.New("finding free ports: none between 20000 and 32000 on 127.0.0.1; stop what listens there")
}
