package soak

import "testing"

// No machine is worth more than its price by itself, and a pair of machines bounds what both hold.
func TestBoundIsNeverAboveAPrice(t *testing.T) {
	t.Parallel()
	for _, m := range market() {
		if got := bound(int64(m.cores*1000), int64(m.gib*1024)); got > m.price*1.000001 || got <= 0 {
			t.Errorf("%v cores and %v GiB are sold for %v, and the bound is %v", m.cores, m.gib, m.price, got)
		}
	}
	if one, two := bound(1000, 4096), bound(2000, 8192); two < 1.999*one || two > 2.001*one {
		t.Errorf("twice as much is worth %v, want twice %v", two, one)
	}
}
