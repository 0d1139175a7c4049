package convert_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/internal/convert"
)

func one(t *testing.T, text string, o convert.Options) (string, []string) {
	t.Helper()
	r, err := convert.Files([]convert.Source{{Name: "in.yaml", Text: []byte(text)}}, o)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	again, err := convert.Files([]convert.Source{{Name: "in.yaml", Text: r.Files[0].Text}}, o)
	if err != nil || again.Files[0].Changed {
		t.Errorf("a second run changes what came out of the first: %v\n%s", err, again.Files[0].Text)
	}
	return string(r.Files[0].Text), r.Notes
}

// What an old file becomes is written beside it.
func TestOldFilesBecomeTodays(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.old.yaml")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, _ := one(t, string(text), convert.Options{})
			golden := strings.TrimSuffix(file, ".old.yaml") + ".golden"
			if *rewrite {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestWhatCannotBeConvertedIsNamed(t *testing.T) {
	t.Parallel()
	const pool = "apiVersion: karpenter.sh/v1alpha5\nkind: Provisioner\nmetadata: {name: p}\nspec:\n  providerRef: " +
		"{name: p}\n"
	const class = "apiVersion: karpenter.k8s.aws/v1alpha1\nkind: AWSNodeTemplate\nmetadata: {name: c}\nspec:\n  " +
		"subnetSelector: {a: b}\n  securityGroupSelector: {a: b}\n  instanceProfile: x\n"
	for text, want := range map[string]string{
		pool + "  ttlSecondsAfterEmtpy: " +
			"30\n": "in.yaml:6: Provisioner " +
			"p: spec.ttlSecondsAfterEmtpy: no release of Karpenter had this field here",
		pool + "  limits: {cpu: 5}\n": "spec.limits.cpu: no release",
		pool + "  kubeletConfiguration: {maxPods: " +
			"5}\n": "in.yaml:6: Provisioner p: kubelet: " +
			"the kubelet's settings belong to EC2NodeClass p now, which is not among the files",
		pool + "  kubeletConfiguration: {containerRuntime: " +
			"dockerd}\n": "nodes have containerd alone",
		pool + "  provider: {subnetSelector: {a: " +
			"b}}\n": "there is spec.providerRef, too",
		pool + "  requirements: [{key: karpenter.k8s.aws/instance-pods, operator: Gt, values: " +
			"['5']}]\n": "nodes no longer have the label karpenter.k8s.aws/instance-pods",
		pool + "  weight: 1000\n": "NodePool p: spec.weight",
		class + "  launchTemplate: " +
			"mine\n": "in.yaml:8: " +
			"AWSNodeTemplate c: spec.launchTemplate: launch templates of your own are no longer used",
		class + "  amiFamily: Ubuntu\n": "images of Ubuntu are no longer looked up",
		class + "  amiFamily: Custom\n": "family Custom has no images of its own",
		class + "  amiSelector: {'aws::ids': ami-1, a: " +
			"b}\n": "selects by ids and by something else at " +
			"once",
		strings.Replace(class, "  instanceProfile: x\n", "",
			1): "give --instance-profile or --role",
		strings.Replace(class, "{a: b}", "{aws-ids: subnet-1, a: b}",
			1): "it selects by ids and by tags at once",
		"apiVersion: karpenter.sh/v1alpha5\nkind: Machine\nmetadata: {name: " +
			"m}\n": "Machine m: a Machine is a controller's own record",
		"settings:\n  aws:\n    tags: {a: " +
			"b}\n": "in.yaml:3: " +
			"settings.aws.tags is no longer a value; set spec.tags in each EC2NodeClass",
		"settings:\n  clusterName: a\n  aws:\n    clusterName: " +
			"b\n": "which is there, too; keep one",
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: karpenter-global-settings}\ndata:\n  aws.clusterName: " +
			"x\n": "in.yaml:5: ConfigMap karpenter-global-settings: data.aws.clusterName: the controller no longer " +
			"reads this ConfigMap; set it as settings.clusterName",
		"apiVersion: v1\nkind: Pod\nmetadata: {annotations: {karpenter.sh/do-not-evict: 'true', " +
			"karpenter.sh/do-not-consolidate: 'true'}}": "both mean karpenter.sh/do-not-disrupt now",
		"apiVersion: v1\nkind: Pod\nspec:\n  tolerations:\n  - {key: karpenter.sh/disruption, operator: Equal, value: " +
			"disrupting}\n": "in.yaml:5: Pod: the taint karpenter.sh/disruption is called " +
			"karpenter.sh/disrupted now and has no value",
		"- a\n- b\n":       "neither a Kubernetes object nor a file of Helm values",
		"a: {{ .Values }}": "convert what helm template prints",
	} {
		_, err := convert.Files([]convert.Source{{Name: "in.yaml", Text: []byte(text)}}, convert.Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v\nwant %s\nof\n%s", err, want, text)
		}
	}
}

// Workloads keep every other letter, comments too.
func TestWorkloadsKeepTheirText(t *testing.T) {
	t.Parallel()
	const old = `# The batch that must not be stopped.
apiVersion: batch/v1
kind: Job
metadata: {name: long}   # nobody touches it
spec:
  template:
    metadata:
      annotations:
        "karpenter.sh/do-not-evict": "true"   # karpenter.sh/do-not-evict
    spec:
      nodeSelector: {karpenter.sh/provisioner-name: mixed, team: red}
      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms:
            - matchExpressions:
              - {key: karpenter.sh/provisioner-name, operator: Exists}
      containers: [{name: a, image: a, args: [karpenter.sh/provisioner-name]}]
`
	got, _ := one(t, old, convert.Options{})
	want := strings.NewReplacer(
		`"karpenter.sh/do-not-evict":`,
		`"karpenter.sh/do-not-disrupt":`,
		"{karpenter.sh/provisioner-name",
		"{karpenter.sh/nodepool",
		"{key: karpenter.sh/provisioner-name",
		"{key: karpenter.sh/nodepool",
	).
		Replace(
			old,
		)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestWhatIsNotOldPassesAndIsListed(t *testing.T) {
	t.Parallel()
	const text = "# nothing\n---\napiVersion: example.com/v1\nkind: Widget\nmetadata:\n    name:   odd  # " +
		"spaces\nspec: {a: [1,2]}\n---\napiVersion: karpenter.sh/v1\nkind: NodePool\nmetadata: {name: p}\n"
	r, err := convert.Files([]convert.Source{{Name: "a.yaml", Text: []byte(text)}}, convert.Options{})
	if err != nil || r.Files[0].Changed || string(r.Files[0].Text) != text {
		t.Fatalf("%v\n%s", err, r.Files[0].Text)
	}
	if diff := cmp.Diff([]string{"a.yaml:3: Widget odd", "a.yaml:9: NodePool p"}, r.Passed); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// A class is in one file, its users in others, and the profile in the chart's values.
func TestFilesAreConvertedTogether(t *testing.T) {
	t.Parallel()
	r, err := convert.Files([]convert.Source{
		{
			Name: "pool.yaml",
			Text: []byte(
				"apiVersion: karpenter.sh/v1alpha5\nkind: Provisioner\nmetadata: {name: p}\nspec:\n  providerRef: " +
					"{name: c}\n  kubeletConfiguration: {maxPods: 30}\n",
			),
		},
		{
			Name: "class.yaml",
			Text: []byte(
				"apiVersion: karpenter.k8s.aws/v1alpha1\nkind: AWSNodeTemplate\nmetadata: {name: c}\nspec:\n  " +
					"subnetSelector: {a: b}\n  securityGroupSelector: {a: b}\n",
			),
		},
		{
			Name: "values.yaml",
			Text: []byte(
				"settings:\n  aws:\n    clusterName: blue\n    defaultInstanceProfile: nodes-blue\nresources: " +
					"{requests: {cpu: 1}}\n",
			),
		},
	}, convert.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if class := string(r.Files[1].Text); !strings.Contains(class, "maxPods: 30") ||
		!strings.Contains(class, "instanceProfile: nodes-blue") {
		t.Errorf("the class is\n%s", class)
	}
	if diff := cmp.Diff(
		"settings:\n  clusterName: blue\ncontroller:\n  resources: {requests: {cpu: 1}}\n",
		string(r.Files[2].Text),
	); diff != "" {
		t.Errorf("values: -want +got\n%s", diff)
	}
	for _, note := range r.Notes {
		if !regexp.MustCompile(`^\w+\.yaml:\d+: `).MatchString(note) {
			t.Errorf("a note says not where: %s", note)
		}
	}
}

// Settings of a machine could say their own version and kind, which never had an effect.
func TestSettingsMaySayTheirKind(t *testing.T) {
	t.Parallel()
	const settings = "{apiVersion: karpenter.k8s.aws/v1alpha1, kind: AWS, instanceProfile: p, " +
		"subnetSelector: {a: b}, securityGroupSelector: {a: b}}"
	for _, old := range []string{
		"apiVersion: karpenter.k8s.aws/v1alpha1\nkind: AWSNodeTemplate\nmetadata: {name: a}\nspec: " + settings,
		"apiVersion: karpenter.sh/v1alpha5\nkind: Provisioner\nmetadata: {name: a}\nspec: {provider: " + settings + "}",
	} {
		r, err := convert.Files([]convert.Source{{Name: "in.yaml", Text: []byte(old)}}, convert.Options{})
		if err != nil {
			t.Errorf("%v\n%s", err, old)
			continue
		}
		if got := string(r.Files[0].Text); strings.Contains(got, "kind: AWS\n") {
			t.Errorf("it says its kind still:\n%s", got)
		}
	}
}
