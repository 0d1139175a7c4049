package eviction_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/engine/eviction"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

func TestOrder(t *testing.T) {
	t.Parallel()
	of := func(name string, cpu, gib int64, change func(*shape.Class)) *shape.Class {
		c := &shape.Class{Namespace: name, Requests: shape.Vector{CPU: cpu, Memory: gib << 30}}
		if change != nil {
			change(c)
		}
		return c
	}
	term := []shape.NodeTerm{{}}
	classes := []*shape.Class{
		of("small", 100, 0, nil),
		of("memory", 100, 8, nil), // as large as two cores
		of("core", 1000, 0, nil),
		of("wishes", 9000, 0, func(c *shape.Class) {
			c.Spread = []shape.Spread{{Key: "zone"}}
			c.Affinity = []shape.PodTerm{{Key: "zone", Weight: 1}}
			c.PreferredNodes = []shape.PreferredNodes{{Weight: 1}}
		}),
		of("selector", 10, 0, func(c *shape.Class) { c.NodeSelector = []shape.Requirement{{Key: "disk"}} }),
		of("affinity", 20, 0, func(c *shape.Class) { c.NodeTerms = term }),
		of("volume", 30, 0, func(c *shape.Class) { c.VolumeTerms = term }),
		of("attached", 40, 0, func(c *shape.Class) { c.Attach = []shape.Attach{{}} }),
		of("unbound", 50, 0, func(c *shape.Class) { c.Bindings = []shape.Binding{{}} }),
		of("apart", 1, 0, func(c *shape.Class) { c.Affinity = []shape.PodTerm{{Key: "host", Anti: true}} }),
		of("spread", 2, 0, func(c *shape.Class) { c.Spread = []shape.Spread{{Key: "zone", Hard: true}} }),
	}
	slices.SortStableFunc(classes, func(a, b *shape.Class) int {
		return eviction.Compare(eviction.RankOf(a), eviction.RankOf(b))
	})
	var got []string
	for _, c := range classes {
		got = append(got, c.Namespace)
	}
	want := []string{
		"spread", "apart", "unbound", "attached", "volume", "affinity", "selector", "wishes", "memory", "core", "small",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
