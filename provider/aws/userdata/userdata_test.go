package userdata

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/provider/aws/kubelet"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

func plain() Options {
	return Options{
		ClusterName: "demo",
		Endpoint:    "https://10.1.2.3:6443",
		CABundle:    "Y2E=",
		ServiceCIDR: "10.100.0.0/16",
		DNS:         []string{"10.100.0.10"},
		Labels: map[string]string{
			"karpenter.sh/nodepool": "general", "team": "red",
			"node.kubernetes.io/exclude-from-external-load-balancers": "true",
			"node-restriction.kubernetes.io/secret":                   "dropped", "kubernetes.io/role": "dropped",
		},
		Taints: []corev1.Taint{
			{Key: "dedicated", Value: "red", Effect: corev1.TaintEffectNoSchedule},
			{Key: "cni", Effect: corev1.TaintEffectNoExecute},
		},
		MaxPods: 29,
	}
}

func full() Options {
	o := plain()
	o.RAID0 = true
	o.KubeletConfig = awsv1.KubeletConfiguration{}
	const written = `{
		"clusterDNS": ["fd00::a"], "maxPods": "vcpus * 10", "podsPerCore": 10,
		"systemReserved": {"cpu": "100m", "memory": "memory_mib / 100"}, "kubeReserved": {"cpu": "200m"},
		"evictionHard": {"memory.available": "5%", "nodefs.available": "10%"}, "evictionSoft": {"memory.available": "10%"},
		"evictionSoftGracePeriod": {"memory.available": "60s"}, "evictionMaxPodGracePeriod": 60,
		"imageGCHighThresholdPercent": 85, "imageGCLowThresholdPercent": 80, "cpuCFSQuota": false,
		"cpuManagerPolicy": "static", "featureGates": {"NodeSwap": true}, "memorySwap": {"swapBehavior": "LimitedSwap"}}`
	if err := json.Unmarshal([]byte(written), &o.KubeletConfig); err != nil {
		panic(err)
	}
	var err error
	if o.Kubelet, err = kubelet.Parse(o.KubeletConfig); err != nil {
		panic(err)
	}
	o.Kubelet.SystemReserved["memory"] = "100Mi" // as worked out
	return o
}

func with(o Options, user string) Options { o.User = user; return o }

const (
	script     = "#!/bin/bash\necho \"hello\"\n"
	mimeScript = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; " +
		"boundary=\"BOUNDARY\"\r\n\r\n--BOUNDARY\r\nContent-Type: text/x-shellscript; " +
		"charset=\"us-ascii\"\r\n\r\n#!/bin/bash\r\necho one\r\n\r\n--BOUNDARY\r\nContent-Type: " +
		"text/cloud-config\r\n\r\n#cloud-config\r\npackages: [jq]\r\n--BOUNDARY--\r\n"
	nodeConf = "apiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec:\n  kubelet:\n    config:\n      " +
		"shutdownGracePeriod: 30s\n"
	mimeConfig = "Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: application/node.eks.aws\n\nkind: " +
		"[\n--x--\n"
	tomlUser = "[settings.kernel]\nlockdown = \"integrity\"\n\n[settings.kubernetes]\ncluster-name = " +
		"\"another\"\nallowed-unsafe-sysctls = [\"net.core.somaxconn\"]\n\n[settings.kubernetes.node-labels]\nmine = " +
		"\"overwritten\"\n"
	powershell = "<powershell>\nWrite-Host \"hello\"\n</powershell>\n"
)

