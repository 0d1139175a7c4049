package enginetest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// class reads what a line says about a pod.
func (a *args) class() (c shape.Class, err error) {
	c = shape.Class{
		Namespace: a.get("ns", "default"), Labels: a.labels(), Buffer: a.has("buffer"), Refused: a.get("refused", ""),
	}
	if c.Requests, err = a.vector(1); err != nil {
		return c, err
	}
	if text := a.get("priority", ""); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return c, err
		}
		c.Priority = int32(n)
	}
	if c.NodeSelector, err = requirements(strings.Join(a.all("select"), "&")); err != nil {
		return c, err
	}
	if c.NodeTerms, err = nodeTerms(a.get("affinity", "")); err != nil {
		return c, err
	}
	if c.VolumeTerms, err = nodeTerms(a.get("volume", "")); err != nil {
		return c, err
	}
	if err := a.bindings(&c); err != nil {
		return c, err
	}
	if err := a.neighbours(&c); err != nil {
		return c, err
	}
	for _, text := range a.all("tolerate") {
		body, effect, _ := strings.Cut(text, ":")
		k, v, equal := strings.Cut(body, "=")
		e := map[string]shape.Effect{
			"NoSchedule": shape.NoSchedule, "NoExecute": shape.NoExecute, "PreferNoSchedule": shape.PreferNoSchedule,
		}[effect]
		c.Tolerations = append(c.Tolerations, shape.Toleration{Key: k, Value: v, Exists: !equal, Effect: e})
	}
	for _, text := range a.all("port") {
		proto, port, _ := strings.Cut(text, "/")
		n, err := strconv.Atoi(port)
		if err != nil {
			return c, err
		}
		ip, p, found := strings.Cut(proto, "@")
		if !found {
			ip, p = "", proto
		}
		c.HostPorts = append(c.HostPorts, shape.HostPort{IP: ip, Protocol: p, Port: int32(n)})
	}
	for _, text := range a.all("attach") {
		driver, volume, _ := strings.Cut(text, "/")
		c.Attach = append(c.Attach, shape.Attach{Driver: driver, Volume: volume})
	}
	for _, text := range a.all("prefer") {
		weight, rest, _ := strings.Cut(text, " ")
		n, err := strconv.Atoi(weight)
		if err != nil {
			return c, err
		}
		reqs, err := requirements(rest)
		if err != nil {
			return c, err
		}
		c.PreferredNodes = append(c.PreferredNodes, shape.PreferredNodes{
			Weight: int32(n), Term: shape.NodeTerm{Labels: reqs},
		})
	}
	return c, nil
}

// nodeTerms reads terms joined by "|".
func nodeTerms(text string) ([]shape.NodeTerm, error) {
	var out []shape.NodeTerm
	for _, part := range strings.Split(text, "|") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		reqs, err := requirements(part)
		if err != nil {
			return nil, err
		}
		term := shape.NodeTerm{}
		for _, r := range reqs {
			if r.Key == "metadata.name" {
				term.Names = append(term.Names, r)
			} else {
				term.Labels = append(term.Labels, r)
			}
		}
		out = append(out, term)
	}
	return out, nil
}

// neighbours reads spread="KEY SKEW SELECTOR [soft] [min:N] [taints] [anywhere]",
// near="KEY SELECTOR [weight:N]" and apart= of the same form.
func (a *args) neighbours(c *shape.Class) error {
	for _, text := range a.all("spread") {
		f := strings.Fields(text)
		if len(f) < 3 {
			return fmt.Errorf("spread=%q wants a key, a skew and a selector", text)
		}
		skew, err := strconv.Atoi(f[1])
		if err != nil {
			return err
		}
		s := shape.Spread{Key: longKey(f[0]), MaxSkew: int32(skew), Hard: true}
		if s.Selector, err = selector(f[2]); err != nil {
			return err
		}
		for _, w := range f[3:] {
			n, isMin := strings.CutPrefix(w, "min:")
			switch {
			case isMin:
				m, err := strconv.Atoi(n)
				if err != nil {
					return err
				}
				s.MinDomains = int32(m)
			case w == "soft":
				s.Hard = false
			case w == "taints":
				s.HonorTaints = true
			case w == "anywhere":
				s.IgnoreAffinity = true
			default:
				return fmt.Errorf("spread=%q: unknown word %q", text, w)
			}
		}
		c.Spread = append(c.Spread, s)
	}
	for _, word := range []string{"near", "apart"} {
		for _, text := range a.all(word) {
			f := strings.Fields(text)
			if len(f) < 2 {
				return fmt.Errorf("%s=%q wants a key and a selector", word, text)
			}
			t := shape.PodTerm{Key: longKey(f[0]), Anti: word == "apart"}
			var err error
			if t.Selector, err = selector(f[1]); err != nil {
				return err
			}
			for _, w := range f[2:] {
				n, err := strconv.Atoi(strings.TrimPrefix(w, "weight:"))
				if err != nil {
					return err
				}
				t.Weight = int32(n)
			}
			c.Affinity = append(c.Affinity, t)
		}
	}
	return nil
}

// selector reads "app=web,tier=x", "*" for the empty one, or "-" for none.
func selector(text string) (shape.Selector, error) {
	s := shape.Selector{}
	switch text {
	case "*":
		return s, nil
	case "-":
		return shape.Selector{Nothing: true}, nil
	}
	for _, part := range strings.Split(text, ",") {
		k, v, ok := strings.Cut(part, "=")
		if !ok {
			return s, fmt.Errorf("%q is no selector", text)
		}
		s.Requirements = append(s.Requirements, shape.Requirement{Key: k, Values: []string{v}})
	}
	return s, nil
}
