package admission

import (
	"cmp"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	resources "k8s.io/component-helpers/resource"
)

// checkContainers refuses containers without a name of their own, and what they cannot ask for.
func checkContainers(spec *corev1.PodSpec) error {
	if len(spec.Containers) == 0 {
		return field.Required(specPath.Child("containers"), "a pod has at least one")
	}
	seen := map[string]bool{}
	lists := map[string][]corev1.Container{"initContainers": spec.InitContainers, "containers": spec.Containers}
	for _, name := range []string{"containers", "initContainers"} {
		for i := range lists[name] {
			c, at := &lists[name][i], specPath.Child(name).Index(i)
			if err := checkName(at.Child("name"), c.Name, seen); err != nil {
				return err
			}
			if err := checkResources(at.Child("resources"), &c.Resources, false); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkName(at *field.Path, name string, seen map[string]bool) error {
	switch wrong := validation.IsDNS1123Label(name); {
	case name == "":
		return field.Required(at, "")
	case len(wrong) > 0:
		return field.Invalid(at, name, wrong[0])
	case seen[name]:
		return field.Duplicate(at, name)
	}
	seen[name] = true
	return nil
}

// checkResources refuses names that are no resources, and parts of what cannot be divided. Of a pod as a whole only
// some can be asked for.
func checkResources(at *field.Path, r *corev1.ResourceRequirements, whole bool) error {
	for child, list := range map[string]corev1.ResourceList{"limits": r.Limits, "requests": r.Requests} {
		for _, name := range sorted(list) {
			q, at := list[name], at.Child(child).Key(string(name))
			switch {
			case !isResource(name):
				return field.Invalid(at, string(name), "it is no resource; others than cpu, memory, ephemeral-storage "+
					"and huge pages have a prefix such as example.com/")
			case whole && !resources.IsSupportedPodLevelResource(name):
				return field.Forbidden(at, "a pod as a whole can ask for cpu, memory and huge pages only")
			case q.Sign() < 0:
				return field.Invalid(at, q.String(), "must not be negative")
			case device(name) && q.MilliValue()%1000 != 0:
				return field.Invalid(at, q.String(), "must be an integer")
			}
		}
	}
	return nil
}

// isResource reports whether a container can ask for what has this name.
func isResource(name corev1.ResourceName) bool {
	switch {
	case len(validation.IsQualifiedName(string(name))) > 0:
		return false
	case strings.Contains(string(name), "/"):
		return true
	}
	return name == corev1.ResourceCPU || name == corev1.ResourceMemory || name == corev1.ResourceEphemeralStorage ||
		hugePages(name)
}

// checkPorts refuses ports of the host that one pod wants twice, and others than the pod's on the host's network.
func checkPorts(spec *corev1.PodSpec) error {
	seen := map[string]bool{}
	for i := range spec.Containers {
		for k, p := range spec.Containers[i].Ports {
			at := specPath.Child("containers").Index(i).Child("ports").Index(k)
			host := p.HostPort
			if spec.HostNetwork && host == 0 {
				host = p.ContainerPort
			}
			id := fmt.Sprintf("%s/%s/%d", cmp.Or(p.Protocol, corev1.ProtocolTCP), p.HostIP, host)
			switch {
			case p.ContainerPort == 0:
				return field.Required(at.Child("containerPort"), "")
			case len(validation.IsValidPortNum(int(p.ContainerPort))) > 0:
				return field.Invalid(at.Child("containerPort"), p.ContainerPort, "want 1 to 65535")
			case host != 0 && len(validation.IsValidPortNum(int(host))) > 0:
				return field.Invalid(at.Child("hostPort"), host, "want 1 to 65535")
			case spec.HostNetwork && host != p.ContainerPort:
				return field.Invalid(at.Child("hostPort"), host, "on the host's network it is the containerPort")
			case host != 0 && seen[id]:
				return field.Duplicate(at.Child("hostPort"), host)
			}
			seen[id] = true
		}
	}
	return nil
}
