package integration

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/awssim"
)

// TestLive plays what users have met on clusters that ran for long: watches that come late, writes that are refused,
// Nodes that are deleted by force, machines that are taken back. One controller process serves all stories and is
// killed in the middle of them.
func TestLive(t *testing.T) {
	t.Parallel()
	v := onAWS(t)
	way := &assassin{seen: map[string]int{}, killed: map[string]int{}}
	process := v.process(t, way)
	process.args = append(
		process.args,
		"--feature-gates=NodeRepair=true,StaticCapacity=true,TerminateFirstDrift=true,TerminateFirstRepair=true",
		"--aws-feature-gates=RebootForRepair=true",
	)
	supervise(t, process)
	v.play(t, 5, []act{
		{"Shed", func(t *testing.T, s *scene) { shedWritesKeepTheNode(t, s, &way.weather) }},
		{"Late/EmptyNode", func(t *testing.T, s *scene) { emptyNodeGetsPods(t, s, &way.weather) }},
		{"Late/DeletedNode", func(t *testing.T, s *scene) { deletedNodeGetsPods(t, s, &way.weather) }},
		{"Notice", noticeIsADeadline},
		{"NodeDeletedByForce", nodeDeletedByForce},
		{"AllDeleted", allIsDeletedTheClassFirst},
	})
	v.play(t, 6, mending())
	if os.Getenv(allClouds) != "" {
		v.play(t, 6, terminateFirst()) // minutes of drains and boots, one node after the other
	}
	v.play(t, 1, []act{{"LostVolume", func(t *testing.T, s *scene) { lostVolumeAndARestart(t, s, process.kill) }}})
}

// pinnedTo has pods run on one node.
func pinnedTo(node string) func(*corev1.PodTemplateSpec) {
	return func(t *corev1.PodTemplateSpec) { t.Spec.NodeSelector[corev1.LabelHostname] = node }
}

// unharmed says that a claim goes, its machine is gone, or one of the pods goes.
func (s *scene) unharmed(t *testing.T, claim string, machine string, pods []corev1.Pod) (wrong string) {
	t.Helper()
	for i := range pods {
		if wrong := s.lives(t, &pods[i]); wrong != "" {
			return wrong
		}
	}
	if !slices.Contains(s.machines(t), machine) {
		return fmt.Sprintf("machine %s was ended under %d pods", machine, len(pods))
	}
	if now := s.claim(t, claim); now == nil {
		return fmt.Sprintf("claim %s is gone under %d pods", claim, len(pods))
	}
	return ""
}

// emptyNodeGetsPods binds pods to a node a moment before it would be given up as empty, and the controller sees them
// only after that.
func emptyNodeGetsPods(t *testing.T, s *scene, way *weather) {
	claim := s.emptied(t, s.pool(consolidating), 1)[0]
	s.steady(t, 8*time.Second, func() string { // an empty node is left for 15 s
		if s.leaving(t) > 0 {
			return "the node goes too early for this story"
		}
		return ""
	})
	way.lags("pods", 12*time.Second)
	s.create(t, s.app("precious", 3, "300m", kept("true"), pinnedTo(claim.Status.NodeName)))
	pods := s.healthy(t, "precious", 3)
	s.steady(t, 25*time.Second, func() string {
		if now := s.claim(t, claim.Name); now != nil && !now.DeletionTimestamp.IsZero() {
			return "the claim was deleted as empty under three pods that must not be disrupted"
		}
		return s.unharmed(t, claim.Name, claim.Status.ProviderID, pods)
	})
	s.until(t, "the node to be let go again", func() string {
		if s.leaving(t) > 0 {
			return "it is still tainted"
		}
		return ""
	})
}

// shedWritesKeepTheNode has the API server refuse what the controller writes while pods come to a node that is about to
// go.
func shedWritesKeepTheNode(t *testing.T, s *scene, way *weather) {
	claim := s.emptied(t, s.pool(consolidating), 1)[0]
	left := 25
	way.sheds(func(string) bool { left--; return left >= 0 })
	s.create(t, s.app("precious", 3, "300m", kept("true"), pinnedTo(claim.Status.NodeName)))
	pods := s.healthy(t, "precious", 3)
	s.steady(t, 25*time.Second, func() string { return s.unharmed(t, claim.Name, claim.Status.ProviderID, pods) })
	if way.refused() == 0 {
		t.Error("nothing was refused: the story was not played")
	}
}

