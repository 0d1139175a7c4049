package scenarios

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"
)

func TestEveryStoryIsWhole(t *testing.T) {
	t.Parallel()
	all, err := Stories()
	if err != nil {
		t.Fatal(err)
	}
	quick := 0
	for _, s := range all {
		if s.Quick {
			quick++
		}
		used := map[string]bool{}
		for line := range strings.Lines(s.script) {
			fields := strings.Fields(line)
			if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
				continue
			}
			if !isWord(fields[0]) {
				t.Errorf("story %s: %s is no command", s.Name, fields[0])
			}
			if fields[0] != "apply" && fields[0] != "delete" {
				continue
			}
			for _, file := range fields[1:] {
				used[file] = true
				if _, err := s.manifest(file, map[string]string{"CLUSTER_NAME": "test"}); err != nil {
					t.Errorf("story %s: %v", s.Name, err)
				}
			}
		}
		for file, text := range s.files {
			if !used[file] {
				t.Errorf("story %s: nothing applies its file %s", s.Name, file)
			}
			for _, document := range strings.Split(text, "\n---\n") {
				var into map[string]any
				if err := yaml.Unmarshal([]byte(document), &into); err != nil {
					t.Errorf("story %s: %s: %v", s.Name, file, err)
				}
			}
		}
	}
	if len(all) < 40 || quick < 12 {
		t.Errorf("%d stories, %d of them quick; want 40 and 12 at least", len(all), quick)
	}
}

func isWord(name string) bool {
	for _, w := range words() {
		if w.name == name {
			return true
		}
	}
	return false
}

func TestLedgerTellsWhatWasBoughtInVain(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.sawClaim(claim("used", "node-1"))
	l.sawClaim(claim("empty", "node-2"))
	l.sawClaim(claim("unjoined", ""))
	l.sawClaim(claim("joins", ""))
	l.sawClaim(claim("joins", "node-3"))
	l.sawPod(pod("web-1", "node-1", "ReplicaSet"))
	l.sawPod(pod("agent-2", "node-2", "DaemonSet"))
	l.sawPod(pod("web-3", "node-3", "ReplicaSet"))
	got := strings.Join(l.inVain(), ", ")
	if want := "empty (node-2), unjoined ()"; got != want {
		t.Errorf("bought in vain: %s, want %s", got, want)
	}
}

func TestWhatTheStoryItselfDeletesIsNotDisturbed(t *testing.T) {
	t.Parallel()
	l := newLedger()
	ended := func(name string) *corev1.Pod {
		p := pod(name, "node-1", "StatefulSet")
		p.UID, p.Namespace = types.UID(name), "default"
		l.protect(p)
		p.DeletionTimestamp = &metav1.Time{}
		return p
	}
	before, after := ended("db-0"), ended("db-1")
	l.sawPod(before)
	l.unprotect()
	l.sawPod(after)
	if got, want := strings.Join(l.disturbed(), ", "), "default/db-0"; got != want {
		t.Errorf("disturbed: %s, want %s", got, want)
	}
}

func TestLedgerTellsWhichPodsWereTurnedAway(t *testing.T) {
	t.Parallel()
	l := newLedger()
	crashed, refused := pod("crashed", "node-1", "Job"), pod("refused", "node-1", "ReplicaSet")
	crashed.UID, refused.UID, refused.Namespace = "1", "2", "default"
	crashed.Status = corev1.PodStatus{Phase: corev1.PodFailed, Message: "Error"}
	refused.Status = corev1.PodStatus{
		Phase:   corev1.PodFailed,
		Reason:  "OutOfcpu",
		Message: "Pod was rejected: Node didn't have enough resource: cpu",
	}
	l.sawPod(crashed)
	l.sawPod(refused)
	if got, want := strings.Join(l.turnedAway(), ", "), "default/refused on node-1 (OutOfcpu)"; got != want {
		t.Errorf("turned away: %s, want %s", got, want)
	}
	l.reset()
	if left := l.turnedAway(); len(left) > 0 {
		t.Errorf("the next story has %v", left)
	}
}
