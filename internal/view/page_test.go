package view

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestDecisionsAddUp lays random lives side by side: what a decision leaves is what the next one finds, every claim
// comes
// once and goes once at most, and the last price is that of those who are there.
func TestDecisionsAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var lives []Life
		there := PerHour(0)
		ends := 0
		for i := range rapid.IntRange(0, 40).Draw(rt, "claims") {
			l := Life{
				UID:   fmt.Sprint(i),
				Claim: fmt.Sprint("c", i),
				Pool:  rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "pool"),
				Created: time.Unix(
					int64(rapid.IntRange(1, 200).Draw(rt, "created")),
					0,
				),
				Price: PerHour(rapid.IntRange(0, 1000).Draw(rt, "price")),
			}
			if rapid.Bool().Draw(rt, "went") {
				l.Deleting = l.Created.Add(time.Duration(rapid.IntRange(0, 100).Draw(rt, "lived")) * time.Second)
				l.Reason = rapid.SampledFrom([]string{"empty", "expired"}).Draw(rt, "reason")
				ends++
			} else {
				there += l.Price
			}
			lives = append(lives, l)
		}
		list := Decisions(lives)
		come, gone, ids := 0, 0, map[string]bool{}
		for i := range list {
			d := &list[i]
			if d.After != d.Before+d.Change {
				rt.Fatalf("%+v does not add up", d)
			}
			if i+1 < len(list) && list[i+1].After != d.Before {
				rt.Fatalf("%+v does not follow on %+v", d, list[i+1])
			}
			if ids[d.ID] {
				rt.Fatalf("ID %s repeats itself", d.ID)
			}
			ids[d.ID] = true
			if d.Kind == "opened" {
				come += len(d.Claims)
			} else {
				gone += len(d.Claims)
			}
		}
		if come != len(lives) || gone != ends {
			rt.Fatalf("%d came and %d went, want %d and %d", come, gone, len(lives), ends)
		}
		if len(list) > 0 && list[0].After != there {
			rt.Fatalf("at last the price is %s, want %s", list[0].After.Dollars(), there.Dollars())
		}
		if s := Series(lives, time.Unix(1000, 0)); len(s) > 0 && s[len(s)-1].Price != there {
			rt.Fatalf("the series ends at %s, want %s", s[len(s)-1].Price.Dollars(), there.Dollars())
		}
	})
}
