package fault_test

import (
	"strings"
	"testing"

	"github.com/dovetail-sh/dovetail/awssim/fault"
)

func call(service, action string, params ...string) fault.Call {
	return fault.Call{Service: service, Action: action, Params: func() map[string]string {
		out := map[string]string{}
		for i := 0; i < len(params); i += 2 {
			out[params[i]] = params[i+1]
		}
		return out
	}}
}

func add(t *testing.T, s *fault.Set, r fault.Rule) {
	t.Helper()
	if _, err := s.Add(r); err != nil {
		t.Fatal(err)
	}
}

func TestRuleMatches(t *testing.T) {
	t.Parallel()
	fleet := call(
		"ec2",
		"CreateFleet",
		"Type",
		"instant",
		"LaunchTemplateConfigs.1.Overrides.2.InstanceType",
		"m5.large",
		"Role",
		"a/b",
	)
	cases := map[string]struct {
		rule fault.Rule
		want bool
	}{
		"Anything":         {fault.Rule{}, true},
		"Service":          {fault.Rule{Service: "ec2"}, true},
		"OtherService":     {fault.Rule{Service: "sqs"}, false},
		"ActionByWildcard": {fault.Rule{Action: "Create*"}, true},
		"TwoWildcards":     {fault.Rule{Action: "*te?le*"}, true},
		"OtherAction":      {fault.Rule{Action: "*Delete*"}, false},
		"NotThePrefix":     {fault.Rule{Action: "Create"}, false},
		"Parameter":        {fault.Rule{Params: map[string]string{"*.InstanceType": "m5.*"}}, true},
		"ThroughASlash":    {fault.Rule{Params: map[string]string{"Role": "*b"}}, true},
		"AllParameters": {
			fault.Rule{Params: map[string]string{"*.InstanceType": "m5.*", "Type": "request"}},
			false,
		},
	}
	for name, tc := range cases {
		s := fault.NewSet(1)
		tc.rule.Kind = fault.Throttle
		add(t, s, tc.rule)
		if _, got := s.Next(fleet); got != tc.want {
			t.Errorf("%s: struck is %v, want %v", name, got, tc.want)
		}
	}
}

func TestRateFollowsTheSeed(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) string {
		s := fault.NewSet(seed)
		add(t, s, fault.Rule{Kind: fault.Throttle, Rate: 0.25})
		var out strings.Builder
		for range 1000 {
			if _, hit := s.Next(call("ec2", "CreateFleet")); hit {
				out.WriteByte('x')
			} else {
				out.WriteByte('.')
			}
		}
		return out.String()
	}
	first := run(3)
	if hits := strings.Count(first, "x"); hits < 200 || hits > 300 {
		t.Errorf("%d of 1000 calls went wrong at a rate of 0.25", hits)
	}
	if run(3) != first {
		t.Error("the same seed gave other faults")
	}
	if run(4) == first {
		t.Error("another seed gave the same faults")
	}
}

func TestFirstRuleThatFiresDecides(t *testing.T) {
	t.Parallel()
	s := fault.NewSet(1)
	add(t, s, fault.Rule{Kind: fault.Throttle, Count: 1})
	add(t, s, fault.Rule{Kind: fault.Reset, Count: 1})
	for _, want := range []fault.Kind{fault.Throttle, fault.Reset, ""} {
		if got, _ := s.Next(call("ec2", "CreateTags")); got.Kind != want {
			t.Errorf("a call met %q, want %q", got.Kind, want)
		}
	}
}

func TestWildcardsSpareWhatTheKindCanNotBefall(t *testing.T) {
	t.Parallel()
	s := fault.NewSet(1)
	add(t, s, fault.Rule{Kind: fault.NoCapacity, Count: 1})
	if _, hit := s.Next(call("ec2", "DescribeSubnets")); hit {
		t.Error("a list of subnets ran out of capacity")
	}
	if _, hit := s.Next(call("ec2", "CreateFleet")); !hit {
		t.Error("a launch did not")
	}
}

func TestBadRulesSayWhatToDo(t *testing.T) {
	t.Parallel()
	for want, rule := range map[string]fault.Rule{
		"want one of":                       {Kind: "flood"},
		"neither below 0":                   {Kind: fault.Reset, Count: -1},
		"at most 1":                         {Kind: fault.Reset, Rate: 2},
		"only with one of":                  {Kind: fault.Reset, Hold: 5},
		"code and message are for":          {Kind: fault.Reset, Code: "X"},
		"other-room needs room":             {Kind: fault.OtherRoom},
		"room and capacity are for nothing": {Kind: fault.SlowBoot, Room: fault.Room{"cpu": "1"}},
		`room for cpu is "half"`: {
			Kind: fault.OtherRoom, Room: fault.Room{"cpu": "half", "memory": "50%"},
		},
		`room for cpu is "-1"`:                  {Kind: fault.OtherRoom, Room: fault.Room{"cpu": "-1"}},
		`room for cpu is "NaN%"`:                {Kind: fault.OtherRoom, Room: fault.Room{"cpu": "NaN%"}},
		"no-capacity can not befall CreateTags": {Kind: fault.NoCapacity, Action: "CreateTags"},
	} {
		if _, err := fault.NewSet(1).Add(rule); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want one that says %q", rule, err, want)
		}
	}
}
