package admission_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/dovetail-sh/dovetail/internal/admission"
)

// Each spec is refused by a server, with these words about this field; those without words are kept.
func TestWhatNoServerKeepsIsRefused(t *testing.T) {
	t.Parallel()
	const c = "containers: [{name: c}]"
	const spread = ", topologyKey: zone, whenUnsatisfiable: "
	for text, want := range map[string]string{
		"{}":                                       "spec.containers: Required",
		"{containers: [{}]}":                       "spec.containers[0].name: Required",
		"{containers: [{name: C}]}":                "spec.containers[0].name: Invalid",
		"{containers: [{name: c},{name: c}]}":      "spec.containers[1].name: Duplicate",
		"{" + c + ", initContainers: [{name: c}]}": "spec.initContainers[0].name: Duplicate",
		"{containers: [{name: c, resources: {limits: {gpu: 1}}}]}": "" +
			"limits[gpu]: Invalid value: \"gpu\": it is no resource",
		"{containers: [{name: c, resources: {limits: {a.io/b: 500m}}}]}": "" +
			"limits[a.io/b]: Invalid value: \"500m\": must be an integer",
		"{containers: [{name: c, resources: {requests: {cpu: -1}}}]}": "" +
			"requests[cpu]: Invalid value: \"-1\"",
		"{containers: [{name: c, resources: {requests: {hugepages-2Mi: 2Mi}}}]}": "",
		"{" + c + ", resources: {requests: {ephemeral-storage: 1Gi}}}": "" +
			"spec.resources.requests[ephemeral-storage]: Forbidden",
		"{" + c + ", resources: {requests: {memory: 1Gi}}}": "",
		"{containers: [{name: c, ports: [{hostPort: 80}]}]}": "" +
			"ports[0].containerPort: Required",
		"{containers: [{name: c, ports: [{containerPort: 80, hostPort: 70000}]}]}": "hostPort: Invalid value: 70000",
		"{hostNetwork: true, containers: [{name: c, ports: [{containerPort: 80, hostPort: 81}]}]}": "" +
			"hostPort: Invalid " +
			"value: 81: on the host's network",
		"{containers: [{name: c, ports: [{containerPort: 80, hostPort: 80}, {containerPort: 81, hostPort: 80}]}]}": "" +
			"" +
			"" +
			"" +
			"" +
			"" +
			"" +
			"ports[1].hostPort: Duplicate",
		"{containers: [{name: c, ports: [{containerPort: 80, hostPort: 80}, " +
			"{containerPort: 80, hostPort: 80, protocol: UDP}]}]}": "",
		"{" + c + ", nodeSelector: {a: b c}}":                                  "spec.nodeSelector: Invalid",
		"{" + c + ", tolerations: [{key: a, operator: Exists, value: b}]}":     "spec.tolerations[0].value: Invalid",
		"{" + c + ", tolerations: [{key: a b, operator: Exists}]}":             "spec.tolerations[0].key: Invalid",
		"{" + c + ", tolerations: [{operator: Exists, tolerationSeconds: 3}]}": "spec.tolerations[0].effect: Invalid",
		"{" + c + ", topologySpreadConstraints: [{maxSkew: 1, minDomains: 2" + spread + "ScheduleAnyway}]}": "" +
			"topologySpreadConstraints[0].minDomains: Invalid",
		"{" + c + ", topologySpreadConstraints: [{maxSkew: 1" + spread + "ScheduleAnyway}, {maxSkew: 2" + spread +
			"ScheduleAnyway}]}": "topologySpreadConstraints[1]: Duplicate",
		"{" + c + ", topologySpreadConstraints: [{maxSkew: 1" + spread + "ScheduleAnyway}, {maxSkew: 2" + spread +
			"DoNotSchedule}]}": "",
		"{" + c + ", topologySpreadConstraints: [{maxSkew: 1, matchLabelKeys: [a]" + spread + "DoNotSchedule}]}": "" +
			"matchLabelKeys: Forbidden",
		"{" + c + ", volumes: [{name: v}, {name: v}]}": "" +
			"spec.volumes[1].name: Duplicate",
		"{" + c + ", volumes: [{name: v, persistentVolumeClaim: {claimName: \"\"}}]}": "claimName: Required",
		"{" + c + ", volumes: [{name: v, ephemeral: {volumeClaimTemplate: {spec: {}}}}]}": "" +
			"spec.volumes[0].ephemeral." +
			"volumeClaimTemplate.spec.accessModes: Required",
		"{containers: [{name: c, volumeMounts: [{name: v, mountPath: /v}]}]}": "" +
			"volumeMounts[0].name: Not found: \"v\"",
		"{containers: [{name: c, volumeDevices: [{name: v, devicePath: /v}]}]}": "" +
			"volumeDevices[0].name: Not found: \"v\"",
		"{containers: [{name: c, volumeMounts: [{name: data, mountPath: /v}]}]}": "",
	} {
		var spec corev1.PodSpec
		if err := yaml.Unmarshal([]byte(text), &spec); err != nil {
			t.Fatal(err)
		}
		err := admission.Structure(&spec, "data")
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got error %v, want one with %q", text, err, want)
		}
	}
}

func TestClaimsThatNoServerKeeps(t *testing.T) {
	t.Parallel()
	const size = "resources: {requests: {storage: 1Gi}}"
	for text, want := range map[string]string{
		"{" + size + "}": "accessModes: Required",
		"{accessModes: [ReadWriteTwice], " + size + "}": "accessModes[0]: Unsupported",
		"{accessModes: [ReadWriteOncePod, ReadOnlyMany], " + size + "}": "" +
			"accessModes: Forbidden: ReadWriteOncePod",
		"{accessModes: [ReadWriteOnce]}": "" +
			"resources.requests[storage]: Required",
		"{accessModes: [ReadWriteOnce], resources: {requests: {storage: 0}}}": "must be greater than zero",
		"{accessModes: [ReadWriteOnce, ReadOnlyMany], " + size + "}":          "",
	} {
		var spec corev1.PersistentVolumeClaimSpec
		if err := yaml.Unmarshal([]byte(text), &spec); err != nil {
			t.Fatal(err)
		}
		err := admission.ClaimStructure(nil, &spec)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got error %v, want one with %q", text, err, want)
		}
	}
}
