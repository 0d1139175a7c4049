package translate

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// specPath is where fields are that an error names. Paths cost more than reading most fields: they are made only for
// fields that are set.
var specPath = field.NewPath("spec")

// newClass reads everything of a pod that its class holds and that is not given.
// After an error the class is still usable: it refuses new nodes and says why.
func (in *Interner) newClass(pod *corev1.Pod, f *form, labels []shape.Label) (*shape.Class, error) {
	spec := &pod.Spec
	c := &shape.Class{
		Namespace:    f.namespace,
		Labels:       labels,
		Requests:     f.requests,
		Priority:     priorityOf(spec),
		NodeSelector: requirementsOfLabels(spec.NodeSelector, in.world.Aliases),
		HostPorts:    hostPorts(spec),
		Buffer:       f.virtual,
	}
	if v := f.volumes; v != nil {
		c.VolumeTerms, c.Attach, c.Bindings, c.Refused = v.terms, v.attach, v.bindings, v.refused
	}
	readDevices(c, spec.ResourceClaims, in.world.PlanDevices)
	err := firstError(
		func() error { return f.negative },
		func() error { return readTolerations(c, spec.Tolerations) },
		func() error { return readNodeAffinity(c, spec.Affinity, in.world.Aliases) },
		func() error { return in.readSpread(c, pod) },
		func() error { return in.readPodAffinity(c, pod) },
	)
	err = cmp.Or(f.unclear, err)
	if err != nil {
		c.Refused = err.Error()
	}
	return c, err
}

// readDevices notes claims for devices, or why the pod is refused for them if they are not planned.
func readDevices(c *shape.Class, list []corev1.PodResourceClaim, planned bool) {
	if len(list) > 0 && !planned {
		c.Refused = devicesIgnored
		return
	}
	for i := range list {
		claim := shape.Claim{Name: list[i].Name}
		if name := list[i].ResourceClaimName; name != nil {
			claim.Claim = *name
		}
		if name := list[i].ResourceClaimTemplateName; name != nil {
			claim.Template = *name
		}
		c.Claims = append(c.Claims, claim)
	}
}

// devicesIgnored begins with what Karpenter says.
const devicesIgnored = "pod has Dynamic Resource Allocation requirements that are not yet supported by Karpenter; " +
	"IGNORE_DRA_REQUESTS=false has them planned"

func firstError(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func checkRequests(at *field.Path, pod *corev1.Pod) error {
	container, name, q, found := negativeRequest(pod)
	if !found {
		return nil
	}
	return field.Invalid(
		at.Child("containers").Key(container).Child("resources", "requests").Key(string(name)),
		q.String(),
		"must not be negative",
	)
}

func hostPorts(spec *corev1.PodSpec) []shape.HostPort {
	var out []shape.HostPort
	eachHostPort(spec, func(p *corev1.ContainerPort) {
		port := shape.HostPort{IP: p.HostIP, Protocol: string(p.Protocol), Port: p.HostPort}
		if port.Protocol == "" {
			port.Protocol = string(corev1.ProtocolTCP)
		}
		if port.Port == 0 {
			port.Port = p.ContainerPort // what the API server fills in for the host's network
		}
		out = append(out, port)
	})
	slices.SortFunc(out, func(a, b shape.HostPort) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.IP, b.IP))
	})
	return slices.Compact(out)
}

