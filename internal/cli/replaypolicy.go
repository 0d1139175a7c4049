package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// rulesOfReplay are what --policy may change, by name.
var rulesOfReplay = map[string]func(value string, plan *engine.Policy, moves *refit.Policy) error{
	"effort": func(v string, p *engine.Policy, m *refit.Policy) (err error) {
		if p.Effort, err = strconv.Atoi(v); err == nil && p.Effort < 0 {
			err = fmt.Errorf("it is negative")
		}
		m.Effort = p.Effort
		return err
	},
	"node-price": func(v string, p *engine.Policy, _ *refit.Policy) (err error) {
		p.NodePrice, err = money(v)
		return err
	},
	"preferences": func(v string, p *engine.Policy, _ *refit.Policy) error {
		choice, err := among(v, "Respect", "Ignore")
		p.Preferences = []engine.PreferencePolicy{engine.RespectPreferences, engine.IgnorePreferences}[choice]
		return err
	},
	"min-values": func(v string, p *engine.Policy, _ *refit.Policy) error {
		choice, err := among(v, "Strict", "BestEffort")
		p.MinValues = []engine.MinValuesPolicy{engine.MinValuesStrict, engine.MinValuesBestEffort}[choice]
		return err
	},
	"min-saving": func(v string, _ *engine.Policy, m *refit.Policy) (err error) {
		m.MinSaving, err = strconv.ParseFloat(v, 64)
		return err
	},
	"pod-price": func(v string, _ *engine.Policy, m *refit.Policy) (err error) {
		m.PodPrice, err = money(v)
		return err
	},
	"payback": func(v string, _ *engine.Policy, m *refit.Policy) (err error) {
		m.Payback, err = time.ParseDuration(v)
		return err
	},
}

func money(text string) (shape.Money, error) {
	dollars, err := strconv.ParseFloat(text, 64)
	if err == nil && !(dollars >= 0 && dollars < 1e6) {
		err = fmt.Errorf("want dollars, such as 0.05")
	}
	return shape.Dollars(max(dollars, 0)), err
}

func among(value string, choices ...string) (int, error) {
	for i, c := range choices {
		if strings.EqualFold(value, c) {
			return i, nil
		}
	}
	return 0, fmt.Errorf("want %s", strings.Join(choices, " or "))
}

// changed applies what --policy says: "effort=0,node-price=0.01".
func changed(text string, plan *engine.Policy, moves *refit.Policy) error {
	for part := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		change := rulesOfReplay[name]
		if !ok || change == nil {
			return fmt.Errorf(
				"--policy %q; want rules such as effort=0 with commas between them: effort, node-price, "+
					"preferences, min-values of plans, and min-saving, pod-price, payback of moves",
				part,
			)
		}
		if err := change(value, plan, moves); err != nil {
			return fmt.Errorf("--policy %s: %w", part, err)
		}
	}
	return nil
}
