package convert_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/internal/convert"
)

// Values stand in objects of Flux, Argo CD and others, in charts around Karpenter's, and in files of Terraform's; and
// YAML can say the same in many ways. What stands around them stays.
func TestValuesWhereverTheyStand(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ file, old, now string }{
		"chart around it": {"values.yaml", `karpenter:
  settings:
    aws:
      clusterName: blue # ours
  serviceAccount: {name: karpenter}
redis:
  resources: {}
`, `karpenter:
  settings:
    clusterName: blue # ours
  serviceAccount: {name: karpenter}
redis:
  resources: {}
`},
		"another chart": {"values.yaml", "resources: {}\nwebhook: {enabled: true}\n",
			"resources: {}\nwebhook: {enabled: true}\n"},
		"Flux": {"in.yaml", `# Karpenter
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: scaler
spec:
  chart:
    spec:
      chart: karpenter
  values:
    settings:
      aws:
        clusterName: ${cluster} # by Flux
`, `# Karpenter
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: scaler
spec:
  chart:
    spec:
      chart: karpenter
  values:
    settings:
      clusterName: ${cluster} # by Flux
`},
		"another release": {"in.yaml", "kind: HelmRelease\nmetadata: {name: web}\nspec: {values: {clusterName: a}}\n",
			"kind: HelmRelease\nmetadata: {name: web}\nspec: {values: {clusterName: a}}\n"},
		"Argo CD": {"in.yaml", `kind: Application
metadata:
  name: karpenter
spec:
  sources:
    - chart: karpenter
      helm:
        parameters:
          - name: settings.aws.clusterName
            value: blue
          - name: settings.aws.defaultInstanceProfile
            value: nodes
        values: |
          settings:
            aws:
              interruptionQueueName: blue
    - chart: web
      helm:
        values: |
          resources: {}
`, `kind: Application
metadata:
  name: karpenter
spec:
  sources:
    - chart: karpenter
      helm:
        parameters:
          - name: settings.clusterName
            value: blue
        values: |
          settings:
            interruptionQueue: blue
    - chart: web
      helm:
        values: |
          resources: {}
`},
		"anchors and merges": {"karpenter.yaml", `x-size: &size
  requests: {cpu: 1}
x-aws: &aws
  clusterName: blue
  isolatedVPC: true
settings:
  aws:
    <<: *aws
    isolatedVPC: false
resources: *size
`, `settings:
  isolatedVPC: false
  clusterName: blue
controller:
  resources:
    requests: {cpu: 1}
`},
		"lines of Windows": {"karpenter.yaml", "# ours\r\nsettings:\r\n  aws:\r\n    clusterName: blue\r\n",
			"# ours\nsettings:\n  clusterName: blue\n"},
		"several documents": {"karpenter.yaml", "# a\nsettings: {aws: {clusterName: a}}\n---\n# b\nreplicas: 1\n",
			"# a\nsettings: {clusterName: a}\n---\n# b\nreplicas: 1\n"},
		"nothing": {"karpenter.yaml", "", ""},
		"the same twice": {"karpenter.yaml", "settings: {clusterName: a, aws: {clusterName: a}}\n",
			"settings: {clusterName: a}\n"},
		"Terraform": {"main.tf", `resource "helm_release" "karpenter" {
  chart = "karpenter"
  set {
    name  = "settings.aws.clusterName"
    value = module.eks.cluster_name
  }
  values = [
    <<-EOT
    settings:
      aws:
        interruptionQueueName: ${module.karpenter.queue_name}
    EOT
  ]
}

resource "kubectl_manifest" "pool" {
  yaml_body = <<-YAML
    apiVersion: karpenter.sh/v1beta1
    kind: NodePool
    metadata:
      name: ${var.name}
    spec:
      limits:
        cpu: ${var.cpu}
      template:
        spec:
          requirements: [{key: team, operator: In, values: ["${var.team}"]}]
          nodeClassRef: {name: default}
  YAML
}

locals {
  script = <<EOF
key: {not: yaml
EOF
}
`, `resource "helm_release" "karpenter" {
  chart = "karpenter"
  set {
    name  = "settings.clusterName"
    value = module.eks.cluster_name
  }
  values = [
    <<-EOT
    settings:
      interruptionQueue: ${module.karpenter.queue_name}
    EOT
  ]
}

resource "kubectl_manifest" "pool" {
  yaml_body = <<-YAML
    apiVersion: karpenter.sh/v1
    kind: NodePool
    metadata:
      name: ${var.name}
    spec:
      disruption:
        consolidateAfter: 0s
        consolidationPolicy: WhenEmptyOrUnderutilized
      limits:
        cpu: ${var.cpu}
      template:
        spec:
          nodeClassRef:
            group: karpenter.k8s.aws
            kind: EC2NodeClass
            name: default
          requirements:
          - key: team
            operator: In
            values:
            - ${var.team}
  YAML
}

locals {
  script = <<EOF
key: {not: yaml
EOF
}
`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := tc.old
			for range 2 { // the second changes nothing
				r, err := convert.Files([]convert.Source{{Name: tc.file, Text: []byte(text)}}, convert.Options{})
				if err != nil {
					t.Fatal(err)
				}
				text = string(r.Files[0].Text)
				if diff := cmp.Diff(tc.now, text); diff != "" {
					t.Errorf("-want +got\n%s", diff)
				}
			}
		})
	}
}

