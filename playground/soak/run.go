package soak

import (
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/awssim/control"
)

// Setting is a cluster on which Dovetail runs, and how to look at it.
type Setting struct {
	Client   client.Client
	Machines func(context.Context) ([]control.Instance, error)
	Metrics  string // URL of Dovetail's
	For      time.Duration
	Say      func(format string, args ...any)
}

// steps is in how many parts a day is played; at each, all Deployments that changed are scaled.
const steps = 96

// settleFor is how long all pods may take to run, and all machines to be accounted for, when the day is over.
const settleFor = 3 * time.Minute

// Run plays the day. The error says which invariants broke.
func Run(ctx context.Context, s Setting, day *Day) (*Report, error) {
	w := newWatch(s)
	at := day.Replicas(steps)
	began := time.Now()
	for step := range steps {
		for _, name := range sorted(day.sizes) {
			now := at[step][name]
			if step > 0 && now == at[step-1][name] || step == 0 && now == 0 {
				continue
			}
			if err := scale(ctx, s.Client, name, day.sizes[name], max(now, 0)); err != nil {
				return nil, err
			}
		}
		until := began.Add(time.Duration(step+1) * s.For / steps)
		for {
			if err := w.look(ctx); err != nil {
				return nil, err
			}
			if time.Now().After(until) {
				break
			}
		}
		if step%8 == 0 {
			w.tell(step)
		}
	}
	return w.settle(ctx, settleFor)
}

func sorted(m map[string]size) []string {
	out := make([]string, 0, len(m))
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// scale creates a Deployment or sets its replicas.
func scale(ctx context.Context, c client.Client, name string, s size, replicas int) error {
	n := int32(replicas)
	d := &appsv1.Deployment{}
	err := c.Get(ctx, types.NamespacedName{Namespace: "default", Name: name}, d)
	switch {
	case client.IgnoreNotFound(err) != nil:
		return fmt.Errorf("reading deployment %s: %w", name, err)
	case err == nil:
		before := d.DeepCopy()
		d.Spec.Replicas = &n
		if err := c.Patch(ctx, d, client.MergeFrom(before)); err != nil {
			return fmt.Errorf("scaling deployment %s to %d: %w", name, n, err)
		}
		return nil
	}
	labels := map[string]string{"app": name}
	grace := int64(1)
	d = &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	d.Spec.Replicas, d.Spec.Selector = &n, &metav1.LabelSelector{MatchLabels: labels}
	d.Spec.Template.Labels = labels
	d.Spec.Template.Spec.TerminationGracePeriodSeconds = &grace
	d.Spec.Template.Spec.Containers = []corev1.Container{
		{Name: "main", Image: "main", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU:    *resource.NewMilliQuantity(s.milli, resource.DecimalSI),
			corev1.ResourceMemory: *resource.NewQuantity(s.mib<<20, resource.BinarySI),
		}}},
	}
	if err := c.Create(ctx, d); err != nil {
		return fmt.Errorf("creating deployment %s: %w", name, err)
	}
	if s.milli%4000 == 0 { // some have a budget
		quarter := intstr.FromString("25%")
		guard := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
		guard.Spec.MaxUnavailable, guard.Spec.Selector = &quarter, d.Spec.Selector
		if err := c.Create(ctx, guard); err != nil {
			return fmt.Errorf("creating the budget of deployment %s: %w", name, err)
		}
	}
	return nil
}
