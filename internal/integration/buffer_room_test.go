package integration

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	autoscalingv1beta1 "github.com/dovetail-sh/dovetail/api/autoscaling/v1beta1"
)

func podTemplateProvisions(t *testing.T, c *corner) {
	template, b := c.template("1500m"), c.buffer(c.ofTemplate(2))
	c.create(t, c.pool, template, b)
	c.provisioned(t, b, 2)
	c.nodesReady(t, 2)
	if b.Status.PodTemplateRef == nil || b.Status.PodTemplateRef.Name != template.Name {
		t.Errorf("status.podTemplateRef is %v", b.Status.PodTemplateRef)
	}
	var pods corev1.PodList
	if err := c.List(
		t.Context(),
		&pods,
		client.InNamespace("default"),
		client.MatchingLabels{"app": c.name},
	); err != nil ||
		len(pods.Items) > 0 {
		t.Errorf("%d pods (%v): a buffer has none", len(pods.Items), err)
	}
	c.leave(t, b, template)
}

func podTemplateIsReadAgain(t *testing.T, c *corner) {
	template, b := c.template("500m"), c.buffer(c.ofTemplate(2))
	c.create(t, c.pool, template, b)
	c.provisioned(t, b, 2)
	c.nodesReady(t, 1)
	first := *b.Status.PodTemplateGeneration
	c.change(t, template, func() { template.Template.Spec.Containers[0].Resources.Requests = cores("1500m") })
	c.says(t, b, func(got *autoscalingv1beta1.CapacityBuffer) string {
		if got.Status.PodTemplateGeneration == nil || *got.Status.PodTemplateGeneration <= first {
			return "the generation of before"
		}
		return ""
	})
	c.nodesReady(t, 2)
	c.leave(t, b, template)
}

func percentageOfADeployment(t *testing.T, c *corner) {
	d := web(c.name, 4, "900m", c.here)
	half := int32(50)
	b := c.buffer(c.ofDeployment(func(s *autoscalingv1beta1.CapacityBufferSpec) { s.Percentage = &half }))
	c.create(t, c.pool, d, b)
	c.running(t, c.name, 4)
	c.provisioned(t, b, 2)
	c.nodesReady(t, 3)
	c.leave(t, b, d)
}

func fixedNumberOfADeployment(t *testing.T, c *corner) {
	d := web(c.name, 1, "1500m", c.here)
	two := int32(2)
	b := c.buffer(c.ofDeployment(func(s *autoscalingv1beta1.CapacityBufferSpec) { s.Replicas = &two }))
	c.create(t, c.pool, d, b)
	c.provisioned(t, b, 2)
	c.nodesReady(t, 3)
	if b.Status.PodTemplateRef != nil || b.Status.PodTemplateGeneration != nil {
		t.Errorf("status names a PodTemplate: %v, %v", b.Status.PodTemplateRef, b.Status.PodTemplateGeneration)
	}
	c.leave(t, b, d)
}

func lateTarget(t *testing.T, c *corner) {
	d := web(c.name, 1, "500m", c.here)
	one := int32(1)
	b := c.buffer(c.ofDeployment(func(s *autoscalingv1beta1.CapacityBufferSpec) { s.Replicas = &one }))
	c.create(t, c.pool, b)
	c.says(t, b, func(got *autoscalingv1beta1.CapacityBuffer) string {
		return missingFrom(
			conditions(got.Status.Conditions),
			"ReadyForProvisioning=False (ScalableRefNotFound: Deployment "+c.name,
			"Provisioning=False (NotReadyForProvisioning",
		)
	})
	c.create(t, d)
	c.provisioned(t, b, 1)
	c.leave(t, b, d)
}

func consumedAndRefilled(t *testing.T, c *corner) {
	template, b := c.template("1500m"), c.buffer(c.ofTemplate(1))
	c.create(t, c.pool, template, b)
	c.provisioned(t, b, 1)
	headroom := c.nodesReady(t, 1)[0]
	consumer := web(c.name+"-consumer", 1, "1500m", c.here)
	c.create(t, consumer)
	c.running(t, consumer.Name, 1)
	if pod := c.podOf(t, consumer.Name); pod.Spec.NodeName != headroom.Status.NodeName {
		t.Errorf("the pod runs on %s, the room was on %s", pod.Spec.NodeName, headroom.Status.NodeName)
	}
	c.nodesReady(t, 2)
	c.provisioned(t, b, 1)
	c.leave(t, b, template, consumer)
}

func consumedTwice(t *testing.T, c *corner) {
	template, b := c.template("1500m"), c.buffer(c.ofTemplate(1))
	consumer := web(c.name+"-consumer", 1, "1500m", c.here)
	c.create(t, c.pool, template, b)
	c.nodesReady(t, 1)
	c.create(t, consumer)
	c.running(t, consumer.Name, 1)
	c.nodesReady(t, 2)
	c.scale(t, consumer, 2)
	c.running(t, consumer.Name, 2)
	c.nodesReady(t, 3)
	c.provisioned(t, b, 1)
	c.leave(t, b, template, consumer)
}