func readTolerations(c *shape.Class, list []corev1.Toleration) error {
	if len(list) == 0 {
		return nil
	}
	at := specPath.Child("tolerations")
	for i := range list {
		t := &list[i]
		at := at.Index(i)
		out := shape.Toleration{Key: t.Key, Value: t.Value}
		switch t.Operator {
		case corev1.TolerationOpExists:
			out.Exists, out.Value = true, ""
		case corev1.TolerationOpEqual, "":
			if t.Key == "" {
				return field.Invalid(at.Child("operator"), t.Operator, "must be Exists when key is empty")
			}
		default:
			return field.NotSupported(at.Child("operator"), t.Operator,
				[]corev1.TolerationOperator{corev1.TolerationOpExists, corev1.TolerationOpEqual})
		}
		effect, err := effectOf(at.Child("effect"), t.Effect, true)
		if err != nil {
			return err
		}
		out.Effect = effect
		c.Tolerations = append(c.Tolerations, out)
	}
	slices.SortFunc(c.Tolerations, func(a, b shape.Toleration) int {
		return cmp.Or(
			cmp.Compare(a.Key, b.Key),
			cmp.Compare(a.Value, b.Value),
			cmp.Compare(a.Effect, b.Effect),
			compareBools(a.Exists, b.Exists),
		)
	})
	c.Tolerations = slices.Compact(c.Tolerations)
	return nil
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

func readNodeAffinity(c *shape.Class, affinity *corev1.Affinity, aliases karpenterv1.LabelAliases) error {
	if affinity == nil || affinity.NodeAffinity == nil {
		return nil
	}
	at := specPath.Child("affinity", "nodeAffinity")
	if required := affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution; required != nil {
		at := at.Child("requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
		if len(required.NodeSelectorTerms) == 0 {
			return field.Required(at, "must have at least one term")
		}
		for i := range required.NodeSelectorTerms {
			term, ok, err := nodeTermOf(at.Index(i), &required.NodeSelectorTerms[i], aliases)
			if err != nil {
				return err
			}
			if ok {
				c.NodeTerms = append(c.NodeTerms, term)
			}
		}
		c.NoNode = len(c.NodeTerms) == 0
	}
	at = at.Child("preferredDuringSchedulingIgnoredDuringExecution")
	for i := range affinity.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
		p := &affinity.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution[i]
		if err := checkWeight(at.Index(i), p.Weight); err != nil {
			return err
		}
		term, ok, err := nodeTermOf(at.Index(i).Child("preference"), &p.Preference, aliases)
		if err != nil {
			return err
		}
		if ok {
			c.PreferredNodes = append(c.PreferredNodes, shape.PreferredNodes{Weight: p.Weight, Term: term})
		}
	}
	return nil
}

func checkWeight(at *field.Path, weight int32) error {
	if weight < 1 || weight > 100 {
		return field.Invalid(at.Child("weight"), weight, "must be in the range 1 to 100")
	}
	return nil
}

func (in *Interner) readSpread(c *shape.Class, pod *corev1.Pod) error {
	if len(pod.Spec.TopologySpreadConstraints) == 0 {
		return nil
	}
	at := specPath.Child("topologySpreadConstraints")
	for i := range pod.Spec.TopologySpreadConstraints {
		s := &pod.Spec.TopologySpreadConstraints[i]
		at := at.Index(i)
		if err := checkSpread(at, s); err != nil {
			return err
		}
		selector, err := selectorOf(at, "labelSelector", s.LabelSelector)
		if err != nil {
			return err
		}
		c.Spread = append(c.Spread, in.spreadOf(s, mergeKeys(selector, pod.Labels, s.MatchLabelKeys, shape.In)))
	}
	return nil
}

// addDefaults adds the constraints that kube-scheduler puts on pods that have none.
func (in *Interner) addDefaults(c *shape.Class, deduced []shape.Requirement) {
	if len(deduced) == 0 {
		return
	}
	for i := range in.world.Defaults {
		c.Spread = append(c.Spread, in.spreadOf(&in.world.Defaults[i], shape.Selector{Requirements: deduced}))
	}
}

func checkSpread(at *field.Path, s *corev1.TopologySpreadConstraint) error {
	switch {
	case s.MaxSkew < 1:
		return field.Invalid(at.Child("maxSkew"), s.MaxSkew, "must be greater than zero")
	case s.TopologyKey == "":
		return field.Required(at.Child("topologyKey"), "must not be empty")
	case s.WhenUnsatisfiable != corev1.DoNotSchedule && s.WhenUnsatisfiable != corev1.ScheduleAnyway:
		return field.NotSupported(at.Child("whenUnsatisfiable"), s.WhenUnsatisfiable,
			[]corev1.UnsatisfiableConstraintAction{corev1.DoNotSchedule, corev1.ScheduleAnyway})
	case s.MinDomains != nil && *s.MinDomains < 1:
		return field.Invalid(at.Child("minDomains"), *s.MinDomains, "must be greater than zero")
	}
	return nil
}

func (in *Interner) spreadOf(s *corev1.TopologySpreadConstraint, selector shape.Selector) shape.Spread {
	out := shape.Spread{
		Key:            in.world.Aliases.Normalize(s.TopologyKey),
		MaxSkew:        s.MaxSkew,
		Hard:           s.WhenUnsatisfiable == corev1.DoNotSchedule,
		Selector:       selector,
		IgnoreAffinity: s.NodeAffinityPolicy != nil && *s.NodeAffinityPolicy == corev1.NodeInclusionPolicyIgnore,
		HonorTaints:    s.NodeTaintsPolicy != nil && *s.NodeTaintsPolicy == corev1.NodeInclusionPolicyHonor,
	}
	if s.MinDomains != nil {
		out.MinDomains = *s.MinDomains
	}
	return out
}

// mergeKeys adds, for each key that the pod has a label of, a requirement on that label's value.
func mergeKeys(s shape.Selector, labels map[string]string, keys []string, op shape.Operator) shape.Selector {
	if s.Nothing || len(keys) == 0 {
		return s
	}
	for _, key := range keys {
		if value, ok := labels[key]; ok {
			s.Requirements = append(
				s.Requirements,
				shape.Requirement{Key: key, Operator: op, Values: []string{value}},
			)
		}
	}
	s.Requirements = sortRequirements(s.Requirements)
	return s
}

func (in *Interner) readPodAffinity(c *shape.Class, pod *corev1.Pod) error {
	if pod.Spec.Affinity == nil {
		return nil
	}
	at := specPath.Child("affinity")
	if p := pod.Spec.Affinity.PodAffinity; p != nil {
		err := in.readPodTerms(c, at.Child("podAffinity"), pod, false,
			p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution)
		if err != nil {
			return err
		}
	}
	if p := pod.Spec.Affinity.PodAntiAffinity; p != nil {
		return in.readPodTerms(c, at.Child("podAntiAffinity"), pod, true,
			p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	return nil
}

func (in *Interner) readPodTerms(c *shape.Class, at *field.Path, pod *corev1.Pod, anti bool,
	required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm,
) error {
	for i := range required {
		term, err := in.podTerm(
			at.Child("requiredDuringSchedulingIgnoredDuringExecution").Index(i),
			pod,
			&required[i],
		)
		if err != nil {
			return err
		}
		term.Anti = anti
		c.Affinity = append(c.Affinity, term)
	}
	for i := range preferred {
		at := at.Child("preferredDuringSchedulingIgnoredDuringExecution").Index(i)
		if err := checkWeight(at, preferred[i].Weight); err != nil {
			return err
		}
		term, err := in.podTerm(at.Child("podAffinityTerm"), pod, &preferred[i].PodAffinityTerm)
		if err != nil {
			return err
		}
		term.Anti, term.Weight = anti, preferred[i].Weight
		c.Affinity = append(c.Affinity, term)
	}
	return nil
}

func (in *Interner) podTerm(at *field.Path, pod *corev1.Pod, t *corev1.PodAffinityTerm) (shape.PodTerm, error) {
	out := shape.PodTerm{Key: in.world.Aliases.Normalize(t.TopologyKey)}
	if t.TopologyKey == "" {
		return out, field.Required(at.Child("topologyKey"), "must not be empty")
	}
	selector, err := selectorOf(at, "labelSelector", t.LabelSelector)
	if err != nil {
		return out, err
	}
	selector = mergeKeys(selector, pod.Labels, t.MatchLabelKeys, shape.In)
	out.Selector = mergeKeys(selector, pod.Labels, t.MismatchLabelKeys, shape.NotIn)
	out.Namespaces, out.AllNamespaces, err = in.namespacesOf(at, pod, t)
	return out, err
}

// namespacesOf resolves which namespaces a term looks at: those listed and those selected, else the pod's own.
func (in *Interner) namespacesOf(
	at *field.Path,
	pod *corev1.Pod,
	t *corev1.PodAffinityTerm,
) (names []string, all bool, err error) {
	if t.NamespaceSelector == nil && len(t.Namespaces) == 0 {
		return []string{pod.Namespace}, false, nil
	}
	if t.NamespaceSelector != nil &&
		len(t.NamespaceSelector.MatchLabels)+len(t.NamespaceSelector.MatchExpressions) == 0 {
		return nil, true, nil
	}
	names = slices.Clone(t.Namespaces)
	if t.NamespaceSelector != nil {
		in.selectsNamespaces = true
		if _, err := selectorOf(at, "namespaceSelector", t.NamespaceSelector); err != nil {
			return nil, false, err
		}
		selector, err := metav1.LabelSelectorAsSelector(t.NamespaceSelector)
		if err != nil {
			return nil, false, field.Invalid(
				at.Child("namespaceSelector"),
				metav1.FormatLabelSelector(t.NamespaceSelector),
				err.Error(),
			)
		}
		for name, labels := range in.world.Namespaces {
			if selector.Matches(labelSet(labels)) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), false, nil
}
