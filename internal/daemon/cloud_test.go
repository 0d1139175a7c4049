package daemon

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/dovetail-sh/dovetail/provider"
)

// In a cluster that is not on EKS, and in a network without EKS's endpoint, the controller's own CA has to do.
func TestNodesTrustTheAPIServerAsTheControllerDoes(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(file, []byte("mounted"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, tc := range map[string]struct {
		set  string
		kube rest.Config
	}{
		"c2V0":         {"c2V0", rest.Config{TLSClientConfig: rest.TLSClientConfig{CAData: []byte("given")}}},
		"Z2l2ZW4=":     {"", rest.Config{TLSClientConfig: rest.TLSClientConfig{CAData: []byte("given")}}},
		"bW91bnRlZA==": {"", rest.Config{TLSClientConfig: rest.TLSClientConfig{CAFile: file}}},
		"":             {"", rest.Config{}},
	} {
		if got, err := authorityOf(tc.set, &tc.kube); got != want || err != nil {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	if _, err := authorityOf(
		"",
		&rest.Config{TLSClientConfig: rest.TLSClientConfig{CAFile: file + ".gone"}},
	); err == nil {
		t.Error("a file that is not there is no error")
	}
}

func TestStandbysRunWhatTheCloudSays(t *testing.T) {
	t.Parallel()
	for _, standby := range []bool{false, true} {
		if led := (&task{Task: provider.Task{Standby: standby}}).NeedLeaderElection(); led == standby {
			t.Errorf("standby %v: for the leader alone is %v", standby, led)
		}
	}
}

// One throttled call must not leave a task undone for its whole interval, which is half a day for prices.
func TestATaskThatFailsRunsAgainSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		var ran []time.Duration
		work := &task{
			clock: clock.RealClock{}, log: logr.Discard(), outcome: func(context.Context, string, error) {},
			Task: provider.Task{Every: 10 * time.Minute, Run: func(context.Context) error {
				ran = append(ran, time.Since(start))
				switch len(ran) {
				case 1, 2, 3, 4, 5, 7:
					return errors.New("throttled")
				case 9:
					cancel()
				}
				return nil
			}},
		}
		if err := work.Start(ctx); err != nil {
			t.Error(err)
		}
		const m = time.Minute
		// 1, 2, 4, 8 and at most 10 minutes while it fails; then its interval; and a new failure begins with a minute
		// again.
		if diff := cmp.Diff(
			[]time.Duration{0, m, 3 * m, 7 * m, 15 * m, 25 * m, 35 * m, 36 * m, 46 * m},
			ran,
		); diff != "" {
			t.Errorf("it ran after: -want +got\n%s", diff)
		}
	})
}
