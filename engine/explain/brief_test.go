package explain_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine/explain"
	"github.com/dovetail-sh/dovetail/engine/feasible"
)

func pool(name string, groups ...explain.Group) explain.Tree {
	t := explain.Tree{Subject: "pool " + name, Noun: "offerings", Groups: groups}
	for _, g := range groups {
		t.Of += g.Count
	}
	return t
}

func TestTheMostTellingPoolComesFirst(t *testing.T) {
	t.Parallel()
	label := explain.Group{
		Count: 400, Reason: feasible.Reason{Kind: feasible.WrongLabel, Key: "zone", Want: "zone In [us-east-1a]"},
	}
	small := explain.Group{
		Count: 200, Reason: feasible.Reason{Kind: feasible.TooSmall, Resource: "cpu", Need: 8000, Have: 4000},
	}
	gone := explain.Group{Count: 3, Reason: feasible.Reason{Kind: feasible.Unavailable}}
	tree := explain.Tree{Subject: "default/web", Children: []explain.Tree{
		{Subject: "nodes", Noun: "nodes", Of: 9, Groups: []explain.Group{
			{Count: 9, Reason: feasible.Reason{Kind: feasible.NoRoom, Resource: "cpu", Need: 8000, Have: 920}},
		}},
		pool("arm", label), pool("general", label, small, gone), pool("windows", explain.Group{
			Count: 1, Reason: feasible.Reason{Kind: feasible.Tainted, Key: "os", Want: "windows:NoSchedule"},
		}),
	}}
	want := "pool general: 3 not available just now, 200 too small (needs 8 cpu, largest has 4), " +
		"400 for other reasons; " +
		"nodes: 9 no room (needs 8 cpu, at most left 920m); pool arm: 400 wrong label (wants zone In [us-east-1a]); " +
		"pool windows: 1 tainted (os=windows:NoSchedule)"
	if got := tree.Brief(400); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := tree.Brief(120); !strings.HasPrefix(got, "pool general: 3 not available") || len(got) > 120 {
		t.Errorf("in 120 characters: %s", got)
	}
	if got, want := tree.Brief(210), "; and 2 more"; !strings.HasSuffix(got, want) || len(got) > 210 {
		t.Errorf("in 210 characters: %s, want it to end in %q", got, want)
	}
}

func TestABriefIsNeverLongerThanItMayBe(t *testing.T) {
	t.Parallel()
	kinds := []feasible.Kind{
		feasible.TooSmall, feasible.WrongLabel, feasible.Tainted, feasible.Unavailable, feasible.NotReady,
		feasible.OverLimit, feasible.Refused, feasible.Spread,
	}
	rapid.Check(t, func(t *rapid.T) {
		tree := explain.Tree{Subject: "default/web"}
		for p := range rapid.IntRange(0, 40).Draw(t, "pools") {
			var groups []explain.Group
			for range rapid.IntRange(0, 5).Draw(t, "groups") {
				groups = append(groups, explain.Group{
					Count: rapid.IntRange(1, 100_000).Draw(t, "count"), Reason: feasible.Reason{
						Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), Key: rapid.StringN(0, 80, 200).Draw(t, "key"),
						Want: rapid.StringN(0, 300, 900).Draw(t, "want"), Resource: "memory", Need: 1 << 40,
					},
				})
			}
			tree.Children = append(tree.Children, pool(fmt.Sprint(p), groups...))
		}
		most := rapid.IntRange(100, 500).Draw(t, "most")
		if got := tree.Brief(most); len(got) > most || !utf8.ValidString(got) && utf8.ValidString(tree.Sentence()) {
			t.Fatalf("%d of at most %d bytes: %q", len(got), most, got)
		}
	})
}
