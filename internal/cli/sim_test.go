package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/awssim"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/awssim/world"
	"github.com/dovetail-sh/dovetail/catalog"
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

// What keeps a machine from joining may be long: it stands below the table, whole, and leaves the columns alone.
func TestSimStatusTellsBelowTheTableWhyAMachineNeverJoins(t *testing.T) {
	t.Parallel()
	server := newSimulatedAWS(t, awssim.Options{})
	why := "registering the node:\n\tNode is invalid: " + strings.Repeat("metadata.labels: Invalid value; ", 20)
	_ = server.World().Do(func(s *world.State) error {
		data := &launchspec.Data{ImageID: s.Images[0].ID, InstanceType: "m6g.large"}
		if s.Images[0].Arch == catalog.X8664 {
			data.InstanceType = "m5.large"
		}
		launched, err := s.RunInstances(data, s.Subnets[0].ID, "", 1, 1, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		s.Booted(launched[0], "", why)
		return nil
	})
	id := server.Status().Instances[0].ID
	got := sim(t, server, "status")
	if !strings.Contains(got, id+" never joins: "+strings.Join(strings.Fields(why), " ")+"\n") {
		t.Errorf("status does not tell all of the reason in one line:\n%s", got)
	}
	for line := range strings.Lines(got) {
		if strings.HasPrefix(line, id+" ") && !strings.Contains(line, "joins:") &&
			(len(line) > 120 || !strings.HasSuffix(line, "never joins\n")) {
			t.Errorf("the row of the instance does not say just that it never joins: %q", line)
		}
	}
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
	if code, _, stderr := run(t, "sim", "--endpoint", server.URL(), "fault", "add", "flood", "*"); code == 0 ||
		!strings.Contains(stderr, "want throttle, ") {
		t.Errorf("a kind that does not exist: exit code %d, %s", code, stderr)
	}
}

func TestSimWithoutAnAWS(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL", "")
	if code, _, stderr := run(t, "sim", "fault", "list"); code == 0 || !strings.Contains(stderr, "AWS_ENDPOINT_URL") {
		t.Errorf("exit code %d, %s; want to be told how to name one", code, stderr)
	}
}

func TestSimAccount(t *testing.T) {
	t.Parallel()
	server := newSimulatedAWS(t, awssim.Options{Moving: true})
	if got, want := sim(t, server, "set", "--throttling", "--lag", "3s", "--unrest", "50", "--speed", "60"),
		"calls are throttled, descriptions lag 3s, the market moves with unrest 50, time runs 60 times as fast\n"; got != want {
		t.Errorf("set printed %q, want %q", got, want)
	}
	if got := sim(
		t,
		server,
		"set",
		"--throttling=false",
		"--lag",
		"0s",
		"--moving=false",
		"--speed",
		"1",
	); got != "all settings are at their defaults\n" {
		t.Errorf("set printed %q", got)
	}
	status := sim(t, server, "status")
	for _, want := range []string{"us-east-1, cluster dovetail, ", "$0.00 spent", "FREE ADDRESSES", "us-east-1a   16379", "INSTANCE"} {
		if !strings.Contains(status, want) {
			t.Errorf("status lacks %q:\n%s", want, status)
		}
	}
	for name, args := range map[string][]string{
		`"nobody"`:          {"interrupt", "nobody"},
		`"i-0"`:             {"event", "impaired", "i-0", "--code", "system"},
		"stands still":      {"market", "squeeze", "m5.large"},
		"speed is -1":       {"set", "--speed", "-1"},
		"want a number or ": {"market", "capacity", "m5.large", "many"},
	} {
		if code, _, stderr := run(
			t,
			append([]string{"sim", "--endpoint", server.URL()}, args...)...); code == 0 ||
			!strings.Contains(stderr, name) {
			t.Errorf("%v: exit code %d, %s; want an error that says %s", args, code, stderr, name)
		}
	}
	sim(t, server, "event", "message", "--body", "{}")
}

func TestSimMarket(t *testing.T) {
	t.Parallel()
	server := newSimulatedAWS(t, awssim.Options{Moving: true})
	sim(t, server, "market", "squeeze", "m5.large", "--zone", "us-east-1a", "--for", "1h")
	sim(t, server, "market", "capacity", "m5.large", "7", "--zone", "us-east-1b")
	rows := strings.Split(strings.TrimSpace(sim(t, server, "market", "m5.large")), "\n")
	if len(rows) != 6 {
		t.Fatalf(
			"%d rows, want a header and the 5 zones that have m5.large:\n%s",
			len(rows),
			strings.Join(rows, "\n"),
		)
	}
	squeezed, few := strings.Fields(rows[1]), strings.Fields(rows[2])
	if squeezed[4] != "1.00" || squeezed[6] != "0" {
		t.Errorf("the squeezed pool shows %v, want full pressure and none left", squeezed)
	}
	if few[6] != "7" {
		t.Errorf("the limited pool shows %v, want 7 left", few)
	}
}

func TestSimSaysWhatIsNotThere(t *testing.T) {
	t.Parallel()
	server := newSimulatedAWS(t, awssim.Options{})
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"interrupt", "nobody"}, 1, `there is no node "nobody"; status lists those that there are`},
		{[]string{"interrupt", "i-0"}, 1, `there is no instance "i-0"; `},
		{[]string{"event", "rebalance"}, 1, "no instance is named: want a node's name or an instance's id"},
		{[]string{"event", "weather", "nobody"}, 2, "KIND weather is unknown; want rebalance, "},
		{[]string{"market", "m5.none"}, 1, "nobody sells m5.none on spot"},
	} {
		code, _, stderr := run(t, append([]string{"sim", "--endpoint", server.URL()}, c.args...)...)
		if code != c.code || !strings.Contains(stderr, c.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf(
				"%v: exit code %d, message %q; want %d and one line with %q",
				c.args,
				code,
				stderr,
				c.code,
				c.want,
			)
		}
	}
	if got, want := sim(t, server, "market"), "no spot pool is in use; name a type to see its pools\n"; got != want {
		t.Errorf("market printed %q, want %q", got, want)
	}
	if got, want := sim(t, server, "fault", "list"), "no call goes wrong: there are no faults\n"; got != want {
		t.Errorf("fault list printed %q, want %q", got, want)
	}
}
