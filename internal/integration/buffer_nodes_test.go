package integration

import (
	"fmt"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

func headroomIsNotEmpty(t *testing.T, c *corner) {
	template, b := c.template("500m"), c.buffer(c.ofTemplate(1))
	c.create(t, c.pool, template, b)
	c.provisioned(t, b, 1)
	name := c.nodesReady(t, 1)[0].Name
	// An empty node of this pool goes 15 s after it is ready.
	always(t, 25*time.Second, func() string {
		if claims := c.mine(t); len(claims) != 1 || claims[0].Name != name || !claims[0].DeletionTimestamp.IsZero() {
			return fmt.Sprintf("%d claims: the node that holds the room went", len(claims))
		}
		return ""
	})
	c.leave(t, b, template)
}

func headroomGoesWithItsBuffer(t *testing.T, c *corner) {
	template, b := c.template("500m"), c.buffer(c.ofTemplate(1))
	c.create(t, c.pool, template, b)
	c.provisioned(t, b, 1)
	if err := c.Delete(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	c.empty(t)
	c.leave(t, template)
}

func headroomDrifts(t *testing.T, c *corner) {
	template, b := c.template("1500m"), c.buffer(c.ofTemplate(1))
	c.create(t, c.pool, template, b)
	c.provisioned(t, b, 1)
	old := c.nodesReady(t, 1)[0].Name
	c.change(t, c.pool, func() {
		c.pool.Spec.Template.Labels = map[string]karpenterv1.LabelValue{"generation": "two"}
	})
	eventually(t, "the drifted node to be replaced", func() string {
		claims := c.mine(t)
		if len(claims) != 1 || claims[0].Name == old {
			return fmt.Sprintf("%d claims", len(claims))
		}
		return ""
	})
	c.provisioned(t, b, 1)
	c.stays(t, 1, 3*time.Second)
	c.leave(t, b, template)
}

func rapidCreateAndDeleteLeavesNothing(t *testing.T, c *corner) {
	template := c.template("1500m")
	c.create(t, c.pool, template)
	for range 5 {
		b := c.buffer(c.ofTemplate(2))
		c.create(t, b)
		eventually(t, "the buffer to be seen", func() string {
			if err := c.Get(t.Context(), client.ObjectKeyFromObject(b), b); err != nil {
				return err.Error()
			}
			if b.Status.Replicas == nil {
				return "no status"
			}
			return ""
		})
		if err := c.Delete(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	c.empty(t)
	c.stays(t, 0, 3*time.Second)
	c.leave(t, template)
}

func expiredHeadroomIsRefilled(t *testing.T, c *corner) {
	c.pool.Spec.Template.Spec.ExpireAfter = karpenterv1.After(20 * time.Second)
	template, b := c.template("1500m"), c.buffer(c.ofTemplate(1))
	c.create(t, c.pool, template, b)
	c.provisioned(t, b, 1)
	old := c.nodesReady(t, 1)[0].Name
	eventually(t, "another node to hold the room", func() string {
		claims := c.mine(t)
		if len(claims) != 1 || claims[0].Name == old {
			return fmt.Sprintf("%d claims", len(claims))
		}
		return ""
	})
	c.provisioned(t, b, 1)
	c.leave(t, b, template)
}
