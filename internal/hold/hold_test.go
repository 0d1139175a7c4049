package hold_test

import (
	"strings"
	"testing"
	"time"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/hold"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func pool(name string, pairs ...string) karpenterv1.NodePool {
	p := karpenterv1.NodePool{}
	p.Name, p.Annotations = name, map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		p.Annotations[pairs[i]] = pairs[i+1]
	}
	return p
}

func TestAHoldIsOfItsPoolOrOfAll(t *testing.T) {
	t.Parallel()
	at := func(hours int) string { return noon.Add(time.Duration(hours) * time.Hour).Format(time.RFC3339) }
	until, scope := hold.AnnotationUntil, hold.AnnotationScope
	cases := map[string]struct {
		why   string
		pools []karpenterv1.NodePool // the first is asked for
		want  []string               // parts of the sentence; none if it is not held
	}{
		"None": {"Nobody holds.", []karpenterv1.NodePool{pool("a"), pool("b")}, nil},
		"Own": {
			"By the hour.",
			[]karpenterv1.NodePool{
				pool("a", until, at(1), hold.AnnotationBy, "alice", hold.AnnotationReason, "incident 12"),
			},
			[]string{"until 2026-01-01T13:00:00Z", "alice", "incident 12", "NodePool a"},
		},
		"Another's": {
			"The hold of another pool is its own.",
			[]karpenterv1.NodePool{pool("a"), pool("b", until, at(1))},
			nil,
		},
		"Cluster": {
			"Unless it is of the whole cluster.",
			[]karpenterv1.NodePool{pool("a"), pool("b", until, at(1), scope, "Cluster")},
			[]string{"NodePool b", "13:00", "no name", "no reason"},
		},
		"Over": {
			"It ends by itself.",
			[]karpenterv1.NodePool{pool("a", until, at(0)), pool("b", until, at(-1), scope, "Cluster")},
			nil,
		},
		"Longest": {
			"The one that lasts longest is told.",
			[]karpenterv1.NodePool{
				pool("a", until, at(1)),
				pool("b", until, at(3), scope, "Cluster"),
				pool("c", until, at(2), scope, "Cluster"),
			},
			[]string{"15:00", "NodePool b"},
		},
		"OwnLonger": {
			"Also if it is the pool's own.",
			[]karpenterv1.NodePool{pool("a", until, at(5)), pool("b", until, at(3), scope, "Cluster")},
			[]string{"17:00", "NodePool a"},
		},
		"Zone": {
			"Times have zones.",
			[]karpenterv1.NodePool{pool("a", until, "2026-01-01T13:30:00+01:00")},
			[]string{"12:30:00Z"},
		},
		"Unread": {
			"What cannot be read holds, and says so.",
			[]karpenterv1.NodePool{pool("a", until, "tomorrow")},
			[]string{`"tomorrow"`, "correct it", hold.AnnotationUntil},
		},
		"Empty": {"So does an empty one.", []karpenterv1.NodePool{pool("a", until, "")}, []string{`""`}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, ok := hold.Of(&tc.pools[0], tc.pools, noon)
			if ok != (tc.want != nil) {
				t.Fatalf("%s held is %t: %+v", tc.why, ok, h)
			}
			for _, part := range tc.want {
				if !strings.Contains(h.Sentence(), part) {
					t.Errorf("%s %q lacks %q", tc.why, h.Sentence(), part)
				}
			}
		})
	}
}