func TestGolden(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		family string
		o      Options
	}{
		"al2_plain":           {awsv1.AMIFamilyAL2, plain()},
		"al2_full":            {awsv1.AMIFamilyAL2, with(full(), script)},
		"al2_mime":            {awsv1.AMIFamilyAL2, with(plain(), mimeScript)},
		"al2023_plain":        {awsv1.AMIFamilyAL2023, plain()},
		"al2023_full":         {awsv1.AMIFamilyAL2023, with(full(), script)},
		"al2023_nodeconfig":   {awsv1.AMIFamilyAL2023, with(plain(), nodeConf)},
		"al2023_mime":         {awsv1.AMIFamilyAL2023, with(plain(), mimeScript)},
		"bottlerocket_plain":  {awsv1.AMIFamilyBottlerocket, plain()},
		"bottlerocket_merged": {awsv1.AMIFamilyBottlerocket, with(full(), tomlUser)},
		"windows_plain":       {awsv1.AMIFamilyWindows2022, plain()},
		"windows_merged":      {awsv1.AMIFamilyWindows2022, with(plain(), powershell)},
		"windows_persist": {
			awsv1.AMIFamilyWindows2022,
			with(plain(), "<PowerShell>\r\nWrite-Host \"hello\"\r\n</PowerShell>\r\n<persist>true</persist>\r\n"),
		},
		"custom": {awsv1.AMIFamilyCustom, with(full(), script)},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Render(tc.family, tc.o)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+".golden")
			if *rewrite {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("-want +got (-rewrite writes it anew)\n%s", diff)
			}
		})
	}
}

func TestWhatDoesNotReadNamesTheLine(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why, family, user string
		line              int
		text              string
	}{
		"TOML": {
			"Bottlerocket reads TOML",
			awsv1.AMIFamilyBottlerocket,
			"[settings]\na = \n",
			2,
			"not TOML",
		},
		"TOMLNotATable": {
			"we could not put our settings there",
			awsv1.AMIFamilyBottlerocket,
			"# settings\nsettings = 3\n",
			2,
			"settings must be a table",
		},
		"NoBoundary": {
			"the parts cannot be told apart",
			awsv1.AMIFamilyAL2,
			"MIME-Version: 1.0\nContent-Type: multipart/mixed\n\nx\n",
			2,
			"boundary",
		},
		"NoEnd": {
			"the last part may be cut off",
			awsv1.AMIFamilyAL2023,
			strings.TrimSuffix(mimeScript, "--BOUNDARY--\r\n"),
			10,
			"--BOUNDARY--",
		},
		"NoHeader": {
			"a script does not begin like that",
			awsv1.AMIFamilyAL2,
			"MIME-Version: 1.0\n\necho hello\n",
			1,
			"the header needs",
		},
		"KubernetesNotATable": {
			"we could not put our settings there",
			awsv1.AMIFamilyBottlerocket,
			"[settings]\nntp = {}\nkubernetes = 1\n",
			3,
			"kubernetes must be a table",
		},
		"NodeConfigInMIME": {
			"nodeadm would not start",
			awsv1.AMIFamilyAL2023,
			strings.ReplaceAll(mimeScript, "Content-Type: text/cloud-config\r\n\r\n#cloud-config\r\n",
				"Content-Type: application/node.eks.aws\r\n\r\nkind: NodeConfig\r\n\tx: 1\r\n"),
			14,
			"not YAML",
		},
		"PowerShellNotClosed": {
			"our lines would stand outside",
			awsv1.AMIFamilyWindows2022,
			"# mine\n<powershell>\nWrite-Host 1\n",
			2,
			"</powershell>",
		},
		"NodeConfigYAML": {
			"nodeadm would not start",
			awsv1.AMIFamilyAL2023,
			"apiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec:\n\tx: 1\n",
			4,
			"not YAML",
		},
		"NodeConfigKind": {
			"nodeadm would not take it",
			awsv1.AMIFamilyAL2023,
			"apiVersion: node.eks.aws/v1alpha1\nkind: Config\n",
			2,
			"want NodeConfig",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Render(tc.family, with(plain(), tc.user))
			var malformed *Malformed
			if !errors.As(err, &malformed) || malformed.Line != tc.line || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("%s\ngot %v, want line %d and %q", tc.why, err, tc.line, tc.text)
			}
		})
	}
}

