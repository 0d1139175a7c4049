package charts_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/dovetail-sh/dovetail/internal/devplane"
)

// getter is how Helm reaches a cluster.
type getter struct{ config *rest.Config }

func (g getter) ToRESTConfig() (*rest.Config, error) { return rest.CopyConfig(g.config), nil }

func (g getter) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	c, err := discovery.NewDiscoveryClientForConfig(g.config)
	if err != nil {
		return nil, err
	}
	return memory.NewMemCacheClient(c), nil
}

func (g getter) ToRESTMapper() (meta.RESTMapper, error) {
	c, err := g.ToDiscoveryClient()
	if err != nil {
		return nil, err
	}
	return restmapper.NewDeferredDiscoveryRESTMapper(c), nil
}

func (g getter) ToRawKubeConfigLoader() clientcmd.ClientConfig {
	return clientcmd.NewDefaultClientConfig(*clientcmdapi.NewConfig(), &clientcmd.ConfigOverrides{
		Context: clientcmdapi.Context{Namespace: metav1.NamespaceSystem},
	})
}

// helm is one major version of Helm.
type helm interface {
	// install installs a release of a chart in this folder, or of a stranger's, in kube-system.
	install(release string, from source, with values, takeOwnership bool) error
	upgrade(release string, from source, with values) error
	rollback(release string) error
	uninstall(release string) error
}

// source is a chart: a folder, or files of a stranger's.
type source struct {
	folder string
	files  map[string]string
}

var (
	ours     = source{folder: "dovetail"}
	oursCRDs = source{folder: "dovetail-crd"}
)

// karpenterCRD is a chart that owns the kinds and has no policy to keep them, as karpenter-crd has none.
func karpenterCRD(t *testing.T) source {
	t.Helper()
	var b strings.Builder
	for _, file := range load(t, "dovetail-crd").Files {
		if strings.Contains(file.Name, "karpenter.sh_") || strings.Contains(file.Name, "ec2nodeclasses") {
			b.WriteString("---\n")
			b.Write(file.Data)
		}
	}
	return source{files: map[string]string{
		"Chart.yaml":          "{apiVersion: v2, name: karpenter-crd, version: 1.9.0}",
		"templates/crds.yaml": b.String(),
	}}
}

var (
	claims = schema.GroupVersionResource{Group: "karpenter.sh", Version: "v1", Resource: "nodeclaims"}
	kinds  = schema.GroupVersionResource{
		Group:    "apiextensions.k8s.io",
		Version:  "v1",
		Resource: "customresourcedefinitions",
	}
)

func claim() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: values{
		"apiVersion": "karpenter.sh/v1",
		"kind":       "NodeClaim",
		"metadata":   values{"name": "lives", "finalizers": []any{"karpenter.sh/termination"}},
		"spec": values{
			"nodeClassRef": values{"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"},
			"requirements": []any{values{"key": "kubernetes.io/os", "operator": "In", "values": []any{"linux"}}},
		},
	}}
}

// A NodeClaim is a machine. Whatever releases do, it stays as it is.
func TestReleasesComeAndGoAndNoMachineIsLost(t *testing.T) {
	for name, make := range map[string]func(*testing.T, getter) helm{"Helm3": newHelm3, "Helm4": newHelm4} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plane := devplane.Start(t)
			c := &cluster{
				t:       t,
				helm:    make(t, getter{plane.Config()}),
				objects: dynamic.NewForConfigOrDie(plane.Config()),
				kube:    kubernetes.NewForConfigOrDie(plane.Config()),
			}
			c.ownKinds()
			c.strangersKinds()
		})
	}
}

type cluster struct {
	t       *testing.T
	helm    helm
	objects dynamic.Interface
	kube    kubernetes.Interface
	uid     string
}

// ownKinds is the life of a release that brought the kinds.
func (c *cluster) ownKinds() {
	with := values{"settings": values{"clusterName": "demo"}, "replicas": 1}
	c.must("installing", c.helm.install("karpenter", ours, with, false))
	c.born()
	c.must("upgrading", c.helm.upgrade("karpenter", ours, merge(values{"replicas": 2}, with)))
	c.lives("the upgrade", "karpenter")
	c.must("rolling back", c.helm.rollback("karpenter"))
	c.lives("the rollback", "karpenter")

	err := c.helm.install("karpenter-crd", oursCRDs, nil, false)
	if err == nil || !strings.Contains(err.Error(), `current value is "karpenter"`) {
		c.t.Errorf("kinds of another release were taken over unasked, or it is not named: %v", err)
	}
	_ = c.helm.uninstall("karpenter-crd") // What failed may have left its record.
	c.must("taking the kinds over", c.helm.install("kinds", oursCRDs, nil, true))
	c.lives("the take-over of the kinds", "kinds")
	c.must("upgrading what lost the kinds", c.helm.upgrade("karpenter", ours, with))
	c.lives("the upgrade of what lost the kinds", "kinds")
	for _, release := range []string{"karpenter", "kinds"} {
		c.must("uninstalling "+release, c.helm.uninstall(release))
		c.lives("the end of "+release, "kinds")
	}
	c.clear()
}

