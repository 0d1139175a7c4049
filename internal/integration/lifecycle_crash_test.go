package integration

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/daemon"
)

// losing makes every write of a claim's status fail once a machine is about to be noted on it,
// as if the daemon had been killed just then.
func losing(lost *atomic.Int32) func(*daemon.Options) {
	return func(o *daemon.Options) {
		o.WrapClient = func(c client.WithWatch) client.Client {
			return interceptor.NewClient(c, interceptor.Funcs{
				SubResourcePatch: func(ctx context.Context, c client.Client, sub string, object client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
					if claim, ok := object.(*karpenterv1.NodeClaim); ok && sub == "status" &&
						claim.Status.ProviderID != "" {
						lost.Add(1)
						return errors.New("killed")
					}
					return c.SubResource(sub).Patch(ctx, object, patch, opts...)
				},
			})
		}
	}
}

func killedBetweenLaunchAndStatus(t *testing.T, c *cluster) {
	var lost atomic.Int32
	_, kill := c.run(t, settings(), losing(&lost))
	pool, deployment := general(), web("one", 1, "500m")
	c.create(t, pool, deployment)
	eventually(t, "a machine that its claim does not know", func() string {
		if lost.Load() == 0 || len(c.nodes(t)) == 0 {
			return fmt.Sprintf("%d lost writes, %d nodes", lost.Load(), len(c.nodes(t)))
		}
		return ""
	})
	kill()
	if id := c.claims(t)[0].Status.ProviderID; id != "" {
		t.Fatalf("the claim knows its machine %s: nothing was lost", id)
	}

	_, stop := c.run(t, settings())
	defer stop()
	c.running(t, "one", 1)
	if claims, nodes := len(c.claims(t)), len(c.nodes(t)); claims != 1 || nodes != 1 {
		t.Errorf("%d claims, %d machines; want one of each", claims, nodes)
	}
	c.remove(t, deployment, pool)
}

func machineOfADeletedClaimIsGivenBack(t *testing.T, c *cluster) {
	var lost atomic.Int32
	_, kill := c.run(t, settings(), losing(&lost))
	claim := standalone("one")
	c.create(t, claim)
	eventually(t, "a machine that its claim does not know", func() string {
		if len(c.nodes(t)) == 0 || lost.Load() == 0 {
			return "none"
		}
		return ""
	})
	kill()
	if err := c.Delete(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	_, stop := c.run(t, settings())
	defer stop()
	c.quiet(t)
}
