// Package aws is the cloud that sells EC2 instances.
//
// It owns EC2NodeClass: it resolves selectors into status, says what can be launched from a
// class and for how much, buys through CreateFleet, and tells when an instance no longer is
// what its class asks for. Everything here talks to AWS through aws-sdk-go-v2; nothing else
// in the repository does.
//
// Cloud is a facade: each of its parts (parts.go) does one thing and names the parts that it needs. catalogue
// knows what could be launched and at what price, launcher buys, machines finds and ends, classes, resolver and
// validator look after EC2NodeClasses, drifter compares, inspector checks permissions. They share the account.
//
// A launch happens once. Its client token follows from the claim's UID, so a call whose
// answer was lost is answered again by EC2. Where the parameters have changed since, EC2
// refuses the token; the instance is then found by the tag that it was launched with.
package aws
