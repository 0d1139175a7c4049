// Package providertest is the conformance suite of provider.Cloud: each promise of the
// contract is a test that carries the promise as its name. A cloud runs it in its own
// tests, against whatever stands in for the real thing.
package providertest
