package play

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	namespace = metav1.NamespaceDefault
	pollEvery = 100 * time.Millisecond
	sayEvery  = 10 * time.Second
)

// group becomes one Deployment.
type group struct {
	name        string
	replicas    int32
	cpu, memory string
	change      func(*corev1.PodTemplateSpec) // may be nil
}

// deployment has pods that end at once when they are told to.
func (g group) deployment() *appsv1.Deployment {
	labels := map[string]string{"app": g.name}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: g.name}}
	d.Spec.Replicas = &g.replicas
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	d.Spec.Template = template(labels, g.cpu, g.memory)
	if g.change != nil {
		g.change(&d.Spec.Template)
	}
	return d
}

func template(labels map[string]string, cpu, memory string) corev1.PodTemplateSpec {
	out := corev1.PodTemplateSpec{}
	out.Labels = labels
	out.Spec.TerminationGracePeriodSeconds = new(int64)
	out.Spec.Containers = []corev1.Container{{
		Name: "main", Image: "registry.k8s.io/pause:3.10",
		Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory),
		}},
	}}
	return out
}

// raise creates Deployments and waits until all their pods run.
func (s *Stage) raise(ctx context.Context, groups []group) error {
	pods := 0
	for _, g := range groups {
		pods += int(g.replicas)
	}
	s.Watch.Expect(pods)
	for _, g := range groups {
		_, err := s.Kube.AppsV1().Deployments(namespace).Create(ctx, g.deployment(), metav1.CreateOptions{})
		if err != nil {
			return fmt.Errorf("creating deployment %s: %w", g.name, err)
		}
	}
	return s.settle(ctx, pods)
}

// settle waits until so many pods are wanted and all of them run.
func (s *Stage) settle(ctx context.Context, pods int) error {
	end, said := time.Now().Add(s.Patience), time.Now()
	for {
		running, wanted := s.Watch.Count()
		if running == pods && wanted == pods {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf(
				"waited %s for %d pods to run; %d do, of %d that there are",
				s.Patience,
				pods,
				running,
				wanted,
			)
		}
		if time.Since(said) >= sayEvery {
			said = time.Now()
			s.Say("%d of %d pods run", running, pods)
		}
		if err := pause(ctx, pollEvery); err != nil {
			return err
		}
	}
}

// scale gives a Deployment so many pods.
func (s *Stage) scale(ctx context.Context, name string, replicas int32) error {
	return s.patch(ctx, name, fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas))
}

// restart rolls a Deployment out anew, as kubectl rollout restart does.
func (s *Stage) restart(ctx context.Context, name, mark string) error {
	return s.patch(ctx, name, fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{"restarted":%q}}}}}`, mark))
}

func (s *Stage) patch(ctx context.Context, name, change string) error {
	_, err := s.Kube.AppsV1().Deployments(
		namespace,
	).Patch(
		ctx,
		name,
		types.MergePatchType,
		[]byte(change),
		metav1.PatchOptions{},
	)
	if err != nil {
		return fmt.Errorf("changing deployment %s: %w", name, err)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
