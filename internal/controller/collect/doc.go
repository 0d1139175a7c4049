// Package collect finds what lost its other half: machines whose claim is gone are given back,
// and claims whose machine is gone are deleted.
//
// It never touches a machine that the cloud does not list as this cluster's, nor one that is
// so young that its claim may not have been seen yet.
package collect
