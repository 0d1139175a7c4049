// Upstream compares two versions of Karpenter's modules in what a user can see of them: fields of the kinds, flags,
// environment variables, feature gates, metrics, events, conditions, labels, annotations, taints, values and rights of
// the chart, calls that IAM must allow, and the specs of the test suites. It writes the differences as a Markdown
// table.
//
//	go run . -from v1.14.1 -to v1.15.0                       # the core
//	go run . -module aws -from v1.14.1 -to v1.15.2           # the AWS provider
//
// The modules come through the go command, and are read and never built. What is found is what stands in the source as
// a literal, a constant or a composition of these; names that are made at run time are not.
package main
