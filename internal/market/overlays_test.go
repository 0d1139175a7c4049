package market

import (
	"errors"
	"testing"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	karpenterv1alpha1 "github.com/dovetail-sh/dovetail/api/karpenter/v1alpha1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

func TestStoreWaitsForTheFirstEvaluation(t *testing.T) {
	t.Parallel()
	pool := &karpenterv1.NodePool{}
	pool.Name = "general"
	types := []*shape.InstanceType{
		{Name: "big", Offerings: []shape.Offering{{Zone: "a", CapacityType: "spot", Price: 100}}},
	}
	s := NewOverlays()
	if _, err := s.apply(pool, types); !errors.Is(err, ErrUnevaluated) {
		t.Errorf("before: %v", err)
	}
	if out, err := s.apply(nil, types); err != nil || out.Types[0] != types[0] {
		t.Errorf("a claim without a pool: %v, %v", out, err)
	}
	price := "0.5"
	half := &karpenterv1alpha1.NodeOverlay{}
	half.Name, half.Spec.Price = "half", &price
	read, err := translate.ReadOverlay(half)
	if err != nil {
		t.Fatal(err)
	}
	s.Set([]translate.Overlay{read})
	first, err := s.apply(pool, types)
	if err != nil || first.Types[0].Offerings[0].Price != 500_000 {
		t.Fatalf("after: %v, %v", first, err)
	}
	if again, _ := s.apply(pool, types); &again.Types[0] != &first.Types[0] {
		t.Error("equal types give another list: everything that was made of it is made anew")
	}
	s.Set(nil)
	if out, _ := s.apply(pool, types); out.Types[0] != types[0] {
		t.Error("an overlay that is gone still holds")
	}
}

// Without the gate there is a Store all the same, so that nobody has to ask whether there is one: it changes nothing
// and waits for nothing.
func TestAStoreThatIsOffChangesNothing(t *testing.T) {
	t.Parallel()
	pool := &karpenterv1.NodePool{}
	pool.Name = "general"
	types := []*shape.InstanceType{{Name: "big"}}
	out, err := NoOverlays().apply(pool, types)
	if err != nil || len(out.Types) != 1 || out.Types[0] != types[0] {
		t.Errorf("got %v, %v", out, err)
	}
}
