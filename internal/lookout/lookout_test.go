package lookout_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/dovetail-sh/dovetail/api/crd"
	"github.com/dovetail-sh/dovetail/internal/daemon"
	"github.com/dovetail-sh/dovetail/internal/devplane"
	"github.com/dovetail-sh/dovetail/internal/lookout"
)

// Changes are seen as they come; who may list little is told what is missing, and sees the rest.
func TestAClusterIsFollowedAsFarAsOneMay(t *testing.T) {
	t.Parallel()
	plane := devplane.Start(t)
	if _, err := envtest.InstallCRDs(plane.Config(), envtest.CRDInstallOptions{CRDs: crd.All()}); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(plane.Config(), client.Options{Scheme: daemon.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	all := follow(ctx, t, plane.Config(), "default")
	if set, missing, err := all.Read(ctx); err != nil || len(missing) > 0 || len(set.Nodes) > 0 {
		t.Fatalf("%v, missing %q, %v", set, missing, err)
	}
	if err := c.Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}}); err != nil {
		t.Fatal(err)
	}
	for seen := 0; seen == 0; {
		select {
		case <-all.Changed():
		case <-ctx.Done():
			t.Fatal("the node is never seen")
		}
		set, _, err := all.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		seen = len(set.Nodes)
	}
	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: "pods", Namespace: "default"},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list", "watch"}},
		},
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "pods", Namespace: "default"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "pods"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "guest"}},
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "default"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}},
	}
	for _, o := range []client.Object{role, binding, pod} {
		if err := c.Create(ctx, o); err != nil {
			t.Fatal(err)
		}
	}
	guest := rest.CopyConfig(plane.Config())
	guest.Impersonate.UserName = "guest"
	var set []*corev1.Pod
	var missing []string
	for len(set) == 0 { // rights reach the server's authorizer a moment after they are written
		l := follow(ctx, t, guest, "default")
		read, without, err := l.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		set, missing = read.Pods, without
	}
	for _, want := range []string{"Pods outside namespace default, which you may not list",
		"Nodes, which you may not list", "NodePools, which you may not list"} {
		if !slices.Contains(missing, want) {
			t.Errorf("no %q in\n%s", want, strings.Join(missing, "\n"))
		}
	}
}

func follow(ctx context.Context, t *testing.T, kube *rest.Config, namespace string) *lookout.Lookout {
	t.Helper()
	l, err := lookout.Start(ctx, kube, daemon.Scheme(), namespace)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A server that does not answer is an error that names it, and soon.
func TestAServerThatDoesNotAnswerIsSaid(t *testing.T) {
	t.Parallel()
	_, err := lookout.Start(
		t.Context(),
		&rest.Config{Host: "http://127.0.0.1:1", Timeout: time.Second},
		daemon.Scheme(),
		"default",
	)
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("got %v", err)
	}
}
