// Package aws is the cloud that sells EC2 instances.
//
// It owns EC2NodeClass: it resolves selectors into status, says what can be launched from a
// class and for how much, buys through CreateFleet, and tells when an instance no longer is
// what its class asks for. Everything here talks to AWS through aws-sdk-go-v2; nothing else
// in the repository does.
//
// A launch happens once. Its client token follows from the claim's UID, so a call whose
// answer was lost is answered again by EC2. Where the parameters have changed since, EC2
// refuses the token; the instance is then found by the tag that it was launched with.
package aws
