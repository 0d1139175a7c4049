// Package consistency looks for contradictions between a NodeClaim and its Node that nobody
// else would notice, and says them in the condition ConsistentStateFound. It repairs nothing.
package consistency
