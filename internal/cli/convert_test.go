package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const oldPool = `apiVersion: karpenter.sh/v1beta1
kind: NodePool
metadata: {name: default}
spec:
  template:
    spec:
      requirements: [{key: kubernetes.io/arch, operator: In, values: [amd64]}]
      nodeClassRef: {name: default}
  disruption: {consolidationPolicy: WhenUnderutilized, expireAfter: 168h}
`

func TestConvertPrintsOrWritesBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pool, app := filepath.Join(dir, "a-pool.yaml"), filepath.Join(dir, "b-app.yaml")
	const plain = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}  # as it is\n"
	writeOld(t, pool, oldPool)
	writeOld(t, app, plain)
	code, out, said := run(t, "convert", "-f", dir)
	if code != 0 || !strings.Contains(out, "expireAfter: 168h") || !strings.HasSuffix(out, "---\n"+plain) ||
		!strings.Contains(said, "b-app.yaml:1: Namespace shop: nothing old in it") {
		t.Fatalf("exit %d\n%s\n%s", code, out, said)
	}
	if code, out, said = run(t, "convert", "-f", dir, "--write"); code != 0 || out != "" ||
		!strings.Contains(said, "1 of 2 files changed") {
		t.Fatalf("exit %d\n%s\n%s", code, out, said)
	}
	info, err := os.Stat(pool)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the file has mode %v, %v", info.Mode(), err)
	}
	if code, _, said = run(t, "convert", "-f", dir, "--write"); code != 0 ||
		!strings.Contains(said, "0 of 2 files changed") {
		t.Errorf("a second run: exit %d\n%s", code, said)
	}
	holds(t, app, plain)
}

func writeOld(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
}

func holds(t *testing.T, file, want string) {
	t.Helper()
	if text, err := os.ReadFile(file); err != nil || string(text) != want {
		t.Errorf("%s became %q, %v", file, text, err)
	}
}

func TestConvertWritesNothingIfSomethingIsInTheWay(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pool.yaml")
	if err := os.WriteFile(file, []byte(oldPool+"  stray: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, said := run(t, "convert", "-f", file, "--write")
	if code == 0 || out != "" ||
		!strings.Contains(
			said,
			file+":10: NodePool default: spec.stray: no release of Karpenter had this field here",
		) {
		t.Errorf("exit %d\n%s\n%s", code, out, said)
	}
	if text, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(text), oldPool) {
		t.Errorf("the file became %q, %v", text, err)
	}
	if code, _, said = run(t, "convert"); code == 0 || !strings.Contains(said, "give files with -f") {
		t.Errorf("without files: exit %d, %s", code, said)
	}
}
