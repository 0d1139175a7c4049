package enginetest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Run carries out a script and returns it with each block's true output.
func Run(script string) (string, error) {
	r := &runner{world: NewWorld(), policy: engine.DefaultPolicy()}
	var out strings.Builder
	var block []string
	for i, line := range strings.Split(strings.TrimRight(script, "\n"), "\n") {
		switch {
		case r.skip && line != "":
		case r.skip || line == "" || strings.HasPrefix(line, "#"):
			r.skip = false
			out.WriteString(line + "\n")
		case line == "----":
			text, err := r.block(block)
			if err != nil {
				return "", fmt.Errorf("line %d: %w", i+1, err)
			}
			out.WriteString("----\n" + text)
			block, r.skip = nil, true
		default:
			block = append(block, line)
			out.WriteString(line + "\n")
		}
	}
	return out.String(), nil
}

type runner struct {
	world  *World
	policy engine.Policy
	skip   bool // the old output of a block follows
}

// block runs lines; pods is the only command that takes the lines after it.
func (r *runner) block(lines []string) (string, error) {
	out := ""
	inPods := false
	for _, line := range lines {
		w := words(line)
		if len(w) == 0 {
			continue
		}
		if w[0] == "pods" && len(w) == 1 {
			inPods = true
			continue
		}
		if inPods && !commands[w[0]] {
			if err := r.pods(w); err != nil {
				return "", fmt.Errorf("%s: %w", line, err)
			}
			continue
		}
		inPods = false
		text, err := r.command(w)
		if err != nil {
			return "", fmt.Errorf("%s: %w", line, err)
		}
		out += text
	}
	if out == "" {
		out = "ok\n"
	}
	return out, nil
}

var commands = map[string]bool{
	"offer": true, "pool": true, "node": true, "run": true, "daemon": true, "policy": true, "plan": true, "refit": true,
	"explain": true,
}

func (r *runner) command(w []string) (string, error) {
	switch w[0] {
	case "refit":
		return r.refit(w[1:])
	case "plan":
		s := r.world.Snapshot()
		d := engine.Plan(s, r.policy)
		if err := Check(s, r.policy, d); err != nil {
			return "", err
		}
		return Print(s, d, len(w) > 1 && w[1] == "options"), nil
	case "explain":
		d := engine.Plan(r.world.Snapshot(), r.policy)
		for i := range d.Unplaced {
			if strings.TrimPrefix(string(d.Unplaced[i].Pod), "default/") == w[1] {
				return d.Unplaced[i].Why.Text(), nil
			}
		}
		return w[1] + " is placed\n", nil
	}
	if len(w) < 2 {
		return "", fmt.Errorf("%s wants a name", w[0])
	}
	if w[0] == "policy" {
		return "", r.setPolicy(w[1:])
	}
	if w[0] == "run" {
		a := parseArgs(w[3:])
		p := shape.Pod{ID: podID(w[2]), EvictionCost: 1000}
		if a.has("ending") {
			p.Role = shape.Ending
		}
		if a.has("pinned") {
			p.Role = shape.Pinned
		}
		if text := a.get("cost", ""); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil {
				return "", err
			}
			p.EvictionCost = int32(n)
		}
		c, err := a.class()
		if err != nil {
			return "", err
		}
		p.Class = r.world.Class(c)
		if err := a.unknown(); err != nil {
			return "", err
		}
		return "", r.world.Run(w[1], p)
	}
	a := parseArgs(w[2:])
	if err := r.define(w[0], w[1], a); err != nil {
		return "", err
	}
	return "", a.unknown()
}

func (r *runner) setPolicy(list []string) error {
	a := parseArgs(list)
	if a.has("ignore-preferences") {
		r.policy.Preferences = engine.IgnorePreferences
	}
	if a.has("best-effort") {
		r.policy.MinValues = engine.MinValuesBestEffort
	}
	if text := a.get("effort", ""); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		r.policy.Effort = n
	}
	if text := a.get("node-price", ""); text != "" {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return err
		}
		r.policy.NodePrice = shape.Dollars(f)
	}
	return a.unknown()
}

func podID(name string) shape.PodID {
	if strings.Contains(name, "/") {
		return shape.PodID(name)
	}
	return shape.PodID("default/" + name)
}

// pods reads "web-1 …" or "web x3 …", which makes web-1 to web-3.
func (r *runner) pods(w []string) error {
	n, rest := 0, w[1:]
	if len(rest) > 0 && strings.HasPrefix(rest[0], "x") && !strings.Contains(rest[0], "=") {
		var err error
		if n, err = strconv.Atoi(rest[0][1:]); err != nil {
			return err
		}
		rest = rest[1:]
	}
	a := parseArgs(rest)
	c, err := a.class()
	if err != nil {
		return err
	}
	if err := a.unknown(); err != nil {
		return err
	}
	if n == 0 {
		r.world.Pod(podID(w[0]), c)
	}
	for i := range n {
		r.world.Pod(podID(fmt.Sprintf("%s-%d", w[0], i+1)), c)
	}
	return nil
}
