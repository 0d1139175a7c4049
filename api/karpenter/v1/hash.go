package v1

import (
	"fmt"
	"strconv"

	"github.com/mitchellh/hashstructure/v2"
)

// NodePoolHashVersion names the way Hash is worked out. It changes when the
// same template would get another hash, so that nodes get the new hash
// instead of drifting.
const NodePoolHashVersion = "v3"

// Hash is the same for templates that make the same nodes, and is how a change
// of the template is noticed. The order of taints does not count, nor does
// whether a field is unset or zero, nor do requirements: they are compared
// with the node's labels instead.
//
// The value is the same that Karpenter works out for the template, so nodes do
// not drift when the controller is swapped.
func (p *NodePool) Hash() string {
	sum, err := hashstructure.Hash(p.Spec.Template, hashstructure.FormatV2, &hashstructure.HashOptions{
		SlicesAsSets:    true,
		IgnoreZeroValue: true,
		ZeroNil:         true,
	})
	if err != nil {
		// Depends on the types of the fields, never on their values.
		panic(fmt.Sprintf("hashing template of NodePool %s: %v", p.Name, err))
	}
	return strconv.FormatUint(sum, 10)
}