// deletedNodeGetsPods has a user delete a node onto which pods came that the controller has not seen yet.
func deletedNodeGetsPods(t *testing.T, s *scene, way *weather) {
	claim := s.emptied(t, s.pool(), 1)[0]
	way.lags("pods", 12*time.Second)
	app := s.app("precious", 3, "300m", kept("true"), pinnedTo(claim.Status.NodeName))
	s.create(t, app)
	pods := s.healthy(t, "precious", 3)
	if err := s.Delete(
		t.Context(),
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: claim.Status.NodeName}},
	); err != nil {
		t.Fatal(err)
	}
	s.steady(t, 20*time.Second, func() string { return s.unharmed(t, claim.Name, claim.Status.ProviderID, pods) })
	s.resize(t, app, 0)
	s.vanished(t, &claim)
}

// patient gives pods this long to stop, half of which they need.
func patient(d time.Duration) func(*corev1.PodTemplateSpec) {
	return func(t *corev1.PodTemplateSpec) {
		seconds := int64(d.Seconds())
		t.Spec.TerminationGracePeriodSeconds = &seconds
		if t.Annotations == nil {
			t.Annotations = map[string]string{}
		}
		t.Annotations["playground.dovetail.sh/stops-after"] = (d / 2).String()
	}
}

// noticeIsADeadline takes a spot machine back whose pods nobody may evict: they have their time to stop before it ends,
// and a place to go to.
func noticeIsADeadline(t *testing.T, s *scene) {
	const grace = 40 * time.Second
	pool := s.pool(func(p *karpenterv1.NodePool) {
		p.Spec.Template.Spec.Requirements[2] = in(karpenterv1.CapacityTypeLabelKey, karpenterv1.CapacityTypeSpot)
	})
	plain := s.app("plain", 1, "300m", patient(grace))
	held := s.app("held", 1, "300m", kept("true"), patient(grace))
	guarded := s.app("guarded", 1, "300m", patient(grace))
	one := intstr.FromInt32(1)
	guard := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: s.name, Name: "guarded"}}
	guard.Spec.MinAvailable, guard.Spec.Selector = &one, guarded.Spec.Selector
	s.create(t, pool, guard, plain, held, guarded)
	var old []corev1.Pod
	for _, app := range []string{"plain", "held", "guarded"} {
		old = append(old, s.healthy(t, app, 1)...)
	}
	claim := s.count(t, 1)[0]
	watch := newReferee(s)
	stop := watch.start(t)
	began := time.Now()
	if err := s.sim.Interrupt(awssim.Target{Node: claim.Status.NodeName}); err != nil {
		t.Fatal(err)
	}
	for i := range old {
		s.until(t, "pod "+old[i].Name+" to be asked to stop", func() string {
			now := &corev1.Pod{}
			if err := s.seen.Get(t.Context(), client.ObjectKeyFromObject(&old[i]), now); err != nil {
				return ""
			}
			if now.DeletionTimestamp.IsZero() {
				return "nobody has"
			}
			if got := now.DeletionGracePeriodSeconds; got == nil || *got < int64(grace.Seconds())/2 {
				t.Errorf("pod %s needs half of %s to stop, and does not have it", now.Name, grace)
			}
			return ""
		})
	}
	if took := time.Since(began); took > 2*time.Minute-grace/2 {
		t.Errorf(
			"the last pod was asked to stop %s after the notice, and needs half of %s",
			took.Round(time.Second),
			grace,
		)
	}
	for _, app := range []string{"plain", "held", "guarded"} {
		s.healthy(t, app, 1)
	}
	s.vanished(t, &claim)
	if took := time.Since(began); took > 2*time.Minute+30*time.Second {
		t.Errorf(
			"the claim was there %s after the notice of its machine's end in two minutes",
			took.Round(time.Second),
		)
	}
	stop()
}

// nodeDeletedByForce strips a Node of its finalizer and deletes it; the machine runs on. Its pods are served elsewhere,
// and the machine is given up.
func nodeDeletedByForce(t *testing.T, s *scene) {
	s.create(t, s.pool(), s.app("web", 1, "300m"))
	s.healthy(t, "web", 1)
	claim := s.count(t, 1)[0]
	node := &corev1.Node{}
	s.until(t, "the node to be deleted by force", func() string {
		if err := s.Get(t.Context(), client.ObjectKey{Name: claim.Status.NodeName}, node); err != nil {
			return ""
		}
		node.Finalizers = nil
		if err := s.Update(t.Context(), node); err != nil {
			return err.Error()
		}
		if err := s.Delete(t.Context(), node); err != nil {
			return err.Error()
		}
		return "it is there"
	})
	s.until(t, "the claim to say so", func() string {
		now := s.claim(t, claim.Name)
		if now == nil {
			return "" // it was given up meanwhile
		}
		if c := condition.Get(
			now,
			karpenterv1.ConditionRegistered,
		); c.Reason != karpenterv1.ReasonNodeNotFound ||
			condition.IsTrue(now, condition.Ready) {
			return conditions(now.Status.Conditions)
		}
		return ""
	})
	s.until(t, "the pod's successor to run", func() string {
		for _, p := range s.podsOf(t, "web") {
			if p.Status.Phase == corev1.PodRunning && p.Spec.NodeName != claim.Status.NodeName {
				return ""
			}
		}
		return fmt.Sprintf("%d pods, none of them runs", len(s.podsOf(t, "web")))
	})
	s.vanished(t, &claim)
	if slices.Contains(s.machines(t), claim.Status.ProviderID) {
		t.Errorf("machine %s is still paid for", claim.Status.ProviderID)
	}
}