// What the user wrote arrives as it was, although our own part stands beside it: a part may be multipart itself, and
// encoded.
func TestPartsOfTheUsersStayWhole(t *testing.T) {
	t.Parallel()
	nested := "Content-Type: multipart/mixed; boundary=\"//\"\n\n--//\nContent-Type: " +
		"text/x-shellscript\n\n#!/bin/bash\necho nested\n--//--\n"
	user := "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"OUTER\"\n\n--OUTER\n" + nested +
		"\n--OUTER\nContent-Transfer-Encoding: base64\n\nIyEvYmluL2Jhc2gKZWNobyBjb2RlZAo=\n--OUTER--\n"
	for _, family := range []string{awsv1.AMIFamilyAL2, awsv1.AMIFamilyAL2023} {
		text, err := Render(family, with(plain(), user))
		if err != nil {
			t.Fatal(err)
		}
		parts, err := split(text)
		if err != nil || len(parts) != 3 {
			t.Fatalf("%s: %d parts, %v, want the user's two and ours\n%s", family, len(parts), err, text)
		}
		if !strings.Contains(parts[0].body, "echo nested") ||
			!strings.HasSuffix(strings.TrimSpace(parts[0].body), "--//--") {
			t.Errorf("%s: the nested part is\n%s", family, parts[0].body)
		}
		if got := parts[1].header.Get(
			"Content-Transfer-Encoding",
		); got != "base64" ||
			parts[1].header.Get("Content-Type") != shellType {
			t.Errorf("%s: the second part has the header %v", family, parts[1].header)
		}
	}
}

func TestTooLong(t *testing.T) {
	t.Parallel()
	_, err := Render(awsv1.AMIFamilyCustom, with(plain(), strings.Repeat("x", MaxBytes+1)))
	var long TooLong
	if !errors.As(err, &long) || long.Bytes != MaxBytes+1 {
		t.Errorf("got %v", err)
	}
	if _, err := Render(awsv1.AMIFamilyCustom, with(plain(), strings.Repeat("x", MaxBytes))); err != nil {
		t.Errorf("exactly at the limit: %v", err)
	}
}

func TestQuotesInNamesStayQuotes(t *testing.T) {
	t.Parallel()
	o := plain()
	o.ClusterName = "it's"
	bash, err := Render(awsv1.AMIFamilyAL2, o)
	if err != nil || !strings.Contains(bash, `'it'\''s'`) {
		t.Errorf("bash: %v\n%s", err, bash)
	}
	ps, err := Render(awsv1.AMIFamilyWindows2019, o)
	if err != nil || !strings.Contains(ps, `'it''s'`) {
		t.Errorf("PowerShell: %v\n%s", err, ps)
	}
}

// A NodeConfig may be JSON, which is YAML too. As a script it would stop the node.
func TestANodeConfigInJSON(t *testing.T) {
	t.Parallel()
	got, err := Render(
		awsv1.AMIFamilyAL2023,
		with(plain(), `{"kind": "NodeConfig", "apiVersion": "node.eks.aws/v1alpha1"}`),
	)
	if err != nil || strings.Contains(got, "x-shellscript") {
		t.Errorf("%v\n%s", err, got)
	}
}

// Whatever a user writes, we answer with user data or with a Malformed error.
func FuzzRender(f *testing.F) {
	for _, seed := range []string{"", script, mimeScript, nodeConf, tomlUser, powershell, "MIME-Version: 1.0\n",
		"[settings", "settings.kubernetes = 1", mimeConfig} {
		f.Add(seed)
	}
	families := []string{
		awsv1.AMIFamilyAL2,
		awsv1.AMIFamilyAL2023,
		awsv1.AMIFamilyBottlerocket,
		awsv1.AMIFamilyWindows2025,
		awsv1.AMIFamilyCustom,
	}
	f.Fuzz(func(t *testing.T, user string) {
		for _, family := range families {
			_, err := Render(family, with(full(), user))
			var malformed *Malformed
			var long TooLong
			if err != nil && !errors.As(err, &malformed) && !errors.As(err, &long) {
				t.Errorf("%s: %v", family, err)
			}
		}
	})
}
