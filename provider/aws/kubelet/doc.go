// Package kubelet reads what an EC2NodeClass sets of the kubelet's configuration: it checks it as the kubelet would,
// for the AMI family, and works out expressions for an instance type.
//
// It is a function of its input, but for a memory of compiled expressions. The names of reasons and what counts as
// wrong are Karpenter's; so are the variables of expressions and the units of their results.
package kubelet
