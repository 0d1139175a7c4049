package limiter

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// spend makes a call until it is refused, and says how often it was not.
func spend(l *Limiter, now time.Time, c Call) (n int) {
	for l.Allow(now, c) {
		if n++; n > 10_000 {
			return n
		}
	}
	return n
}

// Buckets hold what AWS's guide says, and refill at its pace.
func TestBucketsHoldWhatTheGuideSays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		call         Call
		burst, after int // at once, and ten seconds later
	}{
		"a filtered list": {Call{Service: "ec2", Action: "DescribeInstances"}, 100, 100},
		"a whole list":    {Call{Service: "ec2", Action: "DescribeInstances", Broad: true}, 50, 50},
		"a change":        {Call{Service: "ec2", Action: "CreateFleet"}, 50, 50},
		"RunInstances":    {Call{Service: "ec2", Action: "RunInstances", Items: 1}, 5, 5},
		"a parameter":     {Call{Service: "ssm", Action: "GetParameter"}, 40, 40},
		"large launches":  {Call{Service: "ec2", Action: "RunInstances", Items: 400}, 2, 0},
	} {
		l := New()
		l.Switch(true)
		if got := spend(l, noon, c.call); got != c.burst {
			t.Errorf("%s: %d calls at once, want %d", name, got, c.burst)
		}
		if got := spend(l, noon.Add(10*time.Second), c.call); got != c.after {
			t.Errorf("%s: %d calls ten seconds later, want %d", name, got, c.after)
		}
	}
}

// A call that is refused for its instances has not used up a call either.
func TestARefusalTakesNothing(t *testing.T) {
	t.Parallel()
	l := New()
	l.Switch(true)
	for range 20 {
		if l.Allow(noon, Call{Service: "ec2", Action: "RunInstances", Items: 1001}) {
			t.Fatal("more instances than the bucket holds")
		}
	}
	if got := spend(l, noon, Call{Service: "ec2", Action: "RunInstances", Items: 1}); got != 5 {
		t.Errorf("%d calls are left, want 5", got)
	}
}

func TestWhatIsNotLimited(t *testing.T) {
	t.Parallel()
	l := New()
	launch := Call{Service: "ec2", Action: "RunInstances", Items: 1}
	if got := spend(l, noon, launch); got <= 10_000 {
		t.Errorf("switched off, it refuses after %d calls", got)
	}
	l.Switch(true)
	if got := spend(l, noon, Call{Service: "eks", Action: "DescribeCluster"}); got <= 10_000 {
		t.Errorf("a service whose limits are not published is refused after %d calls", got)
	}
	spend(l, noon, launch)
	l.Switch(true)
	if got := spend(l, noon, launch); got != 5 || !l.On() {
		t.Errorf("switched on again, %d calls are allowed, want 5", got)
	}
}

// However calls come, no window lets more through than the bucket held and what came back meanwhile.
func TestNoWindowLetsMoreThrough(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := New()
		l.Switch(true)
		now, through := noon, 0
		for range rapid.IntRange(1, 200).Draw(t, "calls") {
			now = now.Add(time.Duration(rapid.IntRange(0, 700).Draw(t, "ms")) * time.Millisecond)
			if l.Allow(now, Call{Service: "ec2", Action: "RunInstances", Items: 1}) {
				through++
			}
		}
		if most := 5 + 2*now.Sub(noon).Seconds(); float64(through) > most+1e-6 {
			t.Fatalf("%d calls in %s, at most %.1f", through, now.Sub(noon), most)
		}
	})
}
