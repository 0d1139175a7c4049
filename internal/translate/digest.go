package translate

import (
	"hash/maphash"
	"math/bits"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// digest sums up those fields of a pod that make its class. It reads them where they are:
// building a key out of text would cost more than all the rest of a translation.
type digest struct {
	seed maphash.Seed
	sum  uint64
}

func (d *digest) word(x uint64) {
	d.sum = bits.RotateLeft64((d.sum^x)*0x9e3779b97f4a7c15, 29)
}

func (d *digest) text(s string) { d.word(maphash.String(d.seed, s)) }

func (d *digest) flag(b bool) {
	if b {
		d.word(1)
		return
	}
	d.word(2)
}

func (d *digest) texts(list []string) {
	d.word(uint64(len(list)))
	for _, s := range list {
		d.text(s)
	}
}

// pair is the sum of one entry of a map. Sums of entries are added up, for maps have no order.
func (d *digest) pair(key, value string) uint64 {
	return bits.RotateLeft64(maphash.String(d.seed, key), 17) * (maphash.String(d.seed, value) | 1)
}

func (d *digest) pairs(m map[string]string) {
	var all uint64
	for k, v := range m {
		all += d.pair(k, v)
	}
	d.word(uint64(len(m)))
	d.word(all)
}

func (d *digest) vector(v *shape.Vector) {
	d.word(uint64(v.CPU))
	d.word(uint64(v.Memory))
	d.word(uint64(v.Ephemeral))
	for i := range v.Extended {
		d.text(v.Extended[i].Resource)
		d.word(uint64(v.Extended[i].Value))
	}
}

func (d *digest) spec(s *corev1.PodSpec) {
	d.word(uint64(priorityOf(s)))
	d.word(uint64(len(s.ResourceClaims)))
	for i := range s.ResourceClaims {
		c := &s.ResourceClaims[i]
		d.text(c.Name)
		for _, name := range [...]*string{c.ResourceClaimName, c.ResourceClaimTemplateName} {
			d.flag(name != nil)
			if name != nil {
				d.text(*name)
			}
		}
	}
	if len(s.NodeSelector) > 0 {
		d.pairs(s.NodeSelector)
	}
	d.word(uint64(len(s.Tolerations)))
	for i := range s.Tolerations {
		t := &s.Tolerations[i]
		d.text(t.Key)
		d.text(string(t.Operator))
		d.text(t.Value)
		d.text(string(t.Effect))
	}
	d.word(uint64(len(s.TopologySpreadConstraints)))
	for i := range s.TopologySpreadConstraints {
		d.spread(&s.TopologySpreadConstraints[i])
	}
	if s.Affinity != nil {
		d.affinity(s.Affinity)
	}
	eachHostPort(s, func(p *corev1.ContainerPort) {
		d.word(uint64(p.HostPort))
		d.text(p.HostIP)
		d.text(string(p.Protocol))
	})
}

func (d *digest) spread(c *corev1.TopologySpreadConstraint) {
	d.text(c.TopologyKey)
	d.word(uint64(c.MaxSkew))
	d.word(uint64(len(c.WhenUnsatisfiable)))
	d.selector(c.LabelSelector)
	d.flag(c.MinDomains != nil)
	if c.MinDomains != nil {
		d.word(uint64(*c.MinDomains))
	}
	d.flag(c.NodeAffinityPolicy != nil)
	if c.NodeAffinityPolicy != nil {
		d.text(string(*c.NodeAffinityPolicy))
	}
	if c.NodeTaintsPolicy != nil {
		d.text(string(*c.NodeTaintsPolicy))
	}
	d.texts(c.MatchLabelKeys)
}

func (d *digest) selector(s *metav1.LabelSelector) {
	d.flag(s == nil)
	if s == nil {
		return
	}
	d.pairs(s.MatchLabels)
	for i := range s.MatchExpressions {
		e := &s.MatchExpressions[i]
		d.text(e.Key)
		d.text(string(e.Operator))
		d.texts(e.Values)
	}
}

func (d *digest) affinity(a *corev1.Affinity) {
	if n := a.NodeAffinity; n != nil {
		d.word(4)
		d.flag(n.RequiredDuringSchedulingIgnoredDuringExecution != nil)
		if r := n.RequiredDuringSchedulingIgnoredDuringExecution; r != nil {
			d.word(uint64(len(r.NodeSelectorTerms)))
			for i := range r.NodeSelectorTerms {
				d.nodeTerm(&r.NodeSelectorTerms[i])
			}
		}
		for i := range n.PreferredDuringSchedulingIgnoredDuringExecution {
			p := &n.PreferredDuringSchedulingIgnoredDuringExecution[i]
			d.word(uint64(p.Weight))
			d.nodeTerm(&p.Preference)
		}
	}
	if p := a.PodAffinity; p != nil {
		d.word(5)
		d.podTerms(p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if p := a.PodAntiAffinity; p != nil {
		d.word(3)
		d.podTerms(p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution)
	}
}

func (d *digest) nodeTerm(t *corev1.NodeSelectorTerm) {
	for _, list := range [2][]corev1.NodeSelectorRequirement{t.MatchExpressions, t.MatchFields} {
		d.word(uint64(len(list)))
		for i := range list {
			d.text(list[i].Key)
			d.text(string(list[i].Operator))
			d.texts(list[i].Values)
		}
	}
}

func (d *digest) podTerms(required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm) {
	d.word(uint64(len(required)))
	for i := range required {
		d.podTerm(&required[i])
	}
	d.word(uint64(len(preferred)))
	for i := range preferred {
		d.word(uint64(preferred[i].Weight))
		d.podTerm(&preferred[i].PodAffinityTerm)
	}
}

func (d *digest) podTerm(t *corev1.PodAffinityTerm) {
	d.text(t.TopologyKey)
	d.texts(t.Namespaces)
	d.selector(t.LabelSelector)
	d.selector(t.NamespaceSelector)
	d.texts(t.MatchLabelKeys)
	d.texts(t.MismatchLabelKeys)
}

func (d *digest) volumes(n *volumeNeeds) {
	if n == nil {
		return
	}
	d.text(n.refused)
	for i := range n.attach {
		d.text(n.attach[i].Driver)
		d.text(n.attach[i].Volume)
	}
	d.terms(n.terms)
	for i := range n.bindings {
		b := &n.bindings[i]
		d.text(b.Claim)
		d.text(b.Key)
		d.flag(b.Once)
		d.flag(b.Made)
		d.terms(b.Terms)
		for k := range b.Slots {
			d.text(b.Slots[k].Volume)
		}
	}
}

func (d *digest) terms(list []shape.NodeTerm) {
	d.word(uint64(len(list)))
	for i := range list {
		for _, reqs := range [2][]shape.Requirement{list[i].Labels, list[i].Names} {
			d.requirements(reqs)
		}
	}
}

func priorityOf(s *corev1.PodSpec) int32 {
	if s.Priority == nil {
		return 0
	}
	return *s.Priority
}

// eachHostPort calls f for every port that the pod takes on its node. Init containers are gone
// before the pod runs, except sidecars.
func eachHostPort(s *corev1.PodSpec, f func(*corev1.ContainerPort)) {
	for i := range s.Containers {
		ports := s.Containers[i].Ports
		for k := range ports {
			if ports[k].HostPort > 0 || s.HostNetwork {
				f(&ports[k])
			}
		}
	}
	for i := range s.InitContainers {
		if !sidecar(&s.InitContainers[i]) {
			continue
		}
		ports := s.InitContainers[i].Ports
		for k := range ports {
			if ports[k].HostPort > 0 || s.HostNetwork {
				f(&ports[k])
			}
		}
	}
}

func sidecar(c *corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}
