package admissionoracle

import (
	"fmt"
	"math/rand/v2"
	"slices"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// dice draw everything that is random. Equal seeds draw equal objects.
type dice struct{ *rand.Rand }

func newDice(seed uint64) dice { return dice{rand.New(rand.NewPCG(seed, 0xAD317))} }

// percent is true in so many of a hundred cases.
func (d dice) percent(n int) bool { return d.IntN(100) < n }

func pick[T any](d dice, from ...T) T { return from[d.IntN(len(from))] }

const device = "example.com/card"

// amounts ascend, by resource.
var amounts = map[corev1.ResourceName][]string{
	corev1.ResourceCPU:                     {"50m", "100m", "250m", "500m", "1", "1500m", "2", "4"},
	corev1.ResourceMemory:                  {"64Mi", "200M", "256Mi", "1Gi", "1500Mi", "2Gi", "4Gi"},
	corev1.ResourceEphemeralStorage:        {"100Mi", "1Gi", "5Gi", "20Gi"},
	corev1.ResourceHugePagesPrefix + "2Mi": {"64Mi", "128Mi"},
	device:                                 {"1", "2"},
}

func (d dice) amount(name corev1.ResourceName) resource.Quantity {
	return resource.MustParse(pick(d, amounts[name]...))
}

// ascending are n amounts of a resource in order.
func (d dice) ascending(name corev1.ResourceName, n int) []resource.Quantity {
	at := make([]int, n)
	for i := range at {
		at[i] = d.IntN(len(amounts[name]))
	}
	slices.Sort(at)
	out := make([]resource.Quantity, n)
	for i := range at {
		out[i] = resource.MustParse(amounts[name][at[i]])
	}
	return out
}

// resources are requests and limits; one in a hundred has a request beyond its limit.
func (d dice) resources(names ...corev1.ResourceName) corev1.ResourceRequirements {
	var out corev1.ResourceRequirements
	put := func(list *corev1.ResourceList, name corev1.ResourceName, q resource.Quantity) {
		if *list == nil {
			*list = corev1.ResourceList{}
		}
		(*list)[name] = q
	}
	for _, name := range names {
		two := d.ascending(name, 2)
		if d.percent(1) {
			two[0], two[1] = two[1], two[0]
		}
		if name == device || name == corev1.ResourceHugePagesPrefix+"2Mi" {
			if d.percent(90) {
				two[1] = two[0]
			}
			if !d.percent(12) {
				continue
			}
		}
		asks, limits := d.percent(45), d.percent(45)
		if asks {
			put(&out.Requests, name, two[0])
		}
		if limits {
			put(&out.Limits, name, two[1])
		}
	}
	return out
}

func (d dice) container(name string) corev1.Container {
	c := corev1.Container{Name: name, Image: "pause:3", Resources: d.resources(
		corev1.ResourceCPU,
		corev1.ResourceMemory,
		corev1.ResourceEphemeralStorage,
		corev1.ResourceHugePagesPrefix+"2Mi",
		device,
	)}
	if d.percent(25) {
		port := corev1.ContainerPort{
			ContainerPort: int32(8000 + d.IntN(900)),
			Protocol:      pick(d, "", corev1.ProtocolTCP, corev1.ProtocolUDP),
		}
		if d.percent(30) {
			port.HostPort = port.ContainerPort
		}
		c.Ports = []corev1.ContainerPort{port}
	}
	return c
}

const team = "example.com/team"

func (d dice) toleration() corev1.Toleration {
	seconds := int64(pick(d, 0, 60, 300, 900))
	return pick(
		d,
		corev1.Toleration{Operator: corev1.TolerationOpExists},
		corev1.Toleration{Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute},
		corev1.Toleration{Key: team, Operator: corev1.TolerationOpExists},
		corev1.Toleration{Key: team, Value: "red"},
		corev1.Toleration{
			Key:      team,
			Operator: corev1.TolerationOpEqual,
			Value:    "red",
			Effect:   corev1.TaintEffectNoSchedule,
		},
		corev1.Toleration{
			Key:               team,
			Operator:          corev1.TolerationOpExists,
			Effect:            corev1.TaintEffectNoExecute,
			TolerationSeconds: &seconds,
		},
		corev1.Toleration{
			Key:               corev1.TaintNodeNotReady,
			Operator:          corev1.TolerationOpExists,
			Effect:            corev1.TaintEffectNoExecute,
			TolerationSeconds: &seconds,
		},
		corev1.Toleration{Key: corev1.TaintNodeUnreachable, Operator: corev1.TolerationOpExists},
		corev1.Toleration{
			Key:      corev1.TaintNodeNotReady,
			Operator: corev1.TolerationOpExists,
			Effect:   corev1.TaintEffectNoSchedule,
		},
	)
}

// spec is a pod's, or a template's.
func (d dice) spec() corev1.PodSpec {
	spec := corev1.PodSpec{Containers: []corev1.Container{d.container("main")}}
	if d.percent(30) {
		spec.Containers = append(spec.Containers, d.container("beside"))
	}
	for i := range pick(d, 0, 0, 1, 2) {
		c := d.container(fmt.Sprintf("init-%d", i))
		if d.percent(40) {
			always := corev1.ContainerRestartPolicyAlways
			c.RestartPolicy = &always
		}
		spec.InitContainers = append(spec.InitContainers, c)
	}
	if d.percent(20) {
		whole := d.resources(corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceHugePagesPrefix+"2Mi")
		spec.Resources = &whole
	}
	if d.percent(25) {
		name := pick(
			d,
			"plain",
			"plain",
			"heavy",
			"heavy",
			"heavy",
			"sandbox",
			"sandbox",
			"sandbox",
			"picky",
			"picky",
			"picky",
			"gone",
		)
		spec.RuntimeClassName = &name
	}
	if d.percent(30) {
		spec.PriorityClassName = pick(
			d,
			"high",
			"high",
			"low",
			"low",
			"patient",
			"patient",
			"patient",
			"system-node-critical",
			"gone",
		)
	}
	if d.percent(2) {
		value := pick[int32](d, 10, 1000)
		spec.Priority = &value
	}
	if d.percent(2) {
		policy := pick(d, corev1.PreemptNever, corev1.PreemptLowerPriority)
		spec.PreemptionPolicy = &policy
	}
	for range pick(d, 0, 0, 0, 1, 2, 3) {
		spec.Tolerations = append(spec.Tolerations, d.toleration())
	}
	d.whereabouts(&spec)
	return spec
}

// whereabouts draws what a spec says about nodes and neighbours.
func (d dice) whereabouts(spec *corev1.PodSpec) {
	if d.percent(30) {
		spec.NodeSelector = map[string]string{pick(d, team, "example.com/sandbox", "disk"): pick(d, "red", "blue")}
	}
	if d.percent(10) {
		spec.HostNetwork = true
	}
	if d.percent(8) {
		spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "example.com/later"}}
	}
	if d.percent(2) {
		spec.Overhead = corev1.ResourceList{corev1.ResourceCPU: d.amount(corev1.ResourceCPU)}
	}
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "drawn"}}
	keys := pick(d, nil, []string{"pod-template-hash"}, []string{"app.kubernetes.io/part"})
	if d.percent(20) {
		spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{
			{
				MaxSkew:           1,
				TopologyKey:       corev1.LabelTopologyZone,
				WhenUnsatisfiable: corev1.DoNotSchedule,
				LabelSelector:     selector,
				MatchLabelKeys:    keys,
			},
		}
	}
	if d.percent(15) {
		spec.Affinity = &corev1.Affinity{
			PodAntiAffinity: &corev1.PodAntiAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
					{TopologyKey: corev1.LabelHostname, LabelSelector: selector, MatchLabelKeys: keys}},
			},
		}
	}
}

