module github.com/dovetail-sh/dovetail/hack/catalog

go 1.26.6

require (
	github.com/LeanerCloud/ec2-instances-info v0.0.0-00010101000000-000000000000
	github.com/aws/amazon-vpc-resource-controller-k8s v1.8.2
)

require github.com/pkg/errors v0.9.1 // indirect

replace github.com/LeanerCloud/ec2-instances-info => github.com/cristim/ec2-instances-info v0.0.0-20250528091325-32acf84f42eb
