package pages_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/dovetail-sh/dovetail/internal/devplane"
	"github.com/dovetail-sh/dovetail/playground/pages"
)

// root is the top of the repository, from here.
const root = "../.."

// lookedAt are the pages that describe a running cluster: they play on the playground's sample, in this order, because
// what one changes the next one sees.
var lookedAt = []string{
	"README.md", "docs/playground.md", "docs/troubleshooting", "docs/runbooks", "docs/checks", "docs/guide",
}

// followed are the pages that begin with an empty cluster; each cleans up after itself.
var followed = []string{"docs/aws.md", "docs/tutorials"}

// placeholders are what pages call things by that everybody calls otherwise, in the order of replacing.
func placeholders(node, pod, instance string) *strings.Replacer {
	return strings.NewReplacer(
		"NAMESPACE/NAME",
		"default/"+pod,
		"i-0123456789abcdef0",
		instance,
		"my-cluster",
		"dovetail",
		" NODE",
		" "+node,
		"=NODE",
		"="+node,
		" POD",
		" "+pod,
		"nodeclass NAME",
		"nodeclass default",
		"nodepool NAME",
		"nodepool default",
		"nodepool general",
		"nodepool default",
		"nodepool/general",
		"nodepool/default",
	)
}

// Every block is run on one of the two clusters, or says why not.
func TestEveryBlockIsRunOrSaysWhyNot(t *testing.T) {
	t.Parallel()
	run := 0
	for _, page := range markdown(t, ".") {
		blocks := read(t, page)
		for _, b := range blocks {
			if b.NotRun != "" {
				continue
			}
			run++
			if !slices.ContainsFunc(slices.Concat(lookedAt, followed), func(of string) bool {
				return page == of || strings.HasPrefix(page, of+"/")
			}) {
				t.Errorf(
					"%s:%d is not run and does not say why: put <!-- not run: reason --> before it",
					page,
					b.Line,
				)
			}
		}
	}
	if run < 40 {
		t.Errorf("%d blocks are run: the pages were not found", run)
	}
}

func TestPagesPlayOnTheSample(t *testing.T) {
	t.Parallel()
	at := start(t, "awssim,dovetail,metrics-server,sample")
	at.mustRun(t, "kubectl wait --for=condition=Available --timeout=120s deployment/web deployment/workers")
	node := at.mustRun(
		t,
		"kubectl get nodes -l karpenter.sh/nodepool=default -o jsonpath='{.items[0].metadata.name}'",
	)
	pod := at.mustRun(t, "kubectl get pods -l app=web -o jsonpath='{.items[0].metadata.name}'")
	instance := at.mustRun(t, "kubectl get node "+node+" -o jsonpath='{.spec.providerID}' | sed 's#.*/##'")
	at.names = placeholders(node, pod, instance)
	err := wait.PollUntilContextTimeout(
		t.Context(),
		time.Second,
		2*time.Minute,
		true,
		func(context.Context) (bool, error) {
			_, err := at.run(t, t.TempDir(), "test $(kubectl top pods -A --no-headers | wc -l) -ge 15")
			return err == nil, nil
		},
	)
	if err != nil {
		t.Fatalf("waiting for usage: %v", err)
	}
	for _, of := range lookedAt {
		for _, page := range markdown(t, of) {
			at.play(t, page)
		}
	}
}

func TestTutorialsPlayOnAnEmptyCluster(t *testing.T) {
	t.Parallel()
	at := start(t, "awssim,dovetail")
	at.names = placeholders("", "", "")
	for _, of := range followed {
		for _, page := range markdown(t, of) {
			at.play(t, page)
		}
	}
}

// place is a playground with the commands that pages use.
type place struct {
	dir   string // of the playground
	bin   string // kubectl and dovetail are here
	names *strings.Replacer
}

func start(t *testing.T, with string) *place {
	t.Helper()
	binary := devplane.Binary(t)
	p := &place{dir: filepath.Join(t.TempDir(), "cluster"), bin: t.TempDir()}
	for _, name := range []string{"kubectl", "dovetail"} {
		script := "#!/bin/sh\nexec " + binary + " " + name + " \"$@\"\n"
		if err := os.WriteFile(filepath.Join(p.bin, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	up := exec.CommandContext(t.Context(), binary, "up", "--detach", "--dir", p.dir, "--with", with)
	if said, err := up.CombinedOutput(); err != nil {
		t.Fatalf("starting the playground: %v\n%s", err, said)
	}
	t.Cleanup(func() {
		_ = exec.CommandContext(context.WithoutCancel(t.Context()), binary, "down", "--dir", p.dir).Run()
	})
	return p
}

// play runs the blocks of a page in one shell, in a folder of its own.
func (p *place) play(t *testing.T, page string) {
	t.Helper()
	script := p.names.Replace(pages.Script(page, read(t, page)))
	if script == "" {
		return
	}
	if strings.Contains(script, "aws ") {
		if _, err := exec.LookPath("aws"); err != nil {
			t.Logf("%s needs the AWS command line, which is not here", page)
			return
		}
	}
	if said, err := p.run(t, t.TempDir(), script); err != nil {
		t.Errorf("%s: %v\n%s", page, err, tail(said))
	}
}

func (p *place) mustRun(t *testing.T, script string) string {
	t.Helper()
	said, err := p.run(t, t.TempDir(), script)
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, said)
	}
	return strings.TrimSpace(said)
}

// run runs a script with bash, three minutes at most.
func (p *place) run(t *testing.T, folder, script string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", "source "+p.dir+"/aws.env\n"+script)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(),
		"PATH="+p.bin+":"+os.Getenv("PATH"), "KUBECONFIG="+filepath.Join(p.dir, "kubeconfig"), "HOME="+folder,
		"CLUSTER_NAME=dovetail", "CLUSTER=dovetail", "USER=alice", "AWS_PAGER=", "TERM=dumb",
	)
	said, err := cmd.CombinedOutput()
	return string(said), errors.Join(err, context.Cause(ctx))
}

// markdown lists the pages at a path: itself, or those of a folder and below, sorted.
func markdown(t *testing.T, path string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(root, path), func(file string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && len(d.Name()) > 2:
			return filepath.SkipDir
		case !d.IsDir() && strings.HasSuffix(file, ".md"):
			page, err := filepath.Rel(root, file)
			found = append(found, page)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	return found
}

func read(t *testing.T, page string) []pages.Block {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := pages.Blocks(string(text))
	if err != nil {
		t.Fatalf("%s: %v", page, err)
	}
	return blocks
}

func tail(said string) string {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}
