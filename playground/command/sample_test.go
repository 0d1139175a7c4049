package command_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// What `make playground` leaves behind is a cluster to look at: pods run on machines that were bought for them, the
// controller's log is a pod's, every other pod says why it has none, and usage is measured.
func TestTheSampleIsThereToLookAt(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "cluster")
	said := mustRun(t, "up", "--detach", "--dir", dir, "--with", "awssim,dovetail,metrics-server,sample")
	t.Cleanup(func() { _, _, _ = run(t, "down", "--dir", dir) })
	for _, want := range []string{"kubectl get nodepools,nodeclaims,nodes", "dovetail top", "kubectl top pods",
		"aws.env"} {
		if !strings.Contains(said, want) {
			t.Errorf("up does not mention %q as a next step:\n%s", want, said)
		}
	}
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(dir, "kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the sample's 14 pods to run", func(ctx context.Context) (bool, string) {
		pods, err := kube.CoreV1().
			Pods("default").
			List(ctx, metav1.ListOptions{FieldSelector: "status.phase=Running"})
		if err != nil {
			return false, err.Error()
		}
		for _, p := range pods.Items {
			if p.Spec.NodeName == "static-1" {
				t.Fatalf("pod %s runs on the static node", p.Name)
			}
		}
		return len(pods.Items) == 14, "some do not"
	})
	eventually(t, "the controller's log as a pod's", func(ctx context.Context) (bool, string) {
		text, err := kube.CoreV1().
			Pods("kube-system").
			GetLogs("karpenter", &corev1.PodLogOptions{Container: "controller"}).
			DoRaw(ctx)
		return err == nil && strings.Contains(string(text), `"message":"created nodeclaim"`), string(text)
	})
	running := metav1.ListOptions{FieldSelector: "status.phase=Running"}
	pods, err := kube.CoreV1().Pods("default").List(t.Context(), running)
	if err != nil {
		t.Fatal(err)
	}
	text, err := kube.CoreV1().Pods("default").GetLogs(pods.Items[0].Name, &corev1.PodLogOptions{}).DoRaw(t.Context())
	if err != nil || !strings.Contains(string(text), "played by kwok") {
		t.Errorf("a pod's log is %q, %v; want why it is empty", text, err)
	}
	eventually(t, "usage of the pods", func(ctx context.Context) (bool, string) {
		text, err := kube.RESTClient().
			Get().
			AbsPath("/apis/metrics.k8s.io/v1beta1/namespaces/default/pods").
			DoRaw(ctx)
		return err == nil && strings.Contains(string(text), `"cpu":"700`), string(text)
	})
}

// eventually asks until something is so, for two minutes at most.
func eventually(t *testing.T, what string, so func(context.Context) (bool, string)) {
	t.Helper()
	last := ""
	err := wait.PollUntilContextTimeout(
		t.Context(),
		200*time.Millisecond,
		2*time.Minute,
		true,
		func(ctx context.Context) (bool, error) {
			ok, state := so(ctx)
			last = state
			return ok, nil
		},
	)
	if err != nil {
		t.Fatalf("waiting for %s: %v; last: %.500s", what, err, last)
	}
}
