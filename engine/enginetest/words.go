package enginetest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// words splits a line at spaces outside of double quotes, which are dropped.
func words(line string) []string {
	var out []string
	var word strings.Builder
	quoted, any := false, false
	for _, r := range line {
		switch {
		case r == '"':
			quoted, any = !quoted, true
		case r == ' ' && !quoted:
			if any {
				out = append(out, word.String())
			}
			word.Reset()
			any = false
		default:
			word.WriteRune(r)
			any = true
		}
	}
	if any {
		out = append(out, word.String())
	}
	return out
}

// args are the key=value words of a line, in order.
type args struct {
	pairs [][2]string
	used  map[string]bool
}

func parseArgs(list []string) *args {
	a := &args{used: map[string]bool{}}
	for _, w := range list {
		k, v, _ := strings.Cut(w, "=")
		a.pairs = append(a.pairs, [2]string{k, v})
	}
	return a
}

func (a *args) all(key string) []string {
	a.used[key] = true
	var out []string
	for _, p := range a.pairs {
		if p[0] == key {
			out = append(out, p[1])
		}
	}
	return out
}

func (a *args) get(key, otherwise string) string {
	if all := a.all(key); len(all) > 0 {
		return all[len(all)-1]
	}
	return otherwise
}

func (a *args) has(key string) bool { return len(a.all(key)) > 0 }

func (a *args) prefixed(prefix string) [][2]string {
	var out [][2]string
	for _, p := range a.pairs {
		if name, ok := strings.CutPrefix(p[0], prefix); ok {
			a.used[p[0]] = true
			out = append(out, [2]string{name, p[1]})
		}
	}
	return out
}

func (a *args) unknown() error {
	for _, p := range a.pairs {
		if !a.used[p[0]] {
			return fmt.Errorf("unknown word %q", p[0])
		}
	}
	return nil
}

// keyNames are short forms of label keys.
var keyNames = map[string]string{
	"zone": shape.LabelZone, "host": shape.LabelHostname, "type": shape.LabelInstanceType,
	"capacity": shape.LabelCapacityType, "arch": shape.LabelArch, "pool": shape.LabelNodePool,
}

func longKey(k string) string {
	if l, ok := keyNames[k]; ok {
		return l
	}
	return k
}

// requirement reads "key In a,b", "key Exists", "key=value".
func requirement(text string) (shape.Requirement, error) {
	f := strings.Fields(text)
	if len(f) == 1 {
		if k, v, ok := strings.Cut(f[0], "="); ok {
			return shape.Requirement{Key: longKey(k), Values: []string{v}}, nil
		}
	}
	if len(f) < 2 {
		return shape.Requirement{}, fmt.Errorf("%q is no requirement", text)
	}
	op, ok := shape.OperatorOf(f[1])
	if !ok {
		return shape.Requirement{}, fmt.Errorf("%q is no operator", f[1])
	}
	r := shape.Requirement{Key: longKey(f[0]), Operator: op}
	for _, w := range f[2:] {
		if n, ok := strings.CutPrefix(w, "min:"); ok {
			v, err := strconv.Atoi(n)
			if err != nil {
				return r, err
			}
			r.MinValues = int32(v)
			continue
		}
		r.Values = strings.Split(w, ",")
	}
	slices.Sort(r.Values)
	return r, nil
}

// requirements reads several, joined by " & ".
func requirements(text string) ([]shape.Requirement, error) {
	var out []shape.Requirement
	for _, part := range strings.Split(text, "&") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		r, err := requirement(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// amount reads "100m", "2", "16Gi" in base units of a resource.
func amount(resource, text string) (int64, error) {
	scale := int64(1)
	if resource == shape.CPU {
		if milli, ok := strings.CutSuffix(text, "m"); ok {
			return strconv.ParseInt(milli, 10, 64)
		}
		scale = 1000
	}
	for i, suffix := range []string{"Ki", "Mi", "Gi", "Ti"} {
		if n, ok := strings.CutSuffix(text, suffix); ok {
			text, scale = n, 1<<(10*(i+1))
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	return int64(f * float64(scale)), err
}

func (a *args) vector(pods int64) (shape.Vector, error) {
	v := shape.Vector{Pods: pods}
	for _, field := range []struct {
		word, resource string
		to             *int64
	}{
		{"cpu", shape.CPU, &v.CPU}, {"mem", shape.Memory, &v.Memory}, {"disk", shape.Ephemeral, &v.Ephemeral},
		{"pods", shape.Pods, &v.Pods},
	} {
		if text := a.get(field.word, ""); text != "" {
			n, err := amount(field.resource, text)
			if err != nil {
				return v, fmt.Errorf("reading %s=%s: %w", field.word, text, err)
			}
			*field.to = n
		}
	}
	for _, p := range a.prefixed("x.") {
		n, err := amount(p[0], p[1])
		if err != nil {
			return v, fmt.Errorf("reading x.%s=%s: %w", p[0], p[1], err)
		}
		v.Extended = append(v.Extended, shape.Amount{Resource: p[0], Value: n})
	}
	slices.SortFunc(v.Extended, func(x, y shape.Amount) int { return strings.Compare(x.Resource, y.Resource) })
	return v, nil
}

func (a *args) labels() []shape.Label {
	m := map[string]string{}
	for _, p := range a.prefixed("label.") {
		m[longKey(p[0])] = p[1]
	}
	return shape.LabelsOf(m)
}

// taints reads key[=value]:Effect.
func (a *args) taints() ([]shape.Taint, error) {
	var out []shape.Taint
	for _, text := range a.all("taint") {
		body, effect, _ := strings.Cut(text, ":")
		k, v, _ := strings.Cut(body, "=")
		e, ok := map[string]shape.Effect{
			"NoSchedule": shape.NoSchedule, "NoExecute": shape.NoExecute, "PreferNoSchedule": shape.PreferNoSchedule,
		}[effect]
		if !ok {
			return nil, fmt.Errorf("%q is no taint", text)
		}
		out = append(out, shape.Taint{Key: k, Value: v, Effect: e})
	}
	return out, nil
}
