// Package instancetype works out what a node of an EC2 instance type can hold and which
// labels it has, from what DescribeInstanceTypes says and how the EC2NodeClass sets nodes up.
//
// It is arithmetic: same input, same output, no calls. Prices, zones and what is sold out
// are package offering's.
package instancetype
