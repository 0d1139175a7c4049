package reserve

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider"
)

// reservation is a cloud with one reservation.
type reservation struct {
	state provider.ReservationState
	ends  time.Time
	err   error
}

func (r reservation) Reservation(
	context.Context,
	*karpenterv1.NodeClaim,
) (provider.ReservationState, time.Time, error) {
	return r.state, r.ends, r.err
}

func (reservation) ReservationLabels() []string { return []string{"cloud/reservation"} }

func TestReconcile(t *testing.T) {
	t.Parallel()
	held := map[string]string{
		karpenterv1.CapacityTypeLabelKey: karpenterv1.CapacityTypeReserved,
		"cloud/reservation":              "cr-1",
		"team":                           "red",
	}
	onDemand := map[string]string{karpenterv1.CapacityTypeLabelKey: karpenterv1.CapacityTypeOnDemand, "team": "red"}
	cases := map[string]struct {
		why     string
		cloud   reservation
		labels  map[string]string // of claim and node afterwards
		deleted []string
		again   time.Duration
		ends    string // annotation of the claim afterwards
	}{
		"Held": {
			"All is as it was, and is looked at again.",
			reservation{state: provider.ReservationHeld},
			held,
			nil,
			time.Minute,
			"",
		},
		"Lost": {
			"The machine runs on, on demand, and nobody takes it for reserved any more.",
			reservation{state: provider.ReservationLost},
			onDemand,
			nil,
			0,
			"",
		},
		"Ending": {
			"The machine is about to be taken: it is drained while there is time.",
			reservation{state: provider.ReservationEnding},
			held,
			[]string{"a " + Reason},
			0,
			"",
		},
		"EndIsKnown": {
			"The drain is told how long it has.",
			reservation{state: provider.ReservationEnding, ends: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)},
			held,
			[]string{"a " + Reason},
			0,
			"2026-11-21T12:00:00Z",
		},
		"Gone": {
			"A machine that is gone is others' affair.",
			reservation{err: provider.ErrNotFound},
			held,
			nil,
			0,
			"",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			claim, node := &karpenterv1.NodeClaim{}, &corev1.Node{}
			claim.Name, claim.Labels, claim.Status.ProviderID = "a", held, "cloud:///i-1"
			node.Name, node.Labels, node.Spec.ProviderID = "node-a", held, "cloud:///i-1"
			kube := kubeWith(t, claim, node)
			var deleted []string
			r := &Reconciler{
				Deps{
					Client: kube,
					Cloud:  tc.cloud,
					Delete: func(_ context.Context, c *karpenterv1.NodeClaim, reason string) error {
						deleted = append(deleted, c.Name+" "+reason)
						return nil
					},
				},
			}
			result, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKey{Name: "a"}})
			if err != nil || result.RequeueAfter != tc.again {
				t.Errorf("%s\nagain after %s, %v", tc.why, result.RequeueAfter, err)
			}
			for _, o := range []client.Object{claim, node} {
				if err := kube.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tc.labels, o.GetLabels()); diff != "" {
					t.Errorf("%s\nlabels of %s: -want +got\n%s", tc.why, o.GetName(), diff)
				}
			}
			if got := claim.Annotations[translate.AnnotationMachineEnds]; got != tc.ends {
				t.Errorf("%s\nthe machine is said to end at %q, want %q", tc.why, got, tc.ends)
			}
			if diff := cmp.Diff(tc.deleted, deleted); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.why, diff)
			}
		})
	}
}

func kubeWith(t *testing.T, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, storagev1.AddToScheme,
		karpenterv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	kube := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...)
	for _, i := range lookup.Indexes() {
		kube.WithIndex(i.Object, i.Field, i.Values)
	}
	return kube.Build()
}
