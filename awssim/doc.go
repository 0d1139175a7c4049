// Package awssim is an AWS on loopback: one account in one region that speaks
// the real wire protocols of EC2, SSM, Pricing, IAM, EKS, STS and SQS, so that
// unchanged AWS clients work with only their endpoint set (AWS_ENDPOINT_URL).
//
// Its instances boot by reading their own user data: a Node appears in the
// cluster only if that user data, with the instance's role, would really have
// joined it. A clock moves everything, so a test that owns the clock owns the
// cloud. Everything random comes from one seed.
//
// It shares no code with the provider that it is there to test. It refuses
// what it does not model; it never pretends.
package awssim
