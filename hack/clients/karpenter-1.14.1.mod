// The reference's controller as `make clients` builds it: go build -modfile reads this, nothing else does.
module github.com/dovetail-sh/dovetail

go 1.26.6

require github.com/aws/karpenter-provider-aws v1.14.1

replace sigs.k8s.io/karpenter => sigs.k8s.io/karpenter v1.14.1
