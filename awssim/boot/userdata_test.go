package boot_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/awssim/boot"
	"github.com/dovetail-sh/dovetail/awssim/world"
	"github.com/dovetail-sh/dovetail/catalog"
)

func encode(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

const generated = `--//
Content-Type: application/node.eks.aws

apiVersion: node.eks.aws/v1alpha1
kind: NodeConfig
spec:
  cluster: {name: demo, apiServerEndpoint: "https://api", certificateAuthority: Q0E=, cidr: 10.100.0.0/16}
  kubelet:
    config:
      maxPods: 58
      kubeReserved: {cpu: 100m}
    flags: ["--node-labels=team=blue"]
--//--
`

const header = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"//\"\n\n"

func TestRead(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why    string
		family world.Family
		text   string
		want   boot.Kubelet
	}{
		"NodeConfigsMerge": {
			why:    "nodeadm merges parts in order: the last value wins, flags add up, scripts do not count",
			family: world.AL2023,
			text: header + `--//
Content-Type: application/node.eks.aws

apiVersion: node.eks.aws/v1alpha1
kind: NodeConfig
spec:
  kubelet:
    config:
      maxPods: 10
      systemReserved: {memory: 1Gi}
    flags: ["--node-labels=mine=yes"]
  instance: {localStorage: {strategy: RAID0}}
--//
Content-Type: text/x-shellscript

#!/bin/sh
echo hello
` + generated,
			want: boot.Kubelet{
				Cluster:    "demo",
				Endpoint:   "https://api",
				CA:         "Q0E=",
				MaxPods:    58,
				LocalDisks: true,
				Labels: map[string]string{
					"mine": "yes",
					"team": "blue",
				},
				KubeReserved:   map[string]string{"cpu": "100m"},
				SystemReserved: map[string]string{"memory": "1Gi"},
			},
		},
		"QuotedFlags": {
			why:    "nodeadm writes all flags into one line, and systemd takes the quotes away when it splits that",
			family: world.AL2023,
			text: header + `--//
Content-Type: application/node.eks.aws

apiVersion: node.eks.aws/v1alpha1
kind: NodeConfig
spec:
  kubelet:
    flags: ['--node-labels="mine=yes"', '--register-with-taints="a=b:NoSchedule"', "--max-pods '10' --node-labels='one=1,two=2'"]
` + strings.Replace(generated, `"--node-labels=team=blue"`, `"--node-labels=\"team=blue,size=big\""`, 1),
			want: boot.Kubelet{
				Cluster:  "demo",
				Endpoint: "https://api",
				CA:       "Q0E=",
				MaxPods:  10,
				Labels:   map[string]string{"mine": "yes", "one": "1", "two": "2", "team": "blue", "size": "big"},
				KubeReserved: map[string]string{
					"cpu": "100m",
				},
				Taints: []corev1.Taint{{Key: "a", Value: "b", Effect: "NoSchedule"}},
			},
		},
		"PlainNodeConfig": {
			why:    "user data may be one YAML document",
			family: world.AL2023,
			text: "apiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec:\n  cluster: {name: demo, " +
				"apiServerEndpoint: e, certificateAuthority: c, cidr: 10.0.0.0/16}\n" +
				"  kubelet: {flags: [\"--register-with-taints=a=b:NoSchedule,c:NoExecute\"]}\n",
			want: boot.Kubelet{Cluster: "demo", Endpoint: "e", CA: "c", Taints: []corev1.Taint{
				{Key: "a", Value: "b", Effect: "NoSchedule"}, {Key: "c", Effect: "NoExecute"},
			}},
		},
		"BootstrapQuotes": {
			why:    "quotes inside quotes, variables, comments and continued lines are the shell's",
			family: world.AL2,
			text: `#!/bin/bash -xe
NAME="demo" # a comment
export CA='Q0E='
echo "calling /etc/eks/bootstrap.sh now"
/etc/eks/bootstrap.sh "${NAME}" --b64-cluster-ca "$CA" \
  --apiserver-endpoint=https://api \
  --local-disks raid0 \
  --kubelet-extra-args '--node-labels="team=blue,size=big" --max-pods=58 --kube-reserved="cpu=100m,memory=1Gi" --eviction-hard="memory.available<5%"'
`,
			want: boot.Kubelet{
				Cluster:    "demo",
				Endpoint:   "https://api",
				CA:         "Q0E=",
				MaxPods:    58,
				LocalDisks: true,
				Labels:     map[string]string{"team": "blue", "size": "big"},
				KubeReserved: map[string]string{
					"cpu":    "100m",
					"memory": "1Gi",
				},
				EvictionHard: map[string]string{"memory.available": "5%"},
			},
		},
		"BootstrapInABranch": {
			why:    "the call may stand in a branch, behind sudo, and after what other commands print",
			family: world.AL2,
			text: `#!/bin/bash
TOKEN=$(curl -X PUT http://169.254.169.254/latest/api/token)
if [[ -n "$TOKEN" ]]; then
  cat <<'END' > /etc/motd
/etc/eks/bootstrap.sh wrong
END
  EXTRA="--node-labels=team=blue"
  sudo -E /etc/eks/bootstrap.sh demo --kubelet-extra-args "$EXTRA --max-pods=$((50 + 8))" || exit 1
fi
`,
			want: boot.Kubelet{Cluster: "demo", MaxPods: 58, Labels: map[string]string{"team": "blue"}},
		},
		"Windows": {
			why:    "PowerShell's own quotes, and the kubelet's within",
			family: world.Windows,
			text: `<powershell>
[string]$EKSBootstrapScriptFile = "$env:ProgramFiles\Amazon\EKS\Start-EKSBootstrap.ps1"
& $EKSBootstrapScriptFile -EKSClusterName 'demo' -APIServerEndpoint 'https://api' -Base64ClusterCA 'Q0E=' -KubeletExtraArgs '--node-labels="team=blue" --max-pods=58' 3>&1 4>&1 5>&1 6>&1
</powershell>`,
			want: boot.Kubelet{
				Cluster:  "demo",
				Endpoint: "https://api",
				CA:       "Q0E=",
				MaxPods:  58,
				Labels:   map[string]string{"team": "blue"},
			},
		},
		"NoPodLimit": {
			why:    "without the network's limit and without --max-pods the kubelet takes its own default",
			family: world.AL2,
			text:   "#!/bin/sh\n/etc/eks/bootstrap.sh demo --use-max-pods false\n",
			want:   boot.Kubelet{Cluster: "demo", MaxPods: 110},
		},
		"WindowsLineEnds": {
			why:    "a script from an editor with CR LF still boots",
			family: world.AL2,
			text:   "#!/bin/sh\r\n/etc/eks/bootstrap.sh demo\r\n",
			want:   boot.Kubelet{Cluster: "demo"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := boot.Read(encode(tc.text), tc.family)
			if err != nil {
				t.Fatalf("%s: %v", tc.why, err)
			}
			if diff := cmp.Diff(&tc.want, got); diff != "" {
				t.Errorf("%s\nRead: -want +got\n%s", tc.why, diff)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		family world.Family
		text   string
		want   string
	}{
		"Empty":     {world.AL2023, " \n", "empty"},
		"WrongKind": {world.AL2023, "apiVersion: v1\nkind: Pod\n", "want node.eks.aws/v1alpha1 NodeConfig"},
		"BadYAML":   {world.AL2023, "apiVersion: [", "part 1"},
		"BadMime":   {world.AL2023, "MIME-Version: 1.0\nContent-Type: multipart/mixed\n\n--//\n", "part 1"},
		"NoCall": {
			world.AL2,
			"#!/bin/sh\necho /etc/eks/bootstrap.sh demo\n",
			"no part of the user data calls",
		},
		"UnknownArgument": {world.AL2, "#!/bin/sh\n/etc/eks/bootstrap.sh demo --colour red\n", "--colour"},
		"MissingValue": {
			world.AL2,
			"#!/bin/sh\n/etc/eks/bootstrap.sh demo --b64-cluster-ca\n",
			"--b64-cluster-ca needs a value",
		},
		"BadTaint": {
			world.AL2,
			"#!/bin/sh\n/etc/eks/bootstrap.sh demo --kubelet-extra-args --register-with-taints=a:Never\n",
			"a:Never",
		},
		"OpenQuote": {
			world.AL2023,
			strings.Replace(header+generated, `"--node-labels=team=blue"`, `"--node-labels=\"team=blue"`, 1),
			"kubelet flags",
		},
		"BadScript": {world.AL2, "#!/bin/sh\nif true; then\n", "the script in the user data"},
		"BadLabel": {
			world.AL2,
			"#!/bin/sh\n/etc/eks/bootstrap.sh demo --kubelet-extra-args --node-labels=kubernetes.io/role=x\n",
			"kubernetes.io/role",
		},
		"BottlerocketName": {
			world.Bottlerocket,
			"[settings.kubernetes]\napi-server = \"e\"\ncluster-certificate = \"c\"\n",
			"cluster-name",
		},
		"BottlerocketSyntax": {world.Bottlerocket, "[settings", "Bottlerocket"},
		"Powershell":         {world.Windows, "<powershell>\n</powershell>", "Start-EKSBootstrap.ps1"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := boot.Read(
				encode(tc.text),
				tc.family,
			); err == nil ||
				!strings.Contains(err.Error(), tc.want) {
				t.Errorf("Read: error %v, want one that says %q", err, tc.want)
			}
		})
	}
}

func TestNodeResources(t *testing.T) {
	t.Parallel()
	type amounts struct {
		CPU, Pods           int64 // millicores
		MemoryMi, StorageMi int64
		GPUs                int64
	}
	cases := map[string]struct {
		machine boot.Machine
		kubelet boot.Kubelet
		want    amounts // allocatable
	}{
		"Plain": {
			boot.Machine{Type: lookup(t, "m5.large"), Family: world.AL2023, DiskGiB: 20},
			boot.Kubelet{},
			amounts{1930, 29, 7199, 17408, 0},
		},
		"MaxPods": {
			boot.Machine{Type: lookup(t, "m5.large"), Family: world.AL2023, DiskGiB: 20},
			boot.Kubelet{MaxPods: 110},
			amounts{1930, 110, 7199, 17408, 0},
		},
		"PerCore": {
			boot.Machine{Type: lookup(t, "m5.large"), Family: world.AL2023, DiskGiB: 20},
			boot.Kubelet{PodsPerCore: 4},
			amounts{1930, 8, 7199, 17408, 0},
		},
		"LocalDisks": {
			boot.Machine{Type: lookup(t, "m5d.large"), Family: world.AL2023, DiskGiB: 20},
			boot.Kubelet{LocalDisks: true},
			amounts{1930, 29, 7199, 63349, 0},
		},
		"Reserved": {
			boot.Machine{Type: lookup(t, "m5.large"), Family: world.AL2, DiskGiB: 20},
			boot.Kubelet{
				KubeReserved: map[string]string{"cpu": "1"}, SystemReserved: map[string]string{"memory": "1Gi"},
				EvictionHard: map[string]string{"nodefs.available": "1Gi"},
			},
			amounts{1000, 29, 6175, 18432, 0},
		},
		"GPUs": {
			boot.Machine{Type: lookup(t, "p5.48xlarge"), Family: world.AL2023, DiskGiB: 20},
			boot.Kubelet{},
			amounts{191450, 100, 2059866, 17408, 8},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node, err := tc.kubelet.Node(tc.machine)
			if err != nil {
				t.Fatal(err)
			}
			a := node.Status.Allocatable
			got := amounts{
				a.Cpu().MilliValue(),
				a.Pods().Value(),
				a.Memory().Value() >> 20,
				a.StorageEphemeral().Value() >> 20,
				a.Name("nvidia.com/gpu", "").Value(),
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("allocatable: -want +got\n%s", diff)
			}
		})
	}
	bad := boot.Kubelet{KubeReserved: map[string]string{"memory": "lots"}}
	if _, err := bad.Node(
		boot.Machine{Type: lookup(t, "m5.large")},
	); err == nil ||
		!strings.Contains(err.Error(), `"lots"`) {
		t.Errorf("a reservation that is no quantity: %v, want an error that names it", err)
	}
}

func lookup(t *testing.T, name string) *catalog.Type {
	t.Helper()
	ty, ok := catalog.Lookup(name)
	if !ok {
		t.Fatalf("the catalogue has no %s", name)
	}
	return ty
}

// No user data, however broken, may bring the simulator down.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		header + generated, "#!/bin/sh\n/etc/eks/bootstrap.sh demo --kubelet-extra-args '--max-pods=1'\n",
		"[settings.kubernetes]\ncluster-name = \"a\"\n", "<powershell>\n-EKSClusterName 'a'\n</powershell>",
		"apiVersion: x\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, family := range []world.Family{world.AL2, world.AL2023, world.Bottlerocket, world.Windows} {
			if k, err := boot.Read(encode(text), family); err == nil {
				_ = k.Check(boot.Cluster{Name: "demo"})
			}
		}
	})
}
