// Karpenter's controller for its kwok cloud, as `make takeover` builds it: go build -modfile reads this, nothing else does.
module github.com/dovetail-sh/dovetail

go 1.26.9

require sigs.k8s.io/karpenter v1.15.0
