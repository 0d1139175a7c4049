// Package promises remembers what the controller has promised itself and no watch shows yet: which claims are about to
// appear, which pods are planned onto which node or claim, and which bindings are on their way.
//
// A pod has at most one promise at a time: it is planned somewhere, or its binding was sent, or neither. A promise ends
// when somebody says so, or by itself when its time is over; it is never lost in another way and never counts twice.
//
// The package knows names only, no objects and no clock. It does not decide who may be planned where, and it is not
// safe for concurrent use.
package promises