func bufferScalesDown(t *testing.T, c *corner) {
	template, b := c.template("1500m"), c.buffer(c.ofTemplate(3))
	c.create(t, c.pool, template, b)
	c.nodesReady(t, 3)
	one := int32(1)
	c.change(t, b, func() { b.Spec.Replicas = &one })
	c.provisioned(t, b, 1)
	c.nodesReady(t, 1)
	c.leave(t, b, template)
}

func percentageFollows(t *testing.T, c *corner) {
	d := web(c.name, 2, "100m", c.here)
	half := int32(50)
	b := c.buffer(c.ofDeployment(func(s *autoscalingv1beta1.CapacityBufferSpec) { s.Percentage = &half }))
	c.create(t, c.pool, d, b)
	c.provisioned(t, b, 1)
	began := time.Now()
	c.scale(t, d, 5)
	c.provisioned(t, b, 3) // 2.5, rounded up
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %s to follow the Deployment", took)
	}
	c.leave(t, b, d)
}

func bufferKeepsThePoolsLimit(t *testing.T, c *corner) {
	c.pool.Spec.Limits = cores("4") // two nodes
	template, b := c.template("1500m"), c.buffer(c.ofTemplate(5))
	c.create(t, c.pool, template, b)
	c.nodesReady(t, 2)
	c.says(t, b, func(got *autoscalingv1beta1.CapacityBuffer) string {
		return missingFrom(
			conditions(got.Status.Conditions),
			"Provisioning=False (RequiresNewCapacity: There is no room for 3 of 5 pods",
			"limit",
		)
	})
	c.stays(t, 2, 5*time.Second)
	c.leave(t, b, template)
}

func buffersAreIndependent(t *testing.T, c *corner) {
	template, first, second := c.template("1500m"), c.buffer(c.ofTemplate(1)), c.buffer(c.ofTemplate(2))
	second.Name += "-second"
	c.create(t, c.pool, template, first, second)
	c.provisioned(t, first, 1)
	c.provisioned(t, second, 2)
	c.nodesReady(t, 3)
	if err := c.Delete(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	c.nodesReady(t, 1)
	c.provisioned(t, first, 1)
	c.leave(t, first, template)
}

func bufferBesidePods(t *testing.T, c *corner) {
	template, b := c.template("500m"), c.buffer(c.ofTemplate(1))
	d := web(c.name+"-pods", 2, "500m", c.here)
	c.create(t, c.pool, template, d, b)
	c.running(t, d.Name, 2)
	c.provisioned(t, b, 1)
	c.nodesReady(t, 1)
	c.leave(t, b, template, d)
}

func bufferKeepsItsNodeSelector(t *testing.T, c *corner) {
	template, b := c.template("500m"), c.buffer(c.ofTemplate(1))
	template.Template.Spec.NodeSelector[corev1.LabelTopologyZone] = "test-zone-c"
	c.create(t, c.pool, template, b)
	c.provisioned(t, b, 1)
	if claim := c.nodesReady(t, 1)[0]; claim.Labels[corev1.LabelTopologyZone] != "test-zone-c" {
		t.Errorf("the room is in %s", claim.Labels[corev1.LabelTopologyZone])
	}
	c.leave(t, b, template)
}

func bufferGrowsWithItsLimits(t *testing.T, c *corner) {
	template, b := c.template("1500m"), c.buffer(func(s *autoscalingv1beta1.CapacityBufferSpec) {
		s.PodTemplateRef = &autoscalingv1beta1.LocalObjectRef{Name: c.name}
		s.Limits = cores("2")
	})
	c.create(t, c.pool, template, b)
	c.provisioned(t, b, 1)
	c.change(t, b, func() { b.Spec.Limits = cores("4500m") })
	c.provisioned(t, b, 3)
	c.nodesReady(t, 3)
	c.leave(t, b, template)
}

func antiAffinityOfATemplate(t *testing.T, c *corner) {
	template, b := c.template("100m", oneEach(c.name)), c.buffer(c.ofTemplate(3))
	c.create(t, c.pool, template, b)
	c.provisioned(t, b, 3)
	c.nodesReady(t, 3)
	c.leave(t, b, template)
}

func antiAffinityOfADeployment(t *testing.T, c *corner) {
	d := web(c.name, 2, "100m", c.here, oneEach(c.name))
	two := int32(2)
	b := c.buffer(c.ofDeployment(func(s *autoscalingv1beta1.CapacityBufferSpec) { s.Replicas = &two }))
	c.create(t, c.pool, d, b)
	c.running(t, c.name, 2)
	c.provisioned(t, b, 2)
	c.nodesReady(t, 4)
	c.scale(t, d, 3) // takes one of the two, which moves to a fifth node
	c.running(t, c.name, 3)
	c.nodesReady(t, 5)
	c.provisioned(t, b, 2)
	c.leave(t, b, d)
}