// Classes are the RuntimeClasses and PriorityClasses of the cluster that drawn pods are for.
func Classes() []client.Object { return classes() }

// Pod draws a pod that no server has seen, and the LimitRanges of its namespace; a server need not accept any of them.
func Pod(seed uint64, namespace string) (*corev1.Pod, []*corev1.LimitRange) {
	d := newDice(seed)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "drawn"}, Spec: d.spec()}
	var ranges []*corev1.LimitRange
	for _, o := range d.surroundings() {
		o.SetNamespace(namespace)
		ranges = append(ranges, o.(*corev1.LimitRange))
	}
	return pod, ranges
}

// classes are what the whole run shares: there is one global default in a cluster.
func classes() []client.Object {
	runtime := func(name string, overhead corev1.ResourceList, scheduling *nodev1.Scheduling) client.Object {
		c := &nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Handler: name, Scheduling: scheduling}
		if overhead != nil {
			c.Overhead = &nodev1.Overhead{PodFixed: overhead}
		}
		return c
	}
	priority := func(name string, value int32, global bool, policy *corev1.PreemptionPolicy) client.Object {
		return &schedulingv1.PriorityClass{
			ObjectMeta:       metav1.ObjectMeta{Name: name},
			Value:            value,
			GlobalDefault:    global,
			PreemptionPolicy: policy,
		}
	}
	seconds := int64(60)
	never := corev1.PreemptNever
	return []client.Object{
		runtime("plain", nil, nil),
		runtime(
			"heavy",
			corev1.ResourceList{
				corev1.ResourceCPU:    resource.MustParse("250m"),
				corev1.ResourceMemory: resource.MustParse("120Mi"),
			},
			nil,
		),
		runtime(
			"sandbox",
			corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("160Mi")},
			&nodev1.Scheduling{
				NodeSelector: map[string]string{"example.com/sandbox": "blue"},
				Tolerations: []corev1.Toleration{
					{Key: team, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule},
					{
						Key:               corev1.TaintNodeUnreachable,
						Operator:          corev1.TolerationOpExists,
						Effect:            corev1.TaintEffectNoExecute,
						TolerationSeconds: &seconds,
					},
				},
			},
		),
		runtime("picky", nil, &nodev1.Scheduling{
			NodeSelector: map[string]string{team: "red"},
			Tolerations: []corev1.Toleration{
				{Key: team, Operator: corev1.TolerationOpEqual, Value: "red", Effect: corev1.TaintEffectNoExecute},
			},
		}),
		priority("high", 1000, false, nil),
		priority("low", -5, false, nil),
		priority("patient", 500, false, &never),
		priority("usual", 10, true, nil),
	}
}

