package awssim_test

import (
	"testing"

	"github.com/dovetail-sh/dovetail/awssim/world"
)

// limitSubnets leaves each subnet so many addresses.
func (a *account) limitSubnets(t *testing.T, free int) {
	t.Helper()
	err := a.World().Do(func(s *world.State) error {
		for _, n := range s.Subnets {
			n.Limit(free)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
