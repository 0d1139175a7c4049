package charts_test

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// Files of values are shaped as people's are: each is rendered, or every line that has no effect is named.
func TestValuesAsTheyAreFound(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text string
		want []string // in the error; none if it is rendered
	}{
		"small": {`
settings: {clusterName: demo, interruptionQueue: demo, featureGates: {spotToSpotConsolidation: true}}
controller: {resources: {requests: {cpu: 10m, memory: 128Mi}, limits: {cpu: 1, memory: 128Mi}}}
serviceAccount: {annotations: {eks.amazonaws.com/role-arn: "arn:aws:iam::111122223333:role/k"}}
podDisruptionBudget: {maxUnavailable: 1}
logLevel: info`, nil},
		"on nodes of its own": {`
settings: {clusterName: demo, clusterEndpoint: "https://demo", eksControlPlane: true}
nodeSelector: {dedicated: bootstrap}
tolerations: [{key: dedicated, operator: Exists}, {key: CriticalAddonsOnly, value: "true", effect: NoSchedule}]
dnsPolicy: Default
podAnnotations: {}
serviceMonitor: {enabled: true, additionalLabels: {release: prometheus}}`, nil},
		"as a chart in a chart": {`
global: {env: prod}
enabled: true
settings: {clusterName: "{{ .Values.global.env }}", clusterCABundle: Y2E=, isolatedVPC: false}
controller:
  env: [{name: AWS_ACCESS_KEY_ID, valueFrom: {secretKeyRef: {name: keys, key: id}}}]`, nil},
		"an old name among new ones": {`
settings: {clusterName: demo, interruptionQueueName: demo, aws: {enablePodENI: "true"}}`,
			[]string{"settings.interruptionQueueName is called settings.interruptionQueue now"}},
		"gates where none are": {`
settings: {clusterName: demo}
featureGates: {SpotToSpotConsolidation: true}`,
			[]string{"there is no value featureGates; did you mean settings.featureGates?"}},
		"indented too far": {`
settings:
  clusterName: demo
  serviceAccount: {name: karpenter}`,
			[]string{"there is no value settings.serviceAccount; did you mean serviceAccount?"}},
		"what upstream took no notice of": {`
settings: {clusterName: demo, aws: {region: eu-west-1, defaultInstanceProfile: nodes}}
karpenterDependency: done
webhook: {enabled: true, port: 8443}`,
			[]string{"settings.aws.region", "settings.aws.defaultInstanceProfile is no longer a value; set " +
				"spec.instanceProfile or spec.role", "there is no value karpenterDependency", "webhook.enabled"}},
		"all of a chart's values, its image too": {`
settings: {clusterName: demo}
nameOverride: ""
priorityClassName: system-cluster-critical
controller:
  image: {repository: public.ecr.aws/karpenter/controller, tag: 1.14.1, digest: "sha256:0"}
  sidecarContainer: []
  healthProbe: {port: 8081}`,
			[]string{"controller.image.repository is the controller of Karpenter, public.ecr.aws/karpenter/" +
				"controller; remove controller.image: the chart has one"}},
		"a gate of before": {`
settings: {clusterName: demo, featureGates: {drift: true, spotToSpotConsolidation: true}}
webhook: {enabled: false}
logConfig: {enabled: true, logLevel: {global: info, webhook: error}}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			with := values{}
			if err := yaml.Unmarshal([]byte(tc.text), &with); err != nil {
				t.Fatal(err)
			}
			_, err := render(t, "dovetail", demo(with))
			if (err != nil) != (len(tc.want) > 0) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			for _, want := range tc.want {
				if err != nil && !strings.Contains(err.Error(), want) {
					t.Errorf("got %v\nwant %s", err, want)
				}
			}
		})
	}
}