// limitRange says something about one resource.
func (d dice) limitRange(name string, of corev1.ResourceName) *corev1.LimitRange {
	four := d.ascending(of, 4)
	item := corev1.LimitRangeItem{Type: corev1.LimitTypeContainer}
	one := func(list *corev1.ResourceList, q resource.Quantity, percent int) {
		if d.percent(percent) {
			*list = corev1.ResourceList{of: q}
		}
	}
	one(&item.Min, four[0], 35)
	one(&item.DefaultRequest, four[1], 35)
	one(&item.Default, four[2], 35)
	one(&item.Max, four[3], 45)
	if item.Min == nil || item.Max == nil {
		one(&item.MaxLimitRequestRatio, resource.MustParse(pick(d, "2", "4")), 15)
	}
	l := &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Name: name}}
	l.Spec.Limits = []corev1.LimitRangeItem{item}
	if d.percent(20) {
		two := d.ascending(of, 2)
		whole := corev1.LimitRangeItem{Type: corev1.LimitTypePod}
		one(&whole.Min, two[0], 40)
		one(&whole.Max, two[1], 60)
		l.Spec.Limits = append(l.Spec.Limits, whole)
	}
	return l
}

// surroundings are what stands in a namespace before anything else. No two LimitRanges are about the same resource: the
// order in which a server takes them cannot be known.
func (d dice) surroundings() []client.Object {
	var out []client.Object
	for _, of := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory,
		corev1.ResourceEphemeralStorage} {
		if d.percent(25) {
			out = append(out, d.limitRange("about-"+string(of), of))
		}
	}
	return out
}
