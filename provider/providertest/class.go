package providertest

import (
	"cmp"
	"slices"
	"testing"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

var classPromises = []promise{
	{"ClassKindsHasTheDefaultFirst", classKindsHasTheDefaultFirst},
	{"AReadyClassIsReady", aReadyClassIsReady},
	{"InstanceTypesAreWellFormed", instanceTypesAreWellFormed},
	{"InstanceTypesAnswersTheSameTwice", instanceTypesAnswersTheSameTwice},
	{"TasksCanRunAtOnce", tasksCanRunAtOnce},
}

func classKindsHasTheDefaultFirst(t *testing.T, b *bench) {
	kinds := b.cloud.ClassKinds()
	if len(kinds) == 0 || kinds[0] != b.Ready.GroupKind() {
		t.Errorf("ClassKinds() = %v, want %v first", kinds, b.Ready.GroupKind())
	}
	if b.cloud.Name() == "" {
		t.Error("the cloud has no name")
	}
}

func aReadyClassIsReady(t *testing.T, b *bench) {
	if _, err := b.cloud.ResolveClass(t.Context(), b.Ready); err != nil {
		t.Fatalf("ResolveClass: %v", err)
	}
	class, err := b.cloud.Class(t.Context(), b.Ready)
	if err != nil || !class.Ready || class.Deleting || class.Name != b.Ready.Name {
		t.Errorf("Class(%s) = %+v, %v", b.Ready.Name, class, err)
	}
}

func instanceTypesAreWellFormed(t *testing.T, b *bench) {
	names := map[string]bool{}
	for _, it := range b.types(t) {
		if names[it.Name] {
			t.Errorf("%s is listed twice", it.Name)
		}
		names[it.Name] = true
		if !it.Allocatable.Fits(it.Capacity) {
			t.Errorf("%s: allocatable %+v exceeds capacity %+v", it.Name, it.Allocatable, it.Capacity)
		}
		if it.Allocatable.Pods <= 0 || it.Capacity.CPU <= 0 || it.Capacity.Memory <= 0 {
			t.Errorf("%s: capacity %+v, allocatable %+v", it.Name, it.Capacity, it.Allocatable)
		}
		checkRequirements(t, it)
		for _, o := range it.Offerings {
			if o.Zone == "" || o.CapacityType == "" || o.Available && o.Price <= 0 {
				t.Errorf("%s: bad offering %+v", it.Name, o)
			}
			if !slices.Contains(values(it, shape.LabelZone), o.Zone) ||
				!slices.Contains(values(it, shape.LabelCapacityType), o.CapacityType) {
				t.Errorf("%s: its requirements leave out the offering in %s (%s)", it.Name, o.Zone, o.CapacityType)
			}
		}
	}
	if len(names) == 0 {
		t.Error("there are no instance types")
	}
}

func checkRequirements(t *testing.T, it *shape.InstanceType) {
	t.Helper()
	for i, r := range it.Requirements {
		if i > 0 && cmp.Compare(it.Requirements[i-1].Key, r.Key) >= 0 {
			t.Errorf("%s: requirements %s and %s are out of order", it.Name, it.Requirements[i-1].Key, r.Key)
		}
		if r.Operator != shape.DoesNotExist &&
			(r.Operator != shape.In || len(r.Values) == 0 && len(it.Offerings) > 0) {
			t.Errorf(
				"%s: requirement %s has operator %s and values %v, want In or DoesNotExist",
				it.Name,
				r.Key,
				r.Operator,
				r.Values,
			)
		}
	}
	for _, key := range []string{shape.LabelArch, shape.LabelOS, shape.LabelInstanceType, shape.LabelZone,
		shape.LabelCapacityType} {
		if len(it.Offerings) > 0 && len(values(it, key)) == 0 {
			t.Errorf("%s: no values for %s", it.Name, key)
		}
	}
}

func values(it *shape.InstanceType, key string) []string {
	for _, r := range it.Requirements {
		if r.Key == key {
			return r.Values
		}
	}
	return nil
}

func instanceTypesAnswersTheSameTwice(t *testing.T, b *bench) {
	first, second := b.types(t), b.types(t)
	if len(first) != len(second) {
		t.Fatalf("%d types, then %d", len(first), len(second))
	}
	for i := range first {
		if first[i].Name != second[i].Name {
			t.Errorf("place %d is %s, then %s", i, first[i].Name, second[i].Name)
		}
	}
}

func tasksCanRunAtOnce(t *testing.T, b *bench) {
	for _, task := range b.cloud.Tasks() {
		if task.Name == "" || task.Every <= 0 {
			t.Errorf("task %+v has no name or interval", task)
		}
		if err := task.Run(t.Context()); err != nil {
			t.Errorf("%s: %v", task.Name, err)
		}
	}
}
