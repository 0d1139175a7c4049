package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// newest are the versions that Dovetail speaks.
var newest = map[string]string{"core": "v1.15.0", "aws": "v1.15.2"}

// ofTools are flags of programs beside the controller.
const ofTools = "a flag of a code generator"

// absent are facts of these versions that are not here, and why. What has come since must leave the list.
var absent = map[Kind]map[string]string{
	Event: {"evt.Reason": "no event of its own: passes on another's"},
	Flag: {
		"--instance-types": ofTools, "--out-file": ofTools, "--output": ofTools, "--overhead-percent": ofTools,
		"--partition": ofTools, "--url": ofTools,
	},
}

// computed are metrics whose labels the code of the module works out, so that they cannot be read there.
var computed = regexp.MustCompile("^karpenter_(pods_state|nodes_(total_.*|allocatable|system_overhead" +
	"|current_lifetime_seconds))$")

// cells are the rows of a generated page: what is in backticks in each column.
func cells(t *testing.T, page string) (out [][][]string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/reference/" + page)
	if err != nil {
		t.Fatal(err)
	}
	spans := regexp.MustCompile("`([^`]+)`")
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		var row [][]string
		for cell := range strings.SplitSeq(strings.Trim(strings.TrimSpace(line), "|"), "|") {
			var words []string
			for _, m := range spans.FindAllStringSubmatch(cell, -1) {
				words = append(words, m[1])
			}
			row = append(row, words)
		}
		out = append(out, row)
	}
	if len(out) == 0 {
		t.Fatalf("%s has no table", page)
	}
	return out
}

// here is what Dovetail has, as its reference says.
func here(t *testing.T) Facts {
	t.Helper()
	out := Facts{}
	for _, row := range cells(t, "metrics.md") {
		slices.Sort(row[2])
		out.add(Metric, row[0][0], "{"+strings.Join(row[2], ", ")+"}")
	}
	for _, row := range cells(t, "events.md") {
		out.add(Event, row[0][0], "")
	}
	for _, row := range cells(t, "flags.md") {
		out.add(Flag, row[0][0], "")
		if strings.HasSuffix(row[0][0], "feature-gates") {
			for gate := range strings.SplitSeq(row[2][0], ",") {
				name, _, _ := strings.Cut(gate, "=")
				out.add(Gate, name, "")
			}
		}
		if len(row[1]) > 0 {
			out.add(Variable, row[1][0], "")
		}
	}
	return out
}

// Whatever metric, event, flag, variable and gate the newest versions have is here, metrics with the same labels, but
// for what is known to be absent.
func TestWhatIsHereIsThatOf115(t *testing.T) {
	t.Parallel()
	ours := here(t)
	for module, version := range newest {
		theirs := downloaded(t, module, version)
		for _, kind := range []Kind{Metric, Event, Flag, Variable, Gate} {
			compare(t, kind, theirs[kind], ours[kind])
		}
	}
}

func compare(t *testing.T, kind Kind, theirs, ours map[string]string) {
	t.Helper()
	for name, value := range theirs {
		got, there := ours[name]
		same := there && (kind != Metric || got == value || computed.MatchString(name))
		switch why, known := absent[kind][name]; {
		case !same && !known:
			t.Errorf("%s %s is %q there, and here %q", kind, name, value, got)
		case same && known:
			t.Errorf("%s %s is here now: take it off the list (%s)", kind, name, why)
		}
	}
}
