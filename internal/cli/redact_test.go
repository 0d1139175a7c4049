package cli

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dovetail-sh/dovetail/engine"
)

// planting hands out texts that must not be found again.
type planting struct{ texts []string }

// name is one that objects and labels may have.
func (p *planting) name(kind string) string {
	return p.kept(fmt.Sprintf("%s-q7z%dx", kind, len(p.texts)))
}

// text is of a kind that annotations, variables and messages have; in quotes for YAML.
func (p *planting) text() string {
	n := len(p.texts)
	text := []string{
		fmt.Sprintf("arn:aws:iam::%012d:role/q7z%dx", 700_000_000_000+n, n),
		base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "password=q7z%dx", n)),
		fmt.Sprintf("2001:db8:%x::%x", n, n+7),
		fmt.Sprintf("someone.q7z%dx@example.com", n),
		fmt.Sprintf("q7z%dx\nof several lines\n\tand more", n),
		fmt.Sprintf("0/9 nodes are available: node host-q7z%dx was unschedulable", n),
		fmt.Sprintf("größe-q7z%dx-日本", n),
		fmt.Sprintf("https://user:q7z%dx@example.com/?token=1", n),
	}[n%8]
	quoted, _ := json.Marshal(p.kept(text)) // no text is none
	return string(quoted)
}

func (p *planting) kept(text string) string {
	p.texts = append(p.texts, text)
	return text
}

// cluster is one of manifests that are full of such texts.
func (p *planting) cluster() string {
	var b strings.Builder
	pool := p.name("pool")
	b.WriteString(ec2Pool(pool, "m6i.large, m6i.2xlarge", "", onDemand))
	for range 6 {
		node := p.name("node")
		fmt.Fprintf(&b, `
---
apiVersion: v1
kind: Node
metadata:
  name: %s
  labels: {karpenter.sh/nodepool: %s, node.kubernetes.io/instance-type: m6i.2xlarge, %s: %s}
  annotations: {a: %s, b: %s, c: %s}
spec: {providerID: %s}
status:
  allocatable: {cpu: 7, memory: 28Gi, pods: 58}
  capacity: {cpu: 8, memory: 32Gi, pods: 58}
  addresses: [{type: InternalIP, address: %s}]
  conditions: [{type: Ready, status: "True", message: %s}]
---
apiVersion: v1
kind: Event
metadata: {name: %s, namespace: default}
involvedObject: {kind: Node, name: %s}
message: %s
---
apiVersion: v1
kind: Secret
metadata: {name: %s}
data: {key: %s}
`, node, pool, p.name("key"), p.name("value"),
			p.text(), p.text(), p.text(), p.text(), p.text(), p.text(), p.name("event"),
			node, p.text(), p.name("secret"), p.text())
	}
	for len(p.texts) < 1000 {
		fmt.Fprintf(&b, `
---
apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: default, labels: {app: %s}, annotations: {a: %s, b: %s, c: %s, d: %s}}
spec:
  containers:
  - {name: %s, image: %s, args: [%s, %s], env: [{name: A, value: %s}, {name: B, value: %s}],
     resources: {requests: {cpu: 1500m}}}
`, p.name("pod"), p.name("app"), p.text(), p.text(), p.text(), p.text(), p.name("box"), p.name("image"), p.text(),
			p.text(), p.text(), p.text())
	}
	return b.String()
}

// TestNothingOfManifestsIsLeft plants a thousand texts wherever manifests have room for them: none is in what record
// writes, and what is decided stays the same.
func TestNothingOfManifestsIsLeft(t *testing.T) {
	t.Parallel()
	p := &planting{}
	file := written(t, "cluster.yaml", p.cluster())
	dir := t.TempDir()
	open, closed := filepath.Join(dir, "open.json.gz"), filepath.Join(dir, "closed.json.gz")
	for out, more := range map[string][]string{open: nil, closed: {"--redact"}} {
		if code, _, stderr := run(t, append([]string{"record", "-f", file, "--out", out}, more...)...); code != 0 {
			t.Fatal(stderr)
		}
	}
	before, after := recorded(t, open), recorded(t, closed)
	var text strings.Builder
	written := json.NewEncoder(&text)
	written.SetEscapeHTML(false)
	if err := written.Encode(after); err != nil {
		t.Fatal(err)
	}
	for _, planted := range p.texts {
		quoted, _ := json.Marshal(planted)
		if strings.Contains(text.String(), strings.Trim(string(quoted), `"`)) {
			t.Errorf("%q is left", planted)
		}
	}
	if strings.Contains(text.String(), "q7z") {
		t.Error("a part of a planted text is left")
	}
	sameDecision(t, &before.Plan.Decision, &after.Plan.Decision)
	for _, policy := range []string{"effort=0", "preferences=Ignore"} {
		_, first, _ := run(t, "replay", open, "--policy", policy)
		_, second, _ := run(t, "replay", closed, "--policy", policy)
		one, other := strings.SplitN(first, "\n", 2)[0], strings.SplitN(second, "\n", 2)[0]
		if one != other || one == "" {
			t.Errorf("%s: %q, and redacted %q", policy, one, other)
		}
	}
}

func recorded(t *testing.T, file string) *recording {
	t.Helper()
	r, err := readRecording(file)
	if err != nil || r == nil {
		t.Fatal(r, err)
	}
	return r
}

func sameDecision(t *testing.T, was, is *engine.Decision) {
	t.Helper()
	if was.Price != is.Price || was.Bound != is.Bound || len(was.Open) != len(is.Open) ||
		len(was.Place) != len(is.Place) ||
		len(was.Unplaced) != len(is.Unplaced) || len(was.Open) == 0 ||
		len(was.Place) == 0 {
		t.Fatalf(
			"%v, bound %v, %d opened, %d placed, %d not; was %v, %v, %d, %d, %d",
			is.Price,
			is.Bound,
			len(is.Open),
			len(is.Place),
			len(is.Unplaced),
			was.Price,
			was.Bound,
			len(was.Open),
			len(was.Place),
			len(was.Unplaced),
		)
	}
	for i := range was.Open {
		if len(was.Open[i].Pods) != len(is.Open[i].Pods) ||
			was.Open[i].Options[0].Type != is.Open[i].Options[0].Type {
			t.Errorf("node %d is %v, was %v", i, is.Open[i].Options[0], was.Open[i].Options[0])
		}
	}
}
