package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Everywhere a node's label can stand KEY stands here for the zone, and everything is to be in us-east-1b.
const (
	aliasPool = `
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: general}
spec:
  template:
    metadata: {labels: {team: a LABELS}}
    spec:
      nodeClassRef: {group: karpenter.k8s.aws, kind: EC2NodeClass, name: general}
      requirements:
      - {key: node.kubernetes.io/instance-type, operator: In, values: [m5.large, m5.xlarge]}
      - {key: karpenter.sh/capacity-type, operator: In, values: [on-demand]}
      - {key: topology.kubernetes.io/zone, operator: In, values: [us-east-1a, us-east-1b, us-east-1c]}
      REQUIREMENT
---
apiVersion: karpenter.k8s.aws/v1
kind: EC2NodeClass
metadata: {name: general}
spec:
  amiSelectorTerms: [{alias: al2023@latest}]
  role: nodes
  subnetSelectorTerms: [{tags: {team: a}}]
  securityGroupSelectorTerms: [{tags: {team: a}}]
---
`
	aliasPod = `
apiVersion: v1
kind: Pod
metadata: {name: p, labels: {app: web}}
spec:
  containers: [{name: c, image: i, resources: {requests: {cpu: 500m}}}]
`
	aliasVolume = `
  volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {storageClassName: gp3, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}} VOLUME}
CLAIM
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: gp3}
provisioner: ebs.csi.aws.com
volumeBindingMode: WaitForFirstConsumer
`
)

func TestOtherNamesOfTheZoneCountEverywhere(t *testing.T) {
	t.Parallel()
	pool := strings.NewReplacer(" LABELS", "", "REQUIREMENT", "")
	bound := strings.NewReplacer("VOLUME", ", volumeName: pv-1", "CLAIM", "status: {phase: Bound}")
	unbound := strings.NewReplacer("VOLUME", "", "CLAIM", "")
	places := map[string]string{
		"NodeSelector": pool.Replace(aliasPool) + aliasPod + "  nodeSelector: {KEY: us-east-1b}\n",
		"RequiredAffinity": pool.Replace(aliasPool) + aliasPod + `
  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: KEY, operator: NotIn, values: [us-east-1a, us-east-1c]}]}]}}}`,
		"PreferredAffinity": pool.Replace(aliasPool) + aliasPod + `
  affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpressions: [{key: KEY, operator: In, values: [us-east-1b]}]}}]}}`,
		"PoolRequirement": strings.NewReplacer(" LABELS", "", "REQUIREMENT", "- {key: KEY, operator: In, values: [us-east-1b]}").
			Replace(aliasPool) +
			aliasPod,
		"PoolLabel": strings.NewReplacer(" LABELS", ", KEY: us-east-1b", "REQUIREMENT", "").
			Replace(aliasPool) +
			aliasPod,
		"Overlay": pool.Replace(aliasPool) + aliasPod + `
---
apiVersion: karpenter.sh/v1alpha1
kind: NodeOverlay
metadata: {name: cheap}
spec: {price: "0.01", requirements: [{key: KEY, operator: In, values: [us-east-1b]}]}`,
		"BoundVolume": pool.Replace(aliasPool) + aliasPod + bound.Replace(aliasVolume) + `
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: pv-1}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  storageClassName: gp3
  claimRef: {namespace: default, name: data}
  csi: {driver: ebs.csi.aws.com, volumeHandle: vol-1}
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: KEY, operator: In, values: [us-east-1b]}]}]}}`,
		"AllowedTopologies": pool.Replace(
			aliasPool,
		) + aliasPod + unbound.Replace(
			aliasVolume,
		) + "allowedTopologies: [{matchLabelExpressions: [{key: KEY, values: [us-east-1b]}]}]\n",
		// Two pods with an anti-affinity each and a third zone taken leave us-east-1b.
		"AntiAffinity": pool.Replace(
			aliasPool,
		) + running(
			"a",
			"us-east-1a",
		) + running(
			"c",
			"us-east-1c",
		) + aliasPod + `
  affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: KEY, labelSelector: {matchLabels: {app: web}}}]}}`,
		"Affinity": pool.Replace(aliasPool) + running("b", "us-east-1b") + aliasPod + `
  affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: KEY, labelSelector: {matchLabels: {app: web}}}]}}`,
		"Spread": pool.Replace(aliasPool) + running("a", "us-east-1a") + running("c", "us-east-1c") + aliasPod + `
  topologySpreadConstraints: [{maxSkew: 1, topologyKey: KEY, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: web}}}]`,
	}
	for _, key := range []string{"topology.kubernetes.io/zone", "topology.ebs.csi.aws.com/zone", "failure-domain.beta.kubernetes.io/zone"} {
		for place, text := range places {
			t.Run(place+"/"+key, func(t *testing.T) {
				t.Parallel()
				if zones := zonesOf(t, strings.ReplaceAll(text, "KEY", key)); zones != "us-east-1b" {
					t.Errorf("planned in %q, want us-east-1b", zones)
				}
			})
		}
	}
}

// running is a full node in a zone, under KEY as its name too, with a pod of the same app.
func running(name, zone string) string {
	return strings.NewReplacer("NAME", name, "ZONE", zone).Replace(`
apiVersion: v1
kind: Node
metadata:
  name: node-NAME
  labels: {KEY: ZONE, topology.kubernetes.io/region: us-east-1, kubernetes.io/hostname: node-NAME}
status: {allocatable: {cpu: 600m, memory: 1Gi, pods: "9"}, capacity: {cpu: 600m, memory: 1Gi, pods: "9"}, conditions: [{type: Ready, status: "True"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web-NAME, labels: {app: web}}
spec: {nodeName: node-NAME, containers: [{name: c, image: i, resources: {requests: {cpu: 500m}}}]}
status: {phase: Running}
---
`)
}

// zonesOf are the zones that manifests are planned into, one for each node.
func zonesOf(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "all.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := run(t, "simulate", "-f", file, "-o", "json")
	if code != 0 {
		t.Fatalf("exit code %d: %s\n%s", code, stderr, stdout)
	}
	var plan struct {
		Nodes []struct{ Zone string }
	}
	if err := json.Unmarshal([]byte(stdout), &plan); err != nil {
		t.Fatal(err)
	}
	var zones []string
	for _, n := range plan.Nodes {
		zones = append(zones, n.Zone)
	}
	return strings.Join(zones, " ")
}
