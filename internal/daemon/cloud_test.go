package daemon

import (
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/rest"
)

// In a cluster that is not on EKS, and in a network without EKS's endpoint, the controller's own CA has to do.
func TestNodesTrustTheAPIServerAsTheControllerDoes(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(file, []byte("mounted"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, tc := range map[string]struct {
		set  string
		kube rest.Config
	}{
		"c2V0":         {"c2V0", rest.Config{TLSClientConfig: rest.TLSClientConfig{CAData: []byte("given")}}},
		"Z2l2ZW4=":     {"", rest.Config{TLSClientConfig: rest.TLSClientConfig{CAData: []byte("given")}}},
		"bW91bnRlZA==": {"", rest.Config{TLSClientConfig: rest.TLSClientConfig{CAFile: file}}},
		"":             {"", rest.Config{}},
	} {
		if got, err := authorityOf(tc.set, &tc.kube); got != want || err != nil {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	if _, err := authorityOf("", &rest.Config{TLSClientConfig: rest.TLSClientConfig{CAFile: file + ".gone"}}); err == nil {
		t.Error("a file that is not there is no error")
	}
}
