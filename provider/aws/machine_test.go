package aws

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"

	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/awserror"
)

func TestManyTerminationsAtOnceAreFewCalls(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const count = 40
	var ids []string
	for i := range count {
		m, err := b.Launch(
			t.Context(),
			b.orderFor(t, claim(string(rune('a'+i%26))+string(rune('a'+i/26)), "default", onDemandAMD64...)),
		)
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

// ended is EC2's answer to a termination.
var ended = answer(
	200,
	`<TerminateInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><instancesSet/></TerminateInstancesResponse>`,
)

// Who may terminate an instance depends on its tags. One that somebody took the tags from keeps no other alive.
func TestADeniedTerminationIsOneInstancesAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tr := b.withTrouble(t)
	synctest.Test(t, func(t *testing.T) {
		calls, gate := 0, make(chan struct{})
		tr.on("TerminateInstances", func(r request) (*http.Response, error) {
			if calls++; calls == 1 {
				<-gate
			}
			if strings.Contains(r.form.Encode(), "i-3") {
				return refusal(403, "UnauthorizedOperation")(r)
			}
			return ended(r)
		})
		errs := make([]error, 6)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() { _, _, errs[i] = b.ending.Get(t.Context(), fmt.Sprintf("i-%d", i)) })
			synctest.Wait() // the first is out, and the others wait to go together
		}
		close(gate)
		all.Wait()
		for i, err := range errs {
			if awserror.IsUnauthorized(err) != (i == 3) || i != 3 && err != nil {
				t.Errorf("instance %d: %v", i, err)
			}
		}
	})
}

// bounds notes until when each call may take.
type bounds struct {
	awssdk.HTTPClient
	mu    sync.Mutex // guards the field below
	until map[string]time.Time
}

func (b *bounds) Do(req *http.Request) (*http.Response, error) {
	at, _ := req.Context().Deadline() // zero without one
	b.mu.Lock()
	b.until[req.Header.Get("Amz-Sdk-Invocation-Id")] = at
	b.mu.Unlock()
	return b.HTTPClient.Do(req)
}

// Whoever comes while such a call is out waits for it. One that hangs must not hold up all look-ups and terminations
// for as long as the SDK would.
func TestCallsThatServeManyAreBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	m, err := b.Launch(t.Context(), b.orderFor(t, claim("general-1", "default", onDemandAMD64...)))
	if err != nil {
		t.Fatal(err)
	}
	watched := &bounds{HTTPClient: http.DefaultClient, until: map[string]time.Time{}}
	b.deps.Config.HTTPClient = watched
	b.restart(t)
	clear(watched.until)
	latest := time.Now().Add(2 * togetherFor)
	if err := b.Terminate(t.Context(), m.ProviderID); err != nil {
		t.Fatal(err)
	}
	if len(watched.until) != 2 {
		t.Errorf("%d calls, want one to find and one to end the instance", len(watched.until))
	}
	for _, at := range watched.until {
		if at.IsZero() || at.After(latest) {
			t.Errorf("a call may take until %s", at)
		}
	}
}

// A new leader looks for what the one before it launched, for all claims that wait: a call for each would be throttled.
func TestManyClaimsThatWaitAreLookedForInFewCalls(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tr := b.withTrouble(t)
	synctest.Test(t, func(t *testing.T) {
		calls, gate := 0, make(chan struct{})
		tr.on("DescribeInstances", func(r request) (*http.Response, error) {
			if calls++; calls == 1 {
				<-gate
			}
			return answer(
				200,
				`<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet><item><instancesSet><item>
<instanceId>i-4</instanceId><tagSet><item><key>`+tokenTagKey+`</key><value>token-4</value></item></tagSet></item></instancesSet></item></reservationSet></DescribeInstancesResponse>`,
			)(
				r,
			)
		})
		var all sync.WaitGroup
		for i := range 30 {
			all.Go(func() {
				got, found, err := b.adopting.Get(t.Context(), fmt.Sprintf("token-%d", i))
				if err != nil || found != (i == 4) || found && deref(got.InstanceId) != "i-4" {
					t.Errorf("token-%d: %v, %v, %v", i, deref(got.InstanceId), found, err)
				}
			})
			synctest.Wait() // the first is out, and the others wait to go together
		}
		close(gate)
		all.Wait()
		if calls != 2 {
			t.Errorf("%d calls, want 2", calls)
		}
	})
}
