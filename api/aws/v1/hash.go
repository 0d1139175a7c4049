package v1

import (
	"fmt"
	"strconv"

	"github.com/mitchellh/hashstructure/v2"
)

// EC2NodeClassHashVersion names the way Hash is worked out. It changes when
// the same class would get another hash, so that nodes get the new hash
// instead of drifting.
const EC2NodeClassHashVersion = "v6"

// Hash is the same for classes that launch the same instances, and is how a
// change of a class is noticed. caBundle is what nodes trust the API server
// by, base64-encoded, or empty.
//
// Selectors are left out: what they find is compared with the instance
// instead. So is the AMI family as written; the one it comes down to counts.
// Of the kubelet's configuration the text counts: another spelling of the same
// duration is another hash.
// The order of lists does not count, nor whether a field is unset or zero.
//
// The value is the same that Karpenter works out for the class, so nodes do
// not drift when the controller is swapped.
func (c *EC2NodeClass) Hash(caBundle string) string {
	sum, err := hashstructure.Hash([]any{c.Spec, c.AMIFamily(), caBundle, c.Spec.Kubelet.String()}, hashstructure.FormatV2, &hashstructure.HashOptions{
		SlicesAsSets:    true,
		IgnoreZeroValue: true,
		ZeroNil:         true,
	})
	if err != nil {
		// Depends on the types of the fields, never on their values.
		panic(fmt.Sprintf("hashing spec of EC2NodeClass %s: %v", c.Name, err))
	}
	return strconv.FormatUint(sum, 10)
}
