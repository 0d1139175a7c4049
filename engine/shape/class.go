package shape

// Class is what pods have in common that the planner must know: what they ask for,
// where they may go and what their neighbours may be. Pods that differ in nothing of
// this are one class with a count, and the planner treats them as interchangeable.
type Class struct {
	Namespace string `json:"namespace"`

	// Labels holds those labels that some selector in the cluster looks at, ascending by key.
	Labels []Label `json:"labels,omitempty"`

	// Requests is what one pod takes from a node; Requests.Pods is 1.
	Requests Vector `json:"requests"`

	// Priority orders pods when limits or reservations are short: higher first.
	Priority int32 `json:"priority,omitempty"`

	// NodeSelector must hold on the node, all of it.
	NodeSelector []Requirement `json:"nodeSelector,omitempty"`

	// NodeTerms is required node affinity: one of them must hold. Empty means no such wish;
	// a pod whose affinity has terms that can never match carries NoNode.
	NodeTerms []NodeTerm `json:"nodeTerms,omitempty"`
	NoNode    bool       `json:"noNode,omitempty"`

	PreferredNodes []PreferredNodes `json:"preferredNodes,omitempty"`
	Tolerations    []Toleration     `json:"tolerations,omitempty"`
	HostPorts      []HostPort       `json:"hostPorts,omitempty"`
	Spread         []Spread         `json:"spread,omitempty"`
	Affinity       []PodTerm        `json:"affinity,omitempty"`

	// VolumeTerms says where the pod's volumes can be reached: one of them must hold, on top of NodeTerms.
	// It is kept apart because topology spread looks at the pod's own affinity only.
	VolumeTerms []NodeTerm `json:"volumeTerms,omitempty"`
	Attach      []Attach   `json:"attach,omitempty"`

	// Untried says where nodes may still help the pod after some that were bought for it did not take it: one of the
	// terms must hold, on top of NodeTerms and VolumeTerms. Empty if nothing was bought in vain.
	Untried []NodeTerm `json:"untried,omitempty"`

	// Bindings are those volume claims of a pod about which something is still to be settled that concerns other pods
	// too, smallest claim first. VolumeTerms holds already what each of them allows by itself.
	Bindings []Binding `json:"bindings,omitempty"`

	// Claims are the pod's claims for devices, in their order. The planner does not look at them: whoever knows the
	// devices makes amounts of Requests and terms out of them.
	Claims []Claim `json:"claims,omitempty"`

	// Refused is why no node may be bought for these pods (a claim for dynamic resources, a missing
	// volume claim), one sentence. Empty for all others.
	Refused string `json:"refused,omitempty"`

	// Buffer marks pods that exist only in the plan, to keep room free.
	Buffer bool `json:"buffer,omitempty"`
}

// Claim is one claim of a pod for devices.
type Claim struct {
	Name     string `json:"name"`               // of the entry in the pod's spec
	Claim    string `json:"claim,omitempty"`    // a claim that exists by itself, of the pod's namespace
	Template string `json:"template,omitempty"` // or what the pod's own claim is made from
}

// NodeTerm is a conjunction of conditions on a node.
type NodeTerm struct {
	Labels []Requirement `json:"labels,omitempty"`
	Names  []Requirement `json:"names,omitempty"` // matchFields metadata.name: In and NotIn
}

// PreferredNodes is one term of preferred node affinity.
type PreferredNodes struct {
	Weight int32    `json:"weight"` // 1 to 100
	Term   NodeTerm `json:"term"`
}

// HostPort is a port that a pod takes on its node.
type HostPort struct {
	IP       string `json:"ip,omitempty"` // "0.0.0.0" and "" collide with every address
	Protocol string `json:"protocol"`     // TCP, UDP or SCTP
	Port     int32  `json:"port"`
}

// Collides reports whether two pods with these ports cannot share a node.
func (p HostPort) Collides(q HostPort) bool {
	if p.Protocol != q.Protocol || p.Port != q.Port {
		return false
	}
	return p.IP == q.IP || p.anyIP() || q.anyIP()
}

func (p HostPort) anyIP() bool { return p.IP == "" || p.IP == "0.0.0.0" || p.IP == "::" }

// Spread is one topology spread constraint.
type Spread struct {
	Key        string `json:"key"`
	MaxSkew    int32  `json:"maxSkew"`              // at least 1
	MinDomains int32  `json:"minDomains,omitempty"` // 0 means 1
	Hard       bool   `json:"hard"`                 // DoNotSchedule

	// Selector counts pods of the same namespace; matchLabelKeys are already merged in.
	Selector Selector `json:"selector"`

	// IgnoreAffinity counts nodes that the pod's own node selector and affinity exclude.
	IgnoreAffinity bool `json:"ignoreAffinity,omitempty"`
	// HonorTaints leaves out nodes whose taints the pod does not tolerate.
	HonorTaints bool `json:"honorTaints,omitempty"`
}

// PodTerm is one term of pod affinity or anti-affinity.
type PodTerm struct {
	Key  string `json:"key"`
	Anti bool   `json:"anti,omitempty"`

	// Weight is 0 for a required term, else 1 to 100.
	Weight int32 `json:"weight,omitempty"`

	// Namespaces ascend; namespace selectors are already resolved to names.
	Namespaces    []string `json:"namespaces,omitempty"`
	AllNamespaces bool     `json:"allNamespaces,omitempty"`

	// Selector has matchLabelKeys and mismatchLabelKeys merged in.
	Selector Selector `json:"selector"`
}

// Attach is a volume that occupies an attachment slot of a CSI driver.
type Attach struct {
	Driver string `json:"driver"`

	// Volume is set when several pods may share the volume: it then takes one slot a node.
	// Empty means each pod brings its own.
	Volume string `json:"volume,omitempty"`
}

// Binding is a volume claim that gets its volume when the first of its pods gets a node, or that only one pod may use.
type Binding struct {
	// Claim is the namespace and name of a claim that several pods may use. Empty means that each pod of the class has
	// a claim like this of its own.
	Claim string `json:"claim,omitempty"`

	// Once is set if no two pods may use the claim at a time (ReadWriteOncePod).
	Once bool `json:"once,omitempty"`

	// Slots are the volumes that are there for the claim, in the order in which they are tried. Each holds one claim.
	Slots []Slot `json:"slots,omitempty"`

	// Made is set if a volume is made for the claim when none of Slots suits the pod's node; one of Terms must then
	// hold there, if there are any.
	Made  bool       `json:"made,omitempty"`
	Terms []NodeTerm `json:"terms,omitempty"`

	// Key is the label of which the volume that is made takes the value from the node: it can be reached from nodes
	// with this value only. Empty for a volume that is reached from everywhere, or of which that is not known.
	Key string `json:"key,omitempty"`
}

// Slot is a volume that exists and is free.
type Slot struct {
	Volume string     `json:"volume"`
	Terms  []NodeTerm `json:"terms,omitempty"` // one of them must hold on a node that reaches it; empty for all nodes
}