func TestOldValuesThatNobodyCanPlaceAreNamed(t *testing.T) {
	t.Parallel()
	const release = "resource \"helm_release\" \"karpenter\" {\n"
	for _, tc := range []struct{ file, old, want string }{
		{
			"karpenter.yaml", "settings:\n  aws: {region: a, clusterName: b}\n",
			"karpenter.yaml:2: settings.aws.region is a value of no chart of Karpenter",
		},
		{
			"karpenter.yaml", "settings:\n  clusterName: a\n  aws:\n    clusterName: b\n",
			"karpenter.yaml:4: settings.aws.clusterName is called settings.clusterName now, which is there, too",
		},
		{
			"karpenter.yaml", "settings:\n\taws: {}\n",
			"karpenter.yaml:1: the document that begins here is no YAML: line 2",
		},
		{"karpenter.yaml", "settings: {}\nsettings: {aws: {}}\n", "already defined"},
		{
			"in.yaml",
			"kind: HelmRelease\nmetadata: {name: karpenter}\nspec:\n  values: {settings: {aws: {tags: {a: b}}}}\n",
			"in.yaml:4: settings.aws.tags is no longer a value; set spec.tags in each EC2NodeClass",
		},
		{
			"in.yaml",
			"kind: Application\nmetadata: {name: karpenter}\nspec:\n  source: {helm: {parameters: [{name: " +
				"settings.featureGates.drift, value: \"false\"}]}}\n",
			"in.yaml:4: Application karpenter: settings.featureGates.drift",
		},
		{
			"main.tf",
			"resource \"kubernetes_manifest\" \"p\" {\n  manifest = {\n    apiVersion = \"karpenter.sh/v1alpha5\"\n",
			"main.tf:3: an object of karpenter.sh/v1alpha5 is written in HCL here",
		},
		{
			"main.tf",
			release + "  values = [<<-EOT\n    settings:\n      aws:\n        tags: {a: \"${var.b}\"}\n    EOT\n]\n}\n",
			"main.tf:5: settings.aws.tags is no longer a value",
		},
		{
			"main.tf", "a = <<EOT\napiVersion: karpenter.sh/v1beta1\nkind: NodePool\n  x: ${var.y}\nEOT\n",
			"main.tf:2: the document that begins here is no YAML",
		},
	} {
		_, err := convert.Files([]convert.Source{{Name: tc.file, Text: []byte(tc.old)}}, convert.Options{})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("got %v\nwant %s\nof\n%s", err, tc.want, tc.old)
		}
	}
}
