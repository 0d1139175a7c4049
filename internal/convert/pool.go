package convert

import (
	"cmp"
	"slices"
	"strings"
)

const (
	pools   = "karpenter.sh/v1"
	classes = "karpenter.k8s.aws/v1"
)

// metadata takes what every object has. Names that a release changed are changed; what a server wrote goes.
func metadata(f *fields) map[string]any {
	out := map[string]any{}
	m := f.below("metadata")
	if m == nil {
		f.problem(nil, "metadata", "the object has no name")
		return out
	}
	m.copies(out, "name", "generateName", "namespace", "finalizers", "ownerReferences")
	if labels := m.labels("labels"); len(labels) > 0 {
		out["labels"] = labels
	}
	if annotations := m.labels("annotations"); len(annotations) > 0 {
		out["annotations"] = annotations
	}
	m.dropped(
		"uid",
		"resourceVersion",
		"generation",
		"creationTimestamp",
		"deletionTimestamp",
		"deletionGracePeriodSeconds",
		"managedFields",
		"selfLink",
	)
	m.finish()
	return out
}

// labels takes a map of labels or annotations, with today's names.
func (f *fields) labels(name string) map[string]any {
	n := f.below(name)
	if n == nil {
		return nil
	}
	out := map[string]any{}
	for i := 0; i+1 < len(n.node.Content); i += 2 {
		key, value := n.node.Content[i], resolve(n.node.Content[i+1])
		now, ok := nameNow(key.Value)
		if !ok {
			n.problem(key, f.under(name), "%s; remove it", gone[key.Value])
			continue
		}
		switch {
		case key.Value == "kubectl.kubernetes.io/last-applied-configuration":
			continue // It holds the old object, and apply writes it anew.
		case out[now] != nil:
			n.problem(key, f.under(name), "%s and another name both mean %s now; keep one", key.Value, now)
			continue
		}
		out[now] = text(value)
	}
	return out
}

// both takes the labels and the annotations of nodes.
func (f *fields) both() map[string]any {
	out := map[string]any{}
	for _, name := range []string{"labels", "annotations"} {
		if l := f.labels(name); len(l) > 0 {
			out[name] = l
		}
	}
	return out
}

// requirements takes a list of requirements.
func (f *fields) requirements() []any {
	out := []any{}
	for _, r := range f.each("requirements") {
		to := map[string]any{}
		key := r.string("key")
		now, ok := nameNow(key)
		if !ok {
			r.problem(nil, r.under("key"), "%s; remove the requirement", gone[key])
		}
		to["key"] = now
		r.copies(to, "operator", "minValues")
		if values := r.take("values"); values != nil {
			list := []any{}
			for _, v := range values.Content {
				list = append(list, text(resolve(v)))
			}
			to["values"] = list
		}
		r.finish()
		out = append(out, to)
	}
	return out
}

// betaPool makes a NodePool of one of v1beta1.
func betaPool(f *fields) {
	out := map[string]any{"apiVersion": pools, "kind": "NodePool", "metadata": metadata(f)}
	f.dropped("apiVersion", "kind", "status")
	spec := map[string]any{}
	out["spec"] = spec
	user := f.to.add(f, out)
	s := f.below("spec")
	f.finish()
	if s == nil {
		f.problem(nil, "spec", "it is missing")
		return
	}
	s.copies(spec, "limits", "weight")
	template, inner := map[string]any{}, map[string]any{}
	template["spec"] = inner
	spec["template"] = template
	if t := s.below("template"); t != nil {
		if m := t.below("metadata"); m != nil {
			if meta := m.both(); len(meta) > 0 {
				template["metadata"] = meta
			}
			m.finish()
		}
		if in := t.below("spec"); in != nil {
			betaNode(in, inner, user)
		}
		t.finish()
	}
	betaDisruption(s, spec, inner)
	s.finish()
}

// betaNode takes what pools and claims of v1beta1 say of a node.
func betaNode(f *fields, to map[string]any, user *user) {
	f.copies(to, "taints", "startupTaints", "resources", "terminationGracePeriod", "expireAfter")
	to["requirements"] = f.requirements()
	ref := f.below("nodeClassRef")
	if ref == nil {
		f.problem(nil, f.under("nodeClassRef"), "it is missing: name an EC2NodeClass")
	} else {
		group, _, _ := strings.Cut(ref.string("apiVersion"), "/")
		to["nodeClassRef"] = map[string]any{
			"group": cmp.Or(
				ref.string("group"),
				group,
				"karpenter.k8s.aws",
			),
			"kind": cmp.Or(ref.string("kind"), "EC2NodeClass"),
			"name": ref.string("name"),
		}
		ref.finish()
	}
	user.kubelet(f, "kubelet")
	user.node = to
	f.finish()
}

func betaDisruption(s *fields, spec, inner map[string]any) {
	to := map[string]any{"consolidationPolicy": "WhenEmptyOrUnderutilized", "consolidateAfter": "0s"}
	spec["disruption"] = to
	d := s.below("disruption")
	if d == nil {
		return
	}
	if policy := d.string("consolidationPolicy"); policy != "" && policy != "WhenUnderutilized" {
		to["consolidationPolicy"] = policy
	}
	d.copies(to, "consolidateAfter", "budgets")
	if after := d.string("expireAfter"); after != "" {
		inner["expireAfter"] = after
	}
	d.finish()
}

