package devplane_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/dovetail-sh/dovetail/internal/devplane"
)

func TestMain(m *testing.M) { devplane.Main(m) }

// A test gets a real API server of the promised version, which keeps what it is given.
func TestShared(t *testing.T) {
	t.Parallel()
	plane := devplane.Shared(t)
	if again := devplane.Shared(t); again != plane {
		t.Error("a second Shared gave another control plane, want the same")
	}
	client, err := kubernetes.NewForConfig(plane.Config())
	if err != nil {
		t.Fatal(err)
	}
	version, err := client.Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	if version.GitVersion != "v1.36.3" {
		t.Errorf("the API server says it is %s, want v1.36.3", version.GitVersion)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: devplane.Namespace(t)}}
	if _, err := client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Errorf("creating a namespace: %v", err)
	}
}
