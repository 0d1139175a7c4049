package cli

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/dovetail-sh/dovetail/api/crd"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/daemon"
	"github.com/dovetail-sh/dovetail/internal/devplane"
)

// The objects come from an API server, the types from the catalogue.
func TestALiveClusterIsExplained(t *testing.T) {
	plane := devplane.Start(t)
	t.Setenv("KUBECONFIG", plane.Kubeconfig())

	code, _, stderr := run(t, "explain", "pod", "too-big")
	if code != 1 ||
		!strings.Contains(stderr, "the cluster has no NodePools: install the custom resource definitions") {
		t.Errorf("without definitions: exit code %d, %s", code, stderr)
	}
	if _, err := envtest.InstallCRDs(plane.Config(), envtest.CRDInstallOptions{CRDs: crd.All()}); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(plane.Config(), client.Options{Scheme: daemon.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []client.Object{livePool("general", "EC2NodeClass"), livePool("other", "OtherNodeClass"), livePod()} {
		if err := c.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	code, stdout, stderr := run(t, "explain", "pod", "too-big", "--region", "eu-west-1")
	if code != 0 {
		t.Fatal(stderr)
	}
	for _, want := range []string{"default/too-big cannot be placed\n  pool general: ", "needs 90Ti memory, largest has ", "note: EC2NodeClass general is not given",
		"pool other\n    1 pool not ready: nothing is known of what OtherNodeClass (karpenter.k8s.aws) sells"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
}

// A live cluster is watched and planned as recorded ones are.
func TestALiveClusterIsLookedAt(t *testing.T) {
	plane := devplane.Start(t)
	t.Setenv("KUBECONFIG", plane.Kubeconfig())
	if _, err := envtest.InstallCRDs(plane.Config(), envtest.CRDInstallOptions{CRDs: crd.All()}); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(plane.Config(), client.Options{Scheme: daemon.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []client.Object{livePool("general", "EC2NodeClass"), livePod()} {
		if err := c.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	for args, want := range map[string]string{
		"top --region eu-west-1":  "default/too-big  ",
		"plan --region eu-west-1": "! no place for default/too-big",
	} {
		code, stdout, stderr := run(t, strings.Fields(args)...)
		if code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("%s: exit code %d, no %q in\n%s%s", args, code, want, stdout, stderr)
		}
	}
}

// Whoever may read nothing is told so in a line by every command, also in a cluster without kinds of Karpenter, with
// some of them, and without a single object.
func TestEveryCommandMakesDoWithLittle(t *testing.T) {
	plane := devplane.Start(t)
	with := stage(t)
	kube, err := clientcmd.LoadFromFile(plane.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range kube.AuthInfos {
		user.Impersonate = "nobody"
	}
	nobody := filepath.Join(t.TempDir(), "nobody")
	if err := clientcmd.WriteToFile(*kube, nobody); err != nil {
		t.Fatal(err)
	}
	all := crd.All()
	core := slices.DeleteFunc(slices.Clone(all), func(c *apiextensionsv1.CustomResourceDefinition) bool {
		return !strings.HasPrefix(c.Spec.Group, "karpenter.sh")
	})
	for _, kinds := range [][]*apiextensionsv1.CustomResourceDefinition{nil, core, all} {
		if _, err := envtest.InstallCRDs(plane.Config(), envtest.CRDInstallOptions{CRDs: kinds}); err != nil {
			t.Fatal(err)
		}
		for who, file := range map[string]string{"the administrator": plane.Kubeconfig(), "nobody": nobody} {
			allMakeDo(t, with, file, fmt.Sprintf("%s, %d kinds", who, len(kinds)))
		}
	}
}

// allMakeDo has all commands that read clusters read one.
func allMakeDo(t *testing.T, with *strings.Replacer, kubeconfig, among string) {
	t.Helper()
	for name, r := range rules {
		if r.live != nil && name != "web" { // which stays
			makesDo(t, name, filled(with, r.live, "--kubeconfig", kubeconfig), among)
		}
	}
}

// partial are commands that show what may be seen, and name what is missing; the others need to see all.
var partial = []string{"top", "check", "shadow"}

// makesDo has a command answer, or say in a line why it cannot.
func makesDo(t *testing.T, name string, args []string, among string) {
	t.Helper()
	if name == "record" {
		args = append(args, "--out", filepath.Join(t.TempDir(), "record"))
	}
	code, stdout, stderr := run(t, args...)
	failed := code == 1 && stdout == "" && strings.HasPrefix(stderr, "dovetail: ") && strings.Count(stderr, "\n") == 1
	if code != 0 && !failed || strings.Contains(stderr, "fault of dovetail") {
		t.Errorf("%s as %s: exit code %d, %q, %q", name, among, code, stdout, stderr)
	}
	if code == 0 && strings.HasPrefix(among, "nobody") && !slices.Contains(partial, name) {
		t.Errorf("%s answers %s of a cluster that it cannot see: %q", name, among, stdout)
	}
}

func livePool(name, class string) *karpenterv1.NodePool {
	np := &karpenterv1.NodePool{}
	np.Name = name
	np.Spec.Template.Spec.NodeClassRef = &karpenterv1.NodeClassReference{
		Group: "karpenter.k8s.aws",
		Kind:  class,
		Name:  "general",
	}
	np.Spec.Template.Spec.Requirements = []karpenterv1.Requirement{
		{Key: "kubernetes.io/arch", Operator: "In", Values: []string{"amd64"}},
	}
	return np
}

func livePod() *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "too-big", Namespace: metav1.NamespaceDefault}}
	pod.Spec.Containers = []corev1.Container{{Name: "main", Image: "none", Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("90Ti")}}}}
	return pod
}