// betaClaim makes a NodeClaim of one of v1beta1. What a server says of it goes: a claim is what a controller wrote.
func betaClaim(f *fields) {
	spec := map[string]any{}
	out := map[string]any{"apiVersion": pools, "kind": "NodeClaim", "metadata": metadata(f), "spec": spec}
	f.dropped("apiVersion", "kind", "status")
	user := f.to.add(f, out)
	if s := f.below("spec"); s != nil {
		betaNode(s, spec, user)
	}
	f.finish()
}

// provisioner makes a NodePool of a Provisioner.
func provisioner(f *fields) {
	inner := map[string]any{}
	template := map[string]any{"spec": inner}
	spec := map[string]any{"template": template}
	out := map[string]any{"apiVersion": pools, "kind": "NodePool", "metadata": metadata(f), "spec": spec}
	f.dropped("apiVersion", "kind", "status")
	user := f.to.add(f, out)
	user.node = inner
	s := f.below("spec")
	f.finish()
	if s == nil {
		f.problem(nil, "spec", "it is missing")
		return
	}
	meta := s.both()
	if len(meta) > 0 {
		template["metadata"] = meta
	}
	s.copies(spec, "weight")
	s.copies(inner, "taints", "startupTaints")
	inner["requirements"] = defaults(s, s.requirements(), meta)
	if l := s.below("limits"); l != nil {
		if resources := l.value("resources"); resources != nil {
			spec["limits"] = resources
		}
		l.finish()
	}
	user.kubelet(s, "kubeletConfiguration")
	provisionerEnds(s, spec, inner)
	provisionerClass(s, inner, text(child(child(f.node, "metadata"), "name")))
	s.finish()
}

// provisionerEnds takes when nodes go. Where a Provisioner said nothing, they stayed for ever.
func provisionerEnds(s *fields, spec, inner map[string]any) {
	to := map[string]any{"consolidationPolicy": "WhenEmpty", "consolidateAfter": "Never"}
	spec["disruption"] = to
	if after := s.string("ttlSecondsAfterEmpty"); after != "" {
		to["consolidateAfter"] = after + "s"
	}
	if c := s.below("consolidation"); c != nil {
		if c.string("enabled") == "true" {
			if to["consolidateAfter"] != "Never" {
				s.note(
					"both consolidation and ttlSecondsAfterEmpty are set, " +
						"which one release took and another refused: " +
						"consolidation counts",
				)
			}
			to["consolidationPolicy"], to["consolidateAfter"] = "WhenEmptyOrUnderutilized", "0s"
		}
		c.finish()
	}
	inner["expireAfter"] = "Never"
	if after := s.string("ttlSecondsUntilExpired"); after != "" {
		inner["expireAfter"] = after + "s"
	}
}

// provisionerClass takes how machines are made: by a template that is named, or within the Provisioner.
func provisionerClass(s *fields, inner map[string]any, name string) {
	ref, inline := s.below("providerRef"), s.below("provider")
	switch {
	case ref != nil && inline != nil:
		s.problem(inline.node, "spec.provider", "there is spec.providerRef, too; keep one of them")
		return
	case ref != nil:
		name = ref.string("name")
		ref.dropped("apiVersion", "kind")
		ref.finish()
	case inline != nil:
		inline.dropped("apiVersion", "kind")
		spec := template(inline, "provider of Provisioner "+name)
		inline.finish()
		s.to.addClass(
			s,
			map[string]any{
				"apiVersion": classes,
				"kind":       "EC2NodeClass",
				"metadata":   map[string]any{"name": name},
				"spec":       spec,
			},
		)
	default:
		s.problem(nil, "spec.providerRef", "it is missing, and spec.provider too: name an AWSNodeTemplate")
	}
	inner["nodeClassRef"] = map[string]any{"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": name}
}

// defaults adds what a Provisioner required without saying so, unless it said otherwise.
func defaults(s *fields, requirements []any, meta map[string]any) []any {
	labels, _ := meta["labels"].(map[string]any)
	said := func(keys ...string) bool {
		return slices.ContainsFunc(keys, func(key string) bool {
			return labels[key] != nil || slices.ContainsFunc(requirements, func(r any) bool {
				one, ok := r.(map[string]any)
				return ok && one["key"] == key
			})
		})
	}
	var added []string
	add := func(key, operator string, values ...any) {
		requirements = append(requirements, map[string]any{"key": key, "operator": operator, "values": values})
		added = append(added, key)
	}
	if s.to.options.IgnoreDefaults {
		return requirements
	}
	if !said("kubernetes.io/os") {
		add("kubernetes.io/os", "In", "linux")
	}
	if !said("kubernetes.io/arch") {
		add("kubernetes.io/arch", "In", "amd64")
	}
	if !said("karpenter.sh/capacity-type") {
		add("karpenter.sh/capacity-type", "In", "on-demand")
	}
	const category, generation = "karpenter.k8s.aws/instance-category", "karpenter.k8s.aws/instance-generation"
	if !said("node.kubernetes.io/instance-type", "karpenter.k8s.aws/instance-family", category, generation) {
		add(category, "In", "c", "m", "r")
		add(generation, "Gt", "2")
	}
	if len(added) > 0 {
		s.note("requirements are added that a Provisioner had without saying so: %s", strings.Join(added, ", "))
	}
	return requirements
}
