// Package provider is the contract between Dovetail and a cloud: what it sells, how
// machines are bought, found and given back, and which errors mean what.
//
// A cloud implements Cloud and passes providertest, the conformance suite; a promise
// that is written here is a named test there. Clouds know nothing of plans, nodes'
// pods or disruption, and they never write NodeClaims: whoever calls them does.
// Which offerings suit a claim is decided once for all clouds, by Candidates.
package provider