// allIsDeletedTheClassFirst deletes a class, its pool and all claims at once; one pod holds its node for its own time
// to stop. Nothing is left over.
func allIsDeletedTheClassFirst(t *testing.T, s *scene) {
	class := s.class(s.name, false)
	class.SetLabels(map[string]string{sceneLabel: s.name})
	pool := s.pool(func(p *karpenterv1.NodePool) { p.Spec.Template.Spec.NodeClassRef = s.classRef(s.name) })
	app := s.app("web", 3, "1500m", apart)
	slow := s.app("slow", 1, "1500m", patient(10*time.Second))
	s.create(t, class, pool, app, slow)
	s.healthy(t, "web", 3)
	s.healthy(t, "slow", 1)
	claims := s.count(t, 4)
	s.resize(t, app, 0)
	s.resize(t, slow, 0)
	for _, o := range []client.Object{class, pool} {
		if err := s.Delete(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	for i := range claims {
		if err := s.Delete(t.Context(), &claims[i]); client.IgnoreNotFound(err) != nil {
			t.Fatal(err)
		}
	}
	for i := range claims {
		s.vanished(t, &claims[i])
		if slices.Contains(s.machines(t), claims[i].Status.ProviderID) {
			t.Errorf("machine %s of a claim that is gone is still paid for", claims[i].Status.ProviderID)
		}
	}
	s.vanished(t, pool)
	s.until(t, "the class to be gone", func() string {
		if err := s.Get(t.Context(), client.ObjectKeyFromObject(class), class); err != nil {
			return ""
		}
		return "it is there"
	})
}

// TestTwoLeadersByMistake runs two controllers at once, as when a lease was deleted: they may buy too much, and give it
// back. Nothing is lost or left over.
func TestTwoLeadersByMistake(t *testing.T) {
	t.Parallel()
	v := onKWOK(t)
	v.start(t)
	v.start(t)
	v.play(t, 1, []act{{"TwoLeaders", func(t *testing.T, s *scene) {
		app := s.app("web", 4, "1500m")
		s.create(t, s.pool(consolidating), app)
		s.healthy(t, "web", 4)
		s.count(t, 4)
		s.resize(t, app, 1)
		s.healthy(t, "web", 1)
		s.count(t, 1)
		s.resize(t, app, 0)
		s.count(t, 0)
	}}})
}

// lostVolumeAndARestart deletes a volume under its claim and then kills the controller: the pod that waits for it is
// told why, and all others are served as ever.
func lostVolumeAndARestart(t *testing.T, s *scene, kill func()) {
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: s.name, Labels: map[string]string{sceneLabel: s.name}},
	}
	volume.Spec.Capacity = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
	volume.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
	volume.Spec.HostPath = &corev1.HostPathVolumeSource{Path: "/data"}
	none := ""
	wish := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: s.name, Name: "data"}}
	wish.Spec.AccessModes, wish.Spec.StorageClassName, wish.Spec.VolumeName = volume.Spec.AccessModes, &none, volume.Name
	wish.Spec.Resources.Requests = volume.Spec.Capacity
	s.create(t, volume, wish)
	s.until(t, "the volume to be bound", func() string {
		if err := s.Get(t.Context(), client.ObjectKeyFromObject(wish), wish); err != nil {
			return err.Error()
		}
		return map[bool]string{false: string(wish.Status.Phase)}[wish.Status.Phase == corev1.ClaimBound]
	})
	s.until(t, "the volume to be lost", func() string {
		if err := s.Get(t.Context(), client.ObjectKeyFromObject(volume), volume); err != nil {
			return ""
		}
		volume.Finalizers = nil
		if err := s.Update(t.Context(), volume); err != nil {
			return err.Error()
		}
		return fmt.Sprint("it is there ", s.Delete(t.Context(), volume))
	})
	s.create(t, s.pool(), s.app("db", 1, "300m", func(p *corev1.PodTemplateSpec) {
		p.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: wish.Name},
		}}}
	}))
	kill()
	s.create(t, s.app("web", 2, "300m"))
	s.healthy(t, "web", 2)
	s.until(t, "the pod without its volume to be told why it waits", func() string {
		for _, p := range s.podsOf(t, "db") {
			if told := s.events(t, &p); told != "" {
				return ""
			}
		}
		return "nothing was said"
	})
}
