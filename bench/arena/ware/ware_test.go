package ware

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider/kwok"
)

// What our controller reads from the file is what the types were, and every offering has its price by the labels that a
// node of either controller has.
func TestTheFileIsWhatTheTypesAre(t *testing.T) {
	t.Parallel()
	text, err := File(Types())
	if err != nil {
		t.Fatal(err)
	}
	read, err := kwok.ParseTypes(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(read) != len(Types()) || len(read) != 36 {
		t.Fatalf("%d types were read of %d, want 36", len(read), len(Types()))
	}
	price := Price(Types())
	for i, got := range read {
		want := Types()[i]
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", want.Name, diff)
		}
		for j, o := range got.Offerings {
			labels := map[string]string{
				shape.LabelInstanceType: got.Name, shape.LabelZone: o.Zone, shape.LabelCapacityType: o.CapacityType,
			}
			dollars, known := price(labels)
			if !known || o.Price != want.Offerings[j].Price || dollars != o.Price.Float() {
				t.Errorf("%v costs %v (known %v), want %s", labels, dollars, known, want.Offerings[j].Price)
			}
		}
	}
	if dollars, known := price(map[string]string{shape.LabelInstanceType: "m7.large"}); known {
		t.Errorf("a node of an unknown type costs %v", dollars)
	}
}

// The reference refuses a file without the fields that ours can do without, so they are all there.
func TestTheFileHasEveryField(t *testing.T) {
	t.Parallel()
	text, err := File(Types()[:1])
	if err != nil {
		t.Fatal(err)
	}
	var list []map[string]any
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"name", "offerings", "architecture", "operatingSystems", "resources"} {
		if list[0][key] == nil {
			t.Errorf("there is no %s in %s", key, text)
		}
	}
	resources, ok := list[0]["resources"].(map[string]any)
	if !ok || resources["pods"] == nil || resources["cpu"] == nil || resources["memory"] == nil {
		t.Errorf("resources are %v", list[0]["resources"])
	}
}
