package aws

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/dovetail-sh/dovetail/provider"
)

func TestManyTerminationsAtOnceAreFewCalls(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const count = 40
	var ids []string
	for i := range count {
		m, err := b.Launch(t.Context(), b.orderFor(t, claim(string(rune('a'+i%26))+string(rune('a'+i/26)), "default", onDemandAMD64...)))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, m.ProviderID)
	}
	// One that is gone is among them.
	if err := b.Terminate(t.Context(), ids[0]); err != nil {
		t.Fatal(err)
	}
	b.clock.Step(time.Hour)
	before := b.calls("TerminateInstances") + b.calls("DescribeInstances")
	errs := make([]error, count)
	var wg sync.WaitGroup
	for i, id := range ids {
		wg.Go(func() { errs[i] = b.Terminate(t.Context(), id) })
	}
	wg.Wait()
	for i, err := range errs {
		if (i == 0) != errors.Is(err, provider.ErrNotFound) || i > 0 && err != nil {
			t.Errorf("instance %d: %v", i, err)
		}
	}
	if calls := b.calls("TerminateInstances") + b.calls("DescribeInstances") - before; calls > count/2 {
		t.Errorf("%d calls for %d instances", calls, count)
	}
}
