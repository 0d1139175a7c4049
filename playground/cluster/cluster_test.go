package cluster_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/dovetail-sh/dovetail/internal/devplane"
	"github.com/dovetail-sh/dovetail/playground/cluster"
)

const (
	// readyGoal is what an idle machine is to keep; a busy one only gets a line in the log.
	readyGoal = 5 * time.Second
	// stopGoal is how long an orderly end may take.
	stopGoal = 10 * time.Second
)

// recorder keeps the events of a cluster.
type recorder struct {
	mu     sync.Mutex // guards the field below
	events []cluster.Event
}

func (r *recorder) note(e cluster.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

func (r *recorder) saw(part string, kind cluster.Kind) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.events, func(e cluster.Event) bool { return e.Part == part && e.Kind == kind })
}

func start(t *testing.T, options cluster.Options) (*cluster.Cluster, *recorder) {
	t.Helper()
	events := &recorder{}
	options.Binary, options.Report = devplane.Binary(t), events.note
	if options.Dir == "" {
		options.Dir = filepath.Join(t.TempDir(), "cluster")
	}
	c, err := cluster.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Errorf("stopping: %v", err)
		}
	})
	return c, events
}

func clientOf(t *testing.T, kubeconfig string) kubernetes.Interface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// eventually asks until the answer is yes.
func eventually(t *testing.T, within time.Duration, what string, answer func() bool) {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !answer() {
		select {
		case <-deadline.C:
			t.Fatalf("after %s still not so: %s", within, what)
		case <-tick.C:
		}
	}
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// A pod of a Deployment is scheduled to a Node that somebody made, runs, and
// goes when it is told to; then everything ends and nothing is left.
func TestPodLivesOnFakeNode(t *testing.T) {
	t.Parallel()
	c, _ := start(t, cluster.Options{})
	state := c.State()
	t.Logf("ready after %s", state.ReadyAfter)
	if took, err := time.ParseDuration(state.ReadyAfter); err != nil || took > readyGoal {
		t.Logf("the goal on an idle machine is %s (%v)", readyGoal, err)
	}
	registrar, err := c.KubeconfigOf(cluster.RegistrarUser)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := clientOf(
		t,
		registrar,
	).CoreV1().
		Nodes().
		Create(t.Context(), fakeNode("fake-1"), metav1.CreateOptions{}); err != nil {
		t.Fatalf("creating a node as %s: %v", cluster.RegistrarUser, err)
	}
	client := clientOf(t, c.Kubeconfig())
	deployments := client.AppsV1().Deployments(metav1.NamespaceDefault)
	if _, err := deployments.Create(t.Context(), webDeployment(), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	pods := func() []corev1.Pod {
		list, err := client.CoreV1().Pods(metav1.NamespaceDefault).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return list.Items
	}
	eventually(t, 30*time.Second, "the pod runs on fake-1", func() bool {
		return slices.ContainsFunc(pods(), func(p corev1.Pod) bool {
			return p.Spec.NodeName == "fake-1" && p.Status.Phase == corev1.PodRunning
		})
	})
	if err := deployments.Delete(t.Context(), "web", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "the pod is gone", func() bool { return len(pods()) == 0 })

	stopLeavesNothing(t, c)
}

func stopLeavesNothing(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	parts := c.State().Parts
	if len(parts) != len(cluster.Full) {
		t.Errorf("%d parts run, want %d", len(parts), len(cluster.Full))
	}
	began := time.Now()
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > stopGoal {
		t.Errorf("stopping took %s, want at most %s", took, stopGoal)
	}
	for _, p := range parts {
		if alive(p.PID) {
			t.Errorf("%s, process %d, still runs", p.Name, p.PID)
		}
	}
	if _, err := os.Stat(c.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there (%v)", c.Dir(), err)
	}
}

// Whatever part is killed is started again, is counted, and serves as before.
func TestDeadPartIsRestarted(t *testing.T) {
	t.Parallel()
	c, events := start(t, cluster.Options{Parts: cluster.APIOnly})
	client := clientOf(t, c.Kubeconfig())
	for _, victim := range []string{cluster.APIServer, cluster.Etcd} {
		for _, p := range c.State().Parts {
			if p.Name == victim {
				if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
		}
		eventually(
			t,
			10*time.Second,
			victim+" is noticed dead",
			func() bool { return events.saw(victim, cluster.Died) },
		)
		eventually(
			t,
			30*time.Second,
			victim+" is started again",
			func() bool { return events.saw(victim, cluster.Restarted) },
		)
		eventually(t, 60*time.Second, "the API server answers without "+victim+"'s first process", func() bool {
			_, err := client.CoreV1().Namespaces().Get(t.Context(), metav1.NamespaceDefault, metav1.GetOptions{})
			return err == nil
		})
	}
	for _, p := range c.State().Parts {
		if p.Restarts == 0 {
			t.Errorf("%s: no restart is counted", p.Name)
		}
	}
}

// A kept directory can be continued: the objects are still there.
func TestKeptClusterContinues(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "kept")
	first, _ := start(t, cluster.Options{Dir: dir, Keep: true, Parts: cluster.APIOnly})
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "remembered"}}
	if _, err := clientOf(
		t,
		first.Kubeconfig(),
	).CoreV1().
		Namespaces().
		Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := cluster.Start(t.Context(), cluster.Options{Dir: dir, Binary: devplane.Binary(t)}); err == nil {
		t.Error("a second cluster started in a directory that is in use")
	}
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := cluster.Find(dir); !errors.Is(err, cluster.ErrNotUp) {
		t.Errorf("looking for a stopped cluster: %v, want ErrNotUp", err)
	}
	second, _ := start(t, cluster.Options{Dir: dir, Parts: cluster.APIOnly})
	if _, err := clientOf(
		t,
		second.Kubeconfig(),
	).CoreV1().
		Namespaces().
		Get(t.Context(), "remembered", metav1.GetOptions{}); err != nil {
		t.Errorf("looking for what the first cluster stored: %v", err)
	}
}

// RBAC is on: who is nobody's member may do nothing.
func TestMintedUserHasNoRights(t *testing.T) {
	t.Parallel()
	c, _ := start(t, cluster.Options{Parts: cluster.APIOnly})
	for _, tc := range []struct {
		user   string
		groups []string
		want   bool
	}{
		{user: "jane"},
		{user: "jane", groups: []string{"system:masters"}, want: true},
	} {
		path, err := c.KubeconfigOf(tc.user, tc.groups...)
		if err != nil {
			t.Fatal(err)
		}
		_, err = clientOf(t, path).CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
		if tc.want && err != nil || !tc.want && !apierrors.IsForbidden(err) {
			t.Errorf("listing nodes as %s in %v: %v, want allowed %v", tc.user, tc.groups, err, tc.want)
		}
	}
}

func fakeNode(name string) *corev1.Node {
	room := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse(
			"4",
		),
		corev1.ResourceMemory: resource.MustParse("16Gi"),
		corev1.ResourcePods:   resource.MustParse("58"),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{cluster.FakeNodeAnnotation: "fake"}},
		Status:     corev1.NodeStatus{Capacity: room, Allocatable: room},
	}
}

func webDeployment() *appsv1.Deployment {
	labels := map[string]string{"app": "web"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web"}}},
			},
		},
	}
}
