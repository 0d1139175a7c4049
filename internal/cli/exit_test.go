package cli

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/dovetail-sh/dovetail/internal/known"
	"github.com/dovetail-sh/dovetail/internal/manifest"
)

// A fault of ours is a line that says where it is and what to send, and no stack.
func TestAFaultOfOursIsToldInALine(t *testing.T) {
	t.Parallel()
	var stderr strings.Builder
	tables := []map[string]int{nil}
	code := codeOf(t.Context(), sound(false, func() error {
		tables[0]["x"] = 1
		return nil
	}), &stderr)
	said := stderr.String()
	if code != 1 || strings.Count(said, "\n") != 1 || !strings.Contains(said, "nil map (exit_test.go:") ||
		!strings.Contains(said, "`dovetail record --redact`") {
		t.Errorf("exit code %d, %q", code, said)
	}
	if want := errors.New("its own"); !errors.Is(sound(false, func() error { return want }), want) {
		t.Error("an error is lost")
	}
}

// Whatever answers where the controller is asked, its user learns what to do.
func TestWhoeverAnswersForTheController(t *testing.T) {
	t.Parallel()
	for want, answer := range map[string]struct {
		code int
		text string
	}{
		"give it with --controller-token FILE":         {http.StatusUnauthorized, "want a token"},
		"403 Forbidden: may not":                       {http.StatusForbidden, "may not\n"},
		"is not where the controller has its metrics":  {http.StatusNotFound, "404 page not found\n"},
		"note: the controller knows nothing of node n": {http.StatusNotFound, known.Nothing + "node n\n"},
		"is no Dovetail":                               {http.StatusOK, "<html>"},
		"500 Internal Server Error: a b":               {http.StatusInternalServerError, "a\nb\n\nand more"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, strings.TrimSuffix(answer.text, "\n"), answer.code)
		}))
		t.Cleanup(server.Close)
		c := controllerFlags{address: server.URL}
		out, note, err := c.known(t.Context(), &rest.Config{}, "node", "n")
		said := "note: " + note
		if err != nil {
			said = err.Error()
		}
		if out != nil || !strings.Contains(said, want) || strings.Contains(said, "\n") {
			t.Errorf("%d %q: %q, want %q", answer.code, answer.text, said, want)
		}
	}
}

// Who has not asked the controller is told how to get at the one that runs.
func TestTheWayToTheControllerIsNamed(t *testing.T) {
	t.Parallel()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: "k-1", Namespace: "ops", Labels: map[string]string{"app.kubernetes.io/name": "karpenter"},
	}}
	pod.Spec.Containers = []corev1.Container{
		{Ports: []corev1.ContainerPort{{Name: "http-metrics", ContainerPort: 9000}}},
	}
	for phase, want := range map[corev1.PodPhase]string{
		corev1.PodRunning: "port-forward -n ops pod/k-1 8080:9000",
		corev1.PodFailed:  "port-forward -n kube-system deployment/karpenter 8080:8080",
	} {
		pod.Status.Phase = phase
		if got := notAsked(&manifest.Set{Pods: []*corev1.Pod{pod}}); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", phase, got, want)
		}
	}
}
