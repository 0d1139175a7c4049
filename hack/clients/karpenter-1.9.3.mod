// The reference's controller as `make clients` builds it: go build -modfile reads this, nothing else does.
module github.com/dovetail-sh/dovetail

go 1.26.10

require github.com/aws/karpenter-provider-aws v1.9.3

replace github.com/aws/aws-sdk-go-v2/service/timestreamwrite => github.com/aws/aws-sdk-go-v2/service/timestreamwrite v1.36.2

replace sigs.k8s.io/karpenter => sigs.k8s.io/karpenter v1.9.0
