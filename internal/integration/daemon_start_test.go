package integration

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	apiextensionsclient "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/dovetail-sh/dovetail/internal/daemon"
	"github.com/dovetail-sh/dovetail/internal/devplane"
)

// TestDaemonSaysWhyItCannotStart holds every way of not starting to one message that names what is wrong and what to
// do.
func TestDaemonSaysWhyItCannotStart(t *testing.T) {
	t.Parallel()
	quietLibraries()
	plane := devplane.Start(t)

	refusal := func(kube *rest.Config) string {
		_, err := daemon.New(t.Context(), settings(), daemon.Options{RestConfig: kube})
		if err == nil {
			return "it started"
		}
		return err.Error()
	}
	if missing := missingFrom(
		refusal(plane.Config()),
		"NodePool",
		"NodeClaim",
		"KWOKNodeClass",
		"install the CRDs",
	); missing != "" {
		t.Errorf("without definitions: %s", missing)
	}
	installDefinitions(t, plane.Config())

	wrong := plane.Config()
	wrong.TLSClientConfig.CertData, wrong.TLSClientConfig.KeyData = nil, nil
	wrong.TLSClientConfig.CertFile, wrong.TLSClientConfig.KeyFile = "", ""
	wrong.BearerToken = "not-a-token"
	if missing := missingFrom(refusal(wrong), "does not accept the credentials", plane.Endpoint()); missing != "" {
		t.Errorf("with wrong credentials: %s", missing)
	}

	away := plane.Config()
	away.Host = "https://127.0.0.1:1"
	if missing := missingFrom(refusal(away), "https://127.0.0.1:1 does not answer", "KUBECONFIG"); missing != "" {
		t.Errorf("with nobody there: %s", missing)
	}
	if got := refusal(plane.Config()); got != "it started" {
		t.Errorf("with everything in place: %s", got)
	}
	missingKindOfOtherCloud(t, plane.Config())
}

// missingKindOfOtherCloud checks that only the kinds of the configured cloud are asked for.
func missingKindOfOtherCloud(t *testing.T, kube *rest.Config) {
	t.Helper()
	definitions, err := apiextensionsclient.NewForConfig(kube)
	if err != nil {
		t.Fatal(err)
	}
	if err := definitions.ApiextensionsV1().
		CustomResourceDefinitions().
		Delete(t.Context(), "ec2nodeclasses.karpenter.k8s.aws", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := daemon.New(t.Context(), settings(), daemon.Options{RestConfig: kube}); err != nil {
		t.Errorf("the kwok cloud needs no EC2NodeClass: %v", err)
	}
}

func TestCommandLineErrors(t *testing.T) {
	t.Parallel()
	nowhere := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(
		nowhere,
		[]byte(
			"apiVersion: v1\nkind: Config\nclusters: [{name: x, cluster: {server: \"https://127.0.0.1:1\"}}]\ncontexts: [{name: x, context: {cluster: x}}]\ncurrent-context: x\n",
		),
		0o600,
	); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		args []string
		want []string
		code int
	}{
		"NoCluster": {[]string{"controller"}, []string{"--cluster-name", "CLUSTER_NAME", "is empty"}, 2},
		"NoCloud":   {[]string{"controller", "--cloud=gcp"}, []string{"--cloud is \"gcp\"", "aws, kwok"}, 2},
		"NoKubeconfig": {
			[]string{"controller", "--cloud=kwok", "--kubeconfig=/no/such/file"},
			[]string{"/no/such/file", "--kubeconfig"}, 2,
		},
		"Unreachable": {
			[]string{"controller", "--cloud=kwok", "--kubeconfig=" + nowhere},
			[]string{"https://127.0.0.1:1", "does not answer"}, 1,
		},
		"BadGate": {[]string{"controller", "--feature-gates=NodeOverlay=perhaps"},
			[]string{"feature gate NodeOverlay must be true or false, not \"perhaps\""}, 2},
		"UnknownFlag": {[]string{"controller", "--batch-idle=1s"}, []string{"unknown flag: --batch-idle"}, 2},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// A process of its own: the command line sets what is global, such as where libraries log.
			var errs strings.Builder
			cmd := exec.CommandContext(t.Context(), devplane.Binary(t), append([]string{"dovetail"}, tc.args...)...)
			cmd.Stderr = &errs
			var exit *exec.ExitError
			if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != tc.code {
				t.Errorf("%v, want exit code %d", err, tc.code)
			}
			if missing := missingFrom(errs.String(), tc.want...); missing != "" {
				t.Error(missing)
			}
			if lines := strings.Count(strings.TrimSpace(errs.String()), "\n"); lines > 0 {
				t.Errorf("one message is one line:\n%s", errs.String())
			}
		})
	}
}
