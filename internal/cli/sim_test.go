package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/awssim"
)

// sim runs `dovetail sim` against a simulated AWS and returns what it prints.
func sim(t *testing.T, server *awssim.Server, args ...string) string {
	t.Helper()
	code, stdout, stderr := run(t, append([]string{"sim", "--endpoint", server.URL()}, args...)...)
	if code != 0 {
		t.Fatalf("sim %v: exit code %d, %s", args, code, stderr)
	}
	return stdout
}

func newSimulatedAWS(t *testing.T, o awssim.Options) *awssim.Server {
	t.Helper()
	server, err := awssim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("closing the simulated AWS: %v", err)
		}
	})
	return server
}

func TestSimFault(t *testing.T) {
	t.Parallel()
	server := newSimulatedAWS(t, awssim.Options{})
	sim(t, server, "fault", "add", "throttle", "CreateFleet", "--count", "3", "--skip", "1")
	sim(t, server, "fault", "add", "server-error", "ec2:*", "--rate", "0.1", "--code", "ServiceUnavailable")
	got := sim(t, server, "fault", "add", "lost", "CreateFleet", "--param", "*.InstanceType=m5.*")
	if want := "fault 3: lost for the next call of CreateFleet with *.InstanceType=m5.*\n"; got != want {
		t.Errorf("adding printed %q, want %q", got, want)
	}
	want := `
ID   FAULT                                                                            MET   SPOILED
1    throttle for the next 3 calls after 1 of CreateFleet                             0     0
2    server-error ServiceUnavailable for every call by a chance of 0.1 of ec2:*       0     0
3    lost for the next call of CreateFleet with *.InstanceType=m5.*                   0     0
`
	if diff := cmp.Diff(strings.Fields(want), strings.Fields(sim(t, server, "fault", "list"))); diff != "" {
		t.Errorf("list: -want +got\n%s", diff)
	}
	sim(t, server, "fault", "clear", "1", "3")
	if left := server.Faults().List(); len(left) != 1 || left[0].ID != "2" {
		t.Errorf("after clearing two of three: %+v", left)
	}
	if code, _, stderr := run(t, "sim", "--endpoint", server.URL(), "fault", "add", "flood", "*"); code == 0 || !strings.Contains(stderr, "want one of") {
		t.Errorf("a kind that does not exist: exit code %d, %s", code, stderr)
	}
}

func TestSimWithoutAnAWS(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL", "")
	if code, _, stderr := run(t, "sim", "fault", "list"); code == 0 || !strings.Contains(stderr, "AWS_ENDPOINT_URL") {
		t.Errorf("exit code %d, %s; want to be told how to name one", code, stderr)
	}
}
