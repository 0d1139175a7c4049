package view

import (
	"encoding/csv"
	"fmt"
	"strings"
	"testing"
	"time"
)

// parserHeader is what awslabs' parser of Karpenter's logs writes first.
const parserHeader = `Nodeclaim Createdtime Nodepool Instancetypes Launchedtime Providerid Instancetype Zone
Capacitytype Registeredtime K8snodename Initializedtime Nodereadytime Nodereadytimesec
Disruptiontime Disruptionreason Disruptiondecision Disruptednodecount Replacementnodecount
Disruptedpodcount Savings Replacedby Replaces Annotationtime Annotation Tainttime Taint
Interruptiontime Interruptionkind Deletedtime Nodeterminationtime Nodeterminationtimesec
Nodelifecycletime Nodelifecycletimesec Initialized Deleted`

func TestHistoryHasTheColumnsOfLogParsers(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return time.Date(2026, 11, 21, 3, 0, s, 0, time.UTC) }
	h := History{At: at(600), Lives: []Life{
		{
			Claim:       "web-1",
			Pool:        "web",
			Created:     at(0),
			Launched:    at(2),
			Initialized: at(30),
			ProviderID:  "aws:///us-east-1a/i-0a",
			Types:       []string{"c", "b", "a", "f", "e", "d", "g"},
			Chosen: at(
				60,
			),
			Deleting: at(61),
			Gone:     at(100),
			Reason:   "underutilized",
			Went:     "x",
			Instead:  []string{"web-2"},
			Evicted:  3,
		},
		{Claim: "web-2", Created: at(5), Reason: "spot_interrupted", Interrupted: at(90), Deleting: at(91)},
	}}
	var b strings.Builder
	if err := h.CSV(&b); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range strings.Fields(parserHeader) {
		if want := fmt.Sprintf("%s[%d]", name, i+1); rows[0][i] != want {
			t.Errorf("column %d is %s, want %s", i+1, rows[0][i], want)
		}
	}
	if len(rows[0]) != len(strings.Fields(parserHeader)) {
		t.Errorf("there are %d columns", len(rows[0]))
	}
	for _, want := range []struct {
		row, column int
		text        string
	}{
		{1, 2, "2026-11-21T03:00:00.000Z"}, {1, 4, "a|b|c|d|e|and2others"}, {1, 6, "i-0a"}, {1, 13, "30s"}, {1, 14,
			"30"}, {1, 16, "underutilized"}, {1, 17, "replace"},
		{1, 19, "1"}, {1, 20, "3"}, {1, 22, "web-2"}, {1, 32, "39"}, {1, 33, "1m40s"}, {1, 36, "true"}, {1, 29, ""},
		{2, 16, ""}, {2, 28, "2026-11-21T03:01:30.000Z"}, {2, 29, "spot_interrupted"}, {2, 35, "false"}, {2, 36,
			"false"},
	} {
		if got := rows[want.row][want.column-1]; got != want.text {
			t.Errorf("row %d, %s: %q, want %q", want.row, rows[0][want.column-1], got, want.text)
		}
	}
}
