package v1

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// noon is a Wednesday.
var noon = time.Date(2026, time.January, 14, 12, 0, 0, 0, time.UTC)

func scheduled(nodes, schedule string, duration time.Duration, reasons ...DisruptionReason) Budget {
	return Budget{Nodes: nodes, Schedule: &schedule, Duration: &metav1.Duration{Duration: duration}, Reasons: reasons}
}

func TestAllowedDisruptions(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why     string
		budgets []Budget
		now     time.Time
		nodes   int
		reason  DisruptionReason
		want    int
		err     string
	}{
		"NoBudget":     {why: "Nothing is limited.", nodes: 10, want: Unlimited},
		"Count":        {why: "A count is a count.", budgets: []Budget{{Nodes: "3"}}, nodes: 10, want: 3},
		"CountOfNone":  {why: "A count may exceed the nodes there are.", budgets: []Budget{{Nodes: "3"}}, nodes: 0, want: 3},
		"Zero":         {why: "0 protects everything.", budgets: []Budget{{Nodes: "0"}}, nodes: 10, want: 0},
		"Percent":      {why: "Of 20 nodes 10 % are 2.", budgets: []Budget{{Nodes: "10%"}}, nodes: 20, want: 2},
		"PercentUp":    {why: "Of 11 nodes 10 % are 1.1: rounded up, small pools can move at all.", budgets: []Budget{{Nodes: "10%"}}, nodes: 11, want: 2},
		"PercentOfOne": {why: "Of 1 node 1 % is 1.", budgets: []Budget{{Nodes: "1%"}}, nodes: 1, want: 1},
		"PercentOf0":   {why: "Of no nodes any share is none.", budgets: []Budget{{Nodes: "100%"}}, nodes: 0, want: 0},
		"PercentZero":  {why: "0 % protects everything.", budgets: []Budget{{Nodes: "0%"}}, nodes: 10, want: 0},
		"Smallest": {why: "Of several active budgets the smallest counts.",
			budgets: []Budget{{Nodes: "50%"}, {Nodes: "2"}, {Nodes: "30%"}}, nodes: 10, want: 2},
		"OtherReason": {why: "A budget for another reason does not count.",
			budgets: []Budget{{Nodes: "0", Reasons: []DisruptionReason{DisruptionReasonDrifted}}}, nodes: 10, reason: DisruptionReasonEmpty, want: Unlimited},
		"OwnReason": {why: "A budget for the reason counts.",
			budgets: []Budget{{Nodes: "0", Reasons: []DisruptionReason{DisruptionReasonDrifted, DisruptionReasonEmpty}}}, nodes: 10, reason: DisruptionReasonEmpty, want: 0},
		"NoReasons": {why: "An empty list means all reasons, as no list does.",
			budgets: []Budget{{Nodes: "1", Reasons: []DisruptionReason{}}}, nodes: 10, reason: DisruptionReasonEmpty, want: 1},
		"Inactive": {why: "Outside its hours a budget does not count.",
			budgets: []Budget{scheduled("0", "0 9 * * *", time.Hour)}, nodes: 10, want: Unlimited},
		"Active": {why: "Inside its hours it does.",
			budgets: []Budget{{Nodes: "5"}, scheduled("0", "0 9 * * mon-fri", 8*time.Hour)}, nodes: 10, want: 0},
		"BadCron": {why: "What cannot be read protects everything, whatever the reason.",
			budgets: []Budget{{Nodes: "5"}, scheduled("9", "61 * * * *", time.Hour, DisruptionReasonDrifted)}, nodes: 10, reason: DisruptionReasonEmpty,
			want: 0, err: `reading budget 1 of NodePool general: schedule is "61 * * * *"`},
		"BadNodes": {why: "As above.", budgets: []Budget{{Nodes: "some"}}, nodes: 10, want: 0, err: `nodes is "some", must be a number or a percentage`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := &NodePool{ObjectMeta: metav1.ObjectMeta{Name: "general"}}
			pool.Spec.Disruption.Budgets = tc.budgets
			got, err := pool.AllowedDisruptions(noon, tc.nodes, tc.reason)
			if got != tc.want {
				t.Errorf("%s\nallowed %d, want %d", tc.why, got, tc.want)
			}
			if tc.err == "" && err != nil || tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)) {
				t.Errorf("%s\nerror is %v, want %q", tc.why, err, tc.err)
			}
		})
	}
}

func TestBudgetActive(t *testing.T) {
	t.Parallel()
	berlin := time.FixedZone("Berlin", 3600)
	cases := map[string]struct {
		why    string
		budget Budget
		now    time.Time
		want   bool
	}{
		"AtHit":          {"It starts exactly at the hit.", scheduled("1", "0 12 * * *", time.Hour), noon, true},
		"BeforeHit":      {"Not a second earlier.", scheduled("1", "0 12 * * *", time.Hour), noon.Add(-time.Second), false},
		"LastSecond":     {"It lasts for its duration.", scheduled("1", "0 12 * * *", time.Hour), noon.Add(time.Hour - time.Second), true},
		"AtEnd":          {"And then is over.", scheduled("1", "0 12 * * *", time.Hour), noon.Add(time.Hour), false},
		"Overlapping":    {"A duration longer than the period never ends.", scheduled("1", "@hourly", 2*time.Hour), noon.Add(59 * time.Minute), true},
		"UTC":            {"The schedule is in UTC, wherever the clock is.", scheduled("1", "0 12 * * *", time.Minute), noon.In(berlin), true},
		"NotLocal":       {"12:00 in Berlin is not 12:00 UTC.", scheduled("1", "0 12 * * *", time.Minute), noon.Add(-time.Hour).In(berlin), false},
		"Weekday":        {"Wednesday is a weekday.", scheduled("1", "0 0 * * mon-fri", 24*time.Hour), noon, true},
		"Weekend":        {"Saturday is not; Friday's budget ended at midnight.", scheduled("1", "0 0 * * mon-fri", 24*time.Hour), noon.AddDate(0, 0, 3), false},
		"NeverHits":      {"30 February does not come.", scheduled("1", "0 0 30 2 *", time.Hour), noon, false},
		"Macro":          {"@daily is midnight.", scheduled("1", "@daily", 13*time.Hour), noon, true},
		"WithoutEither":  {"No schedule means always.", Budget{Nodes: "1"}, noon, true},
		"YearBoundaries": {"A duration may reach back over a new year.", scheduled("1", "0 0 31 12 *", 15*24*time.Hour), noon, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := tc.budget.Active(tc.now)
			if err != nil || got != tc.want {
				t.Errorf("%s\nactive is %v, %v, want %v", tc.why, got, err, tc.want)
			}
		})
	}
}

func TestBudgetRefusesTimeZones(t *testing.T) {
	t.Parallel()
	budget := scheduled("1", "TZ=Europe/Berlin 0 12 * * *", time.Hour)
	if active, err := budget.Active(noon); err == nil || active {
		t.Errorf("a schedule with a time zone is read as UTC (active %v): the user means another hour", active)
	}
}
