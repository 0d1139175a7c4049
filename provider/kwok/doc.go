// Package kwok is a cloud without machines: to buy one is to create a Node object, which
// the KWOK controller then keeps alive. It is for scale tests, for clusters with no cloud
// and for trying a NodePool out.
//
// It keeps nothing in memory. A machine's Node carries a name that follows from the claim's
// UID, so to launch twice is to create one Node; a machine whose Node is still to appear
// (nodeRegistrationDelay) is found through its NodeClaim. So a restart loses nothing.
package kwok