// strangersKinds is the life of a release beside one of karpenter-crd, from which the kinds are taken over later.
func (c *cluster) strangersKinds() {
	with := values{"settings": values{"clusterName": "demo"}}
	c.must("installing karpenter-crd", c.helm.install("karpenter-crd", karpenterCRD(c.t), nil, false))
	c.born()
	c.must("installing beside karpenter-crd", c.helm.install("karpenter", ours, with, false))
	c.lives("the installation beside karpenter-crd", "karpenter-crd")
	c.must("upgrading beside karpenter-crd", c.helm.upgrade("karpenter", ours, merge(values{"replicas": 1}, with)))
	c.lives("the upgrade beside karpenter-crd", "karpenter-crd")
	c.must("taking the kinds over", c.helm.install("dovetail-crd", oursCRDs, nil, true))
	c.lives("the take-over from karpenter-crd", "dovetail-crd")
	secrets := c.kube.CoreV1().Secrets(metav1.NamespaceSystem)
	c.must(
		"forgetting karpenter-crd",
		secrets.DeleteCollection(
			c.t.Context(),
			metav1.DeleteOptions{},
			metav1.ListOptions{LabelSelector: "owner=helm,name=karpenter-crd"},
		),
	)
	for _, release := range []string{"dovetail-crd", "karpenter"} {
		c.must("uninstalling "+release, c.helm.uninstall(release))
		c.lives("the end of "+release, "dovetail-crd")
	}
}

func (c *cluster) must(what string, err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatalf("%s: %v", what, err)
	}
}

// born makes the NodeClaim, once its kind is served.
func (c *cluster) born() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	watch, err := c.objects.Resource(kinds).
		Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=nodeclaims.karpenter.sh"})
	c.must("watching kinds", err)
	defer watch.Stop()
	for range watch.ResultChan() {
		made, err := c.objects.Resource(claims).Create(ctx, claim(), metav1.CreateOptions{})
		if err == nil {
			c.uid = string(made.GetUID())
			return
		}
		if !apierrors.IsNotFound(err) {
			c.t.Fatal(err)
		}
	}
	c.t.Fatal("the kind of NodeClaims is not served")
}

// lives checks that the NodeClaim is the same and not about to go, and whose the kinds are.
func (c *cluster) lives(after, owner string) {
	c.t.Helper()
	got, err := c.objects.Resource(claims).Get(c.t.Context(), "lives", metav1.GetOptions{})
	if err != nil || string(got.GetUID()) != c.uid || got.GetDeletionTimestamp() != nil {
		c.t.Fatalf("after %s the NodeClaim is %v, %v", after, got, err)
	}
	for _, name := range []string{"nodeclaims.karpenter.sh", "nodepools.karpenter.sh",
		"ec2nodeclasses.karpenter.k8s.aws"} {
		kind, err := c.objects.Resource(kinds).Get(c.t.Context(), name, metav1.GetOptions{})
		if err != nil || kind.GetDeletionTimestamp() != nil {
			c.t.Fatalf("after %s the kind %s is %v, %v", after, name, kind, err)
		}
		if got := kind.GetAnnotations()["meta.helm.sh/release-name"]; got != owner {
			c.t.Fatalf("after %s the kind %s is of release %q, want %q", after, name, got, owner)
		}
	}
}

// clear removes the kinds and all that is of them.
func (c *cluster) clear() {
	c.t.Helper()
	c.must("deleting the claim", c.objects.Resource(claims).Delete(c.t.Context(), "lives", metav1.DeleteOptions{}))
	_, err := c.objects.Resource(claims).
		Patch(
			c.t.Context(),
			"lives",
			"application/merge-patch+json",
			[]byte(`{"metadata":{"finalizers":null}}`),
			metav1.PatchOptions{},
		)
	c.must("letting the claim go", err)
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	watch, err := c.objects.Resource(kinds).Watch(ctx, metav1.ListOptions{})
	c.must("watching kinds", err)
	defer watch.Stop()
	c.must(
		"deleting the kinds",
		c.objects.Resource(kinds).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}),
	)
	for range watch.ResultChan() {
		list, err := c.objects.Resource(kinds).List(ctx, metav1.ListOptions{})
		c.must("listing kinds", err)
		if len(list.Items) == 0 {
			return
		}
	}
	c.t.Fatal(errors.New("kinds did not go"))
}
