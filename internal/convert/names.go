package convert

// renamed are labels, annotations and keys of taints that have another name now.
var renamed = map[string]string{
	"karpenter.sh/do-not-evict":           "karpenter.sh/do-not-disrupt",
	"karpenter.sh/do-not-consolidate":     "karpenter.sh/do-not-disrupt",
	"karpenter.sh/provisioner-name":       "karpenter.sh/nodepool",
	"karpenter.sh/provisioner-hash":       "karpenter.sh/nodepool-hash",
	"karpenter.k8s.aws/nodetemplate-hash": "karpenter.k8s.aws/ec2nodeclass-hash",
	"karpenter.sh/disruption":             "karpenter.sh/disrupted",
}

// gone are labels that nodes no longer have, and why.
var gone = map[string]string{
	"karpenter.k8s.aws/instance-pods": "nodes no longer have the label karpenter.k8s.aws/instance-pods",
}

// nameNow is the name of a label or annotation today; false if there is none.
func nameNow(name string) (string, bool) {
	if now, ok := renamed[name]; ok {
		return now, true
	}
	return name, gone[name] == ""
}
