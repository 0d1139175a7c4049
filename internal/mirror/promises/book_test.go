package promises

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// promised is what one pod was promised, as a list of facts would have it.
type promised struct {
	Name  string
	Sent  bool
	Until time.Time
}

// diary is the same as a Book, written down without any index or timer.
type diary struct {
	pods   map[shape.PodID]promised
	claims map[string]time.Time
	now    time.Time
}

// TestNoPromiseIsLostOrCountedTwice: whatever the order of events, each pod has the promise that it was given last,
// until that was ended or its time was over.
func TestNoPromiseIsLostOrCountedTwice(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b, d := NewBook(), &diary{map[shape.PodID]promised{}, map[string]time.Time{}, noon}
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			d.event(t, b)
			d.compare(t, b)
		}
	})
}

func (d *diary) event(t *rapid.T, b *Book) {
	pod := rapid.SampledFrom([]shape.PodID{"a", "b", "c", "d"}).Draw(t, "pod")
	name := rapid.SampledFrom([]string{"n0", "n1", "c0"}).Draw(t, "name")
	until := d.now.Add(time.Duration(rapid.IntRange(1, 9).Draw(t, "seconds")) * time.Second)
	switch rapid.IntRange(0, 7).Draw(t, "event") {
	case 0:
		until = rapid.SampledFrom([]time.Time{{}, until}).Draw(t, "ends")
		b.Plan(pod, name, until)
		d.pods[pod] = promised{Name: name, Until: until}
	case 1:
		b.Send(pod, name)
		d.pods[pod] = promised{Name: name, Sent: true}
	case 2:
		b.Cancel(pod)
		delete(d.pods, pod)
	case 3:
		d.begin(t, b, pod, until)
	case 4:
		d.swap(b, pod, rapid.SampledFrom([]shape.PodID{"a", "b", "c", "d"}).Draw(t, "other"))
	case 5:
		b.Expect(name, until)
		d.claims[name] = until
	case 6:
		_, expected := d.claims[name]
		if got := b.Appeared(name); got != expected {
			t.Fatalf("Appeared(%s) = %v, expected: %v", name, got, expected)
		}
		delete(d.claims, name)
	case 7:
		d.now = until
		d.expire(t, b)
	}
}

func (d *diary) begin(t *rapid.T, b *Book, pod shape.PodID, until time.Time) {
	p, ok := d.pods[pod]
	begins := ok && !p.Sent && p.Until.IsZero()
	if got := b.Begin(pod, until); got != begins {
		t.Fatalf("Begin(%s) = %v of %+v", pod, got, p)
	}
	if begins {
		d.pods[pod] = promised{Name: p.Name, Until: until}
	}
}

// swap has two pods change places if both are planned.
func (d *diary) swap(b *Book, one, other shape.PodID) {
	p, q := d.pods[one], d.pods[other]
	if one == other || p.Name == "" || q.Name == "" || p.Sent || q.Sent {
		return
	}
	b.Swap(one, other)
	d.pods[one], d.pods[other] = q, p
}

// expire wants each promise whose time is over to be ended once, and told.
func (d *diary) expire(t *rapid.T, b *Book) {
	var claims []string
	var pods []shape.PodID
	for claim, until := range d.claims {
		if !d.now.Before(until) {
			claims = append(claims, claim)
			delete(d.claims, claim)
		}
	}
	for pod, p := range d.pods {
		if !p.Until.IsZero() && !d.now.Before(p.Until) {
			pods = append(pods, pod)
			delete(d.pods, pod)
		}
	}
	gotClaims, gotPods := b.Expire(d.now)
	sorted := cmpopts.SortSlices(func(a, b string) bool { return a < b })
	if diff := cmp.Diff(claims, gotClaims, sorted); diff != "" {
		t.Fatalf("claims whose time is over: -want +got\n%s", diff)
	}
	ids := cmpopts.SortSlices(func(a, b shape.PodID) bool { return a < b })
	if diff := cmp.Diff(pods, gotPods, ids); diff != "" {
		t.Fatalf("pods whose time is over: -want +got\n%s", diff)
	}
	if claims, pods := b.Expire(d.now); len(claims)+len(pods) != 0 {
		t.Fatalf("told twice: %v, %v", claims, pods)
	}
}

// compare asks the Book in every way that it can be asked.
func (d *diary) compare(t *rapid.T, b *Book) {
	toward, plans := map[string][]shape.PodID{}, map[shape.PodID]string{}
	for _, pod := range []shape.PodID{"a", "b", "c", "d"} {
		p, ok := d.pods[pod]
		if ok {
			toward[p.Name] = append(toward[p.Name], pod)
		}
		target, planned := b.Target(pod)
		node, sent := b.Sent(pod)
		if planned != (ok && !p.Sent) || sent != (ok && p.Sent) || target+node != p.Name {
			t.Fatalf("%s is planned onto %q and sent to %q, want %+v", pod, target, node, p)
		}
		if planned {
			plans[pod] = target
		}
	}
	for _, name := range []string{"n0", "n1", "c0"} {
		got := b.Toward(name)
		slices.Sort(got)
		if !slices.Equal(got, toward[name]) {
			t.Fatalf("toward %s are %v, want %v", name, got, toward[name])
		}
	}
	if got := maps.Collect(b.Plans()); !maps.Equal(got, plans) || b.Planned() != len(plans) {
		t.Fatalf("%d plans %v, want %v", b.Planned(), got, plans)
	}
	expected := slices.Sorted(b.Expected())
	if want := slices.Sorted(maps.Keys(d.claims)); !slices.Equal(expected, want) {
		t.Fatalf("expected claims %v, want %v", expected, want)
	}
}
