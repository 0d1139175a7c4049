package provider

import (
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Sells reports whether any offering satisfies all requirements, sold out or not.
func Sells(types []*shape.InstanceType, reqs []shape.Requirement) bool {
	wanted := require.New(reqs)
	for _, t := range types {
		unmet := unmetBy(t, wanted)
		for i := range t.Offerings {
			if offeringSuits(&t.Offerings[i], wanted, unmet) {
				return true
			}
		}
	}
	return false
}
