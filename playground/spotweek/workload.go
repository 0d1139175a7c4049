package main

import (
	"fmt"
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// deployment is a workload whose size follows the day.
type deployment struct {
	name        string
	cpu, memory string
	// replicas wanted at an hour of the day, 0 to 24.
	replicas func(hour float64) int
}

// wave swings between low at four in the morning and high in the afternoon.
func wave(low, high int) func(float64) int {
	return func(hour float64) int {
		return low + int(float64(high-low)*(1-math.Cos((hour-4)/24*2*math.Pi))/2)
	}
}

func steady(n int) func(float64) int { return func(float64) int { return n } }

// night runs n pods from 22 to 4 o'clock.
func night(n int) func(float64) int {
	return func(hour float64) int {
		if hour >= 22 || hour < 4 {
			return n
		}
		return 0
	}
}

// deployments are the cluster's: 130 to 270 vCPUs.
var deployments = []deployment{
	{"web", "250m", "512Mi", wave(120, 360)},
	{"api", "1", "2Gi", wave(40, 100)},
	{"cache", "500m", "4Gi", steady(40)},
	{"batch", "2", "4Gi", night(30)},
}

// workload is a pod with what became of it.
type workload struct {
	*corev1.Pod
	// evicted is when its node let it go; zero while it runs and before it first did.
	evicted time.Time
	// bound is when it last came to a node.
	bound time.Time
}

// newPod makes a pending pod.
func (d deployment) newPod(number int, now time.Time) *workload {
	name := fmt.Sprintf("%s-%d", d.name, number)
	return &workload{Pod: &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:         "default",
			Name:              name,
			UID:               types.UID(name),
			Labels:            map[string]string{"app": d.name},
			CreationTimestamp: metav1.NewTime(now),
			OwnerReferences: []metav1.OwnerReference{
				{
					APIVersion: "apps/v1",
					Kind:       "ReplicaSet",
					Name:       d.name,
					UID:        types.UID(d.name),
					Controller: new(true),
				},
			},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "main",
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse(d.cpu), corev1.ResourceMemory: resource.MustParse(d.memory),
			}},
		}}},
		Status: corev1.PodStatus{Phase: corev1.PodPending},
	}}
}
