package binder

import (
	"testing"
	"time"
)

func TestWhatBecomesOfANodeThatIsKept(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for name, tc := range map[string]struct {
		why    string
		change func(*sight)
		want   verdict
	}{
		"all is there": {"Its pods were seen bound a while ago.", func(*sight) {}, open},
		"a binding is not seen": {"Kube-scheduler may not see it either.",
			func(s *sight) { s.promised, s.ready = 1, ago(time.Hour) }, hold},
		"a binding was seen just now": {"Kube-scheduler's watch may be slower than ours.",
			func(s *sight) { s.quiet = ago(settleFor / 2) }, hold},
		"many bindings were seen just now": {"What took long to see may take others longer.",
			func(s *sight) { s.quiet, s.took = ago(settleFor), 20*time.Second }, hold},
		"a pod is still to be bound": {"It waits for a neighbour.", func(s *sight) { s.toBind = 1 }, hold},
		"a pod is still to be bound, for too long": {"The limit is over.",
			func(s *sight) { s.toBind, s.ready = 1, ago(11*time.Second) }, open},
		"pods of other nodes are on their way": {"They would take the room that is left over here.",
			func(s *sight) { s.coming = 7 }, hold},
		"pods of other nodes are on their way, for too long": {"The limit is over.",
			func(s *sight) { s.coming, s.ready = 7, ago(11*time.Second) }, open},
		"pods of other nodes are on their way, for too long, and others are being bound": {
			"Thousands take their time.",
			func(s *sight) { s.coming, s.ready, s.moved = 7, ago(40*time.Second), ago(time.Second) }, hold},
		"pods of other nodes are on their way, for ever": {"There is an end to patience.",
			func(s *sight) { s.coming, s.ready, s.moved = 7, ago(61*time.Second), ago(time.Second) }, open},
		"a DaemonSet is kept off, and pods are being bound": {"It waits no longer than the limit.",
			func(s *sight) {
				s.coming, s.keeps, s.ready, s.moved = 7, true, ago(11*time.Second), ago(time.Second)
			}, open},
		"some are left to kube-scheduler": {"It is told before the node opens.",
			func(s *sight) { s.untold = 1 }, tell},
		"nobody takes the hint": {"Nominations are cleared again and again.",
			func(s *sight) { s.untold, s.told = 1, ago(writesWithin) }, open},
		"nominations were seen just now": {"Kube-scheduler's watch may be slower than ours.",
			func(s *sight) { s.bound, s.told, s.quiet = false, ago(time.Second), ago(nominationsSettle/2) }, hold},
		"another node's pods are being nominated": {"Whoever opens first has all of them tried.",
			func(s *sight) { s.bound, s.told, s.telling = false, ago(time.Second), 1 }, hold},
		"it is not ready": {"Nothing could run there anyhow.", func(s *sight) { s.ready = time.Time{} }, hold},
		"it is not ready, and keeps a DaemonSet off": {"That may be what makes it ready.",
			func(s *sight) { s.ready, s.keeps, s.since = time.Time{}, true, ago(startsWithin) }, open},
		"it is not ready, ever": {"No node stays kept.",
			func(s *sight) { s.ready, s.since = time.Time{}, ago(startsAtLast) }, open},
		"it is being deleted": {"It takes no pods.", func(s *sight) { s.leaving = true }, hold},
		"another process kept it": {"Nobody knows its plan.", func(s *sight) { s.own, s.ready = false, time.Time{} },
			open},
		"another process kept it, a moment ago": {"What that process sent is to be seen by all.",
			func(s *sight) { s.own, s.since = false, ago(adoptAfter/2) }, hold},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sight{now: now, holdAtMost: 10 * time.Second, own: true, since: ago(8 * time.Second),
				ready: ago(6 * time.Second), bound: true, quiet: ago(3 * time.Second)}
			tc.change(&s)
			if got := decide(s); got != tc.want {
				t.Errorf("%s got %d, want %d", tc.why, got, tc.want)
			}
		})
	}
}
