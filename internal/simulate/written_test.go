package simulate_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/simulate"
	"github.com/dovetail-sh/dovetail/internal/view"
	"github.com/dovetail-sh/dovetail/provider/kwok"
)

// wanted is what the comments of a file in testdata say, by their first word:
//
//	# nodes: cpu-4 cpu-2        types of all new nodes, or none
//	# zones: zone-a zone-b      zones of all new nodes
//	# unplaced: default/web-0   pods without a place
//	# reason: words             in what is said of each of them; may be repeated
//	# note: words               in some note; may be repeated
//	# error: words              in the error, of which nothing else is wanted; may be repeated
type wanted struct {
	nodes, zones, unplaced       []string
	reasons, notes, errorsInText []string
}

func readWanted(t *testing.T, text string) wanted {
	t.Helper()
	w := wanted{nodes: []string{}, unplaced: []string{}}
	said := false
	for line := range strings.Lines(text) {
		word, rest, ok := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "#")), ": ")
		if !ok || !strings.HasPrefix(line, "# ") {
			continue
		}
		switch word {
		case "nodes":
			if rest != "none" {
				w.nodes = strings.Fields(rest)
			}
		case "zones":
			w.zones = strings.Fields(rest)
		case "unplaced":
			w.unplaced = strings.Fields(rest)
		case "reason":
			w.reasons = append(w.reasons, rest)
		case "note":
			w.notes = append(w.notes, rest)
		case "error":
			w.errorsInText = append(w.errorsInText, rest)
		default:
			continue
		}
		said = true
	}
	if !said {
		t.Fatal("the file does not say what is wanted")
	}
	return w
}

// Each file is a cluster as somebody might write it down; what is wanted is what an API server, the controllers and
// kube-scheduler would make of it on nodes that cost what they have.
func TestWrittenClusters(t *testing.T) {
	t.Parallel()
	types, err := kwok.ParseTypes([]byte(catalogue()))
	if err != nil {
		t.Fatal(err)
	}
	testWritten(t, "testdata/written", simulate.Market{Types: types, Overhead: &shape.Vector{}})
}

// The same on AWS, with its own types, labels, limits of attachments and drivers. The pools name few types, so that a
// new catalogue changes nothing.
func TestWrittenClustersOnAWS(t *testing.T) {
	t.Parallel()
	testWritten(t, "testdata/aws", simulate.Market{})
}

func testWritten(t *testing.T, folder string, market simulate.Market) {
	t.Helper()
	files, err := filepath.Glob(folder + "/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %d files: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want := readWanted(t, string(text))
			result, err := planWritten(text, market)
			if len(want.errorsInText) > 0 {
				for _, words := range want.errorsInText {
					if err == nil || !strings.Contains(err.Error(), words) {
						t.Errorf("got error %v, want one with %q", err, words)
					}
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			checkWritten(t, result, want)
		})
	}
}

func planWritten(text []byte, market simulate.Market) (*simulate.Result, error) {
	set, err := manifest.Read([]string{"-"}, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	ready, err := simulate.Prepare(simulate.Input{
		Set: set, Policy: engine.DefaultPolicy(), Now: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC), Market: market,
	})
	if err != nil {
		return nil, err
	}
	return ready.Plan()
}

// catalogue sells cpu-1 to cpu-16 with 4Gi and 0.05 $/h for each core, a little more for each machine, and card, which
// has two devices.
func catalogue() string {
	var types []string
	for _, cpu := range []int{1, 2, 4, 8, 16} {
		types = append(types, machine(fmt.Sprintf("cpu-%d", cpu), cpu, "", 0.001+0.05*float64(cpu)))
	}
	types = append(types, machine("card", 8, `, "example.com/card": "2", "hugepages-2Mi": "1Gi"`, 3))
	return "[" + strings.Join(types, ",") + "]"
}

func machine(name string, cpu int, more string, price float64) string {
	var offerings []string
	for _, zone := range []string{"zone-a", "zone-b"} {
		offerings = append(offerings, fmt.Sprintf(`{"Price": %g, "Available": true, "Requirements": [`+
			`{"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]},`+
			`{"key": "topology.kubernetes.io/zone", "operator": "In", "values": [%q]}]}`, price, zone))
	}
	return fmt.Sprintf(`{"name": %q, "architecture": "amd64", "operatingSystems": ["linux"], "offerings": [%s],
		"resources": {"cpu": "%d", "memory": "%dGi", "ephemeral-storage": "100Gi", "pods": "110"%s}}`,
		name, strings.Join(offerings, ","), cpu, 4*cpu, more)
}

func checkWritten(t *testing.T, result *simulate.Result, want wanted) {
	t.Helper()
	nodes, zones, unplaced := []string{}, []string{}, []string{}
	plan := view.PlanOf(result.Decision, result.Notes, 0)
	for _, n := range plan.Nodes {
		nodes, zones = append(nodes, n.InstanceType), append(zones, n.Zone)
	}
	slices.Sort(nodes)
	slices.Sort(zones)
	slices.Sort(want.nodes)
	if diff := cmp.Diff(want.nodes, nodes); diff != "" {
		t.Errorf("new nodes: -want +got\n%s", diff)
	}
	if diff := cmp.Diff(want.zones, zones); want.zones != nil && diff != "" {
		t.Errorf("zones of new nodes: -want +got\n%s", diff)
	}
	for _, u := range plan.Unplaced {
		unplaced = append(unplaced, u.Pod)
		said := strings.Join(u.Reasons, "; ")
		for _, words := range want.reasons {
			if !strings.Contains(said, words) {
				t.Errorf("of %s is said %q, want %q in it", u.Pod, said, words)
			}
		}
	}
	slices.Sort(unplaced)
	if diff := cmp.Diff(want.unplaced, unplaced); diff != "" {
		t.Errorf("pods without a place: -want +got\n%s", diff)
	}
	for _, words := range want.notes {
		if !slices.ContainsFunc(result.Notes, func(note string) bool { return strings.Contains(note, words) }) {
			t.Errorf("no note has %q among %q", words, result.Notes)
		}
	}
}
