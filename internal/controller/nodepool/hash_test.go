package nodepool

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

func TestStampsOfAnotherVersionAreRenewed(t *testing.T) {
	t.Parallel()
	made := pool()
	now := stampOf(made)
	drifted := []metav1.Condition{{Type: karpenterv1.ConditionDrifted, Status: metav1.ConditionTrue}}
	cases := map[string]struct {
		why        string
		hash       string // on the claim
		version    string // on the claim
		conditions []metav1.Condition
		pool       stamp // on the pool
		wantHash   string
	}{
		"BothOld": {"A new way of hashing makes no node drift.", "was", "v0", nil, stamp{}, made.Hash()},
		"OnlyTheClaim": {
			"A controller of another version made the claim after the pool was stamped.",
			"was",
			"v0",
			nil,
			now,
			made.Hash(),
		},
		"Drifted": {"What has drifted is not forgiven.", "was", "v0", drifted, now, "was"},
		"Changed": {
			"A hash of this version tells that the template has changed.",
			"was",
			karpenterv1.NodePoolHashVersion,
			nil,
			now,
			"was",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := pool()
			p.Annotations = tc.pool.annotations
			claim := &karpenterv1.NodeClaim{ObjectMeta: metav1.ObjectMeta{Name: "c", Annotations: map[string]string{
				karpenterv1.NodePoolHashAnnotationKey:        tc.hash,
				karpenterv1.NodePoolHashVersionAnnotationKey: tc.version,
			}}}
			claim.Status.Conditions = tc.conditions
			scheme := runtime.NewScheme()
			if err := karpenterv1.AddToScheme(scheme); err != nil {
				t.Fatal(err)
			}
			c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(p, claim).Build()
			r := &Reconciler{Deps: Deps{Client: c}}
			var claims karpenterv1.NodeClaimList
			if err := c.List(t.Context(), &claims); err != nil {
				t.Fatal(err)
			}
			if err := r.sign(t.Context(), p, claims.Items); err != nil {
				t.Fatal(err)
			}
			want := map[string]string{
				karpenterv1.NodePoolHashAnnotationKey:        tc.wantHash,
				karpenterv1.NodePoolHashVersionAnnotationKey: karpenterv1.NodePoolHashVersion,
			}
			for _, o := range []client.Object{claim, p} {
				if err := c.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(want, claim.Annotations); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.why, diff)
			}
			if diff := cmp.Diff(now.annotations, p.Annotations); diff != "" {
				t.Errorf("the pool's: -want +got\n%s", diff)
			}
		})
	}
}
