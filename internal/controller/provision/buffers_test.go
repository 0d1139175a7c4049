package provision_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"github.com/dovetail-sh/dovetail/internal/controller/provision"
	"github.com/dovetail-sh/dovetail/internal/mirror"
)

var spare = types.NamespacedName{Namespace: "default", Name: "spare"}

// keep has the rig keep room for so many pods of a core each.
func (r *rig) keep(pods int) {
	template := &corev1.PodTemplateSpec{}
	template.Spec.Containers = []corev1.Container{
		{
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")},
			},
		},
	}
	r.mirror.Keep([]mirror.Buffer{{Name: spare, Template: template, Pods: pods}})
}

// hearHeadroom has the rig note what plans say of buffers.
func (r *rig) hearHeadroom() func() provision.Headroom {
	var last map[types.NamespacedName]provision.Headroom
	r.Headroom = func(h map[types.NamespacedName]provision.Headroom) { last = h }
	return func() provision.Headroom { return last[spare] }
}

func (r *rig) pass() {
	r.t.Helper()
	if _, err := r.Pass(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) seated() (n int) {
	for _, node := range r.mirror.Snapshot().Nodes {
		n += len(node.Pods)
	}
	return n
}

// Room is bought once, and however often it is planned for again.
func TestHeadroomIsBoughtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	said := r.hearHeadroom()
	r.pool("general", 0)
	r.keep(3)
	for range 3 {
		r.pass()
	}
	if diff := cmp.Diff(map[string]int{"general": 1}, r.claims()); diff != "" {
		t.Errorf("claims: -want +got\n%s", diff)
	}
	if got := said(); got != (provision.Headroom{New: 3}) {
		t.Errorf("the buffer hears %+v, want three pods on a node that is on its way", got)
	}
	if r.seated() != 3 {
		t.Errorf("%d stand-ins are on the node: it would count as empty", r.seated())
	}
	if len(r.events) > 0 {
		t.Errorf("an event: %s", <-r.events)
	}
	r.keep(0)
	r.pass()
	if r.seated() != 0 {
		t.Error("a buffer that is gone still holds room")
	}
}

// A pod takes the room of a buffer, and the buffer gets other room.
func TestPodsTakeHeadroom(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.pool("general", 0)
	r.keep(4) // fills a node
	r.pass()
	r.pod("web", "1")
	r.pass()
	if diff := cmp.Diff(map[string]int{"general": 2}, r.claims()); diff != "" {
		t.Errorf("claims: -want +got\n%s", diff)
	}
	var held []int // by node, whose names are random
	for _, node := range r.mirror.Snapshot().Nodes {
		held = append(held, len(node.Pods))
	}
	slices.Sort(held)
	if diff := cmp.Diff([]int{1, 4}, held); diff != "" {
		t.Errorf("the pod and three stand-ins are on one node, and one stand-in on the other: -want +got\n%s", diff)
	}
}

// A pool whose nodes do not join launches nothing for a while, and says so.
func TestFailingPoolsRest(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	until := noon.Add(time.Minute)
	r.Rest = func(string) time.Time { return until }
	r.pool("general", 0)
	r.pod("web", "1")
	patience, err := r.Pass(t.Context())
	if err != nil || len(r.claims()) > 0 {
		t.Errorf("claims %v, error %v", r.claims(), err)
	}
	if event := <-r.events; !strings.Contains(event, "did not join the cluster") {
		t.Errorf("the pod hears %q", event)
	}
	if patience > time.Minute {
		t.Errorf("looks again after %s", patience)
	}
	until = noon
	r.pass()
	if len(r.claims()) != 1 {
		t.Error("after its rest the pool launches nothing")
	}
}
