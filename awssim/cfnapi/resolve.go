package cfnapi

import (
	"encoding/base64"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// scope is what a template's functions can see.
type scope struct {
	template *template
	values   map[string]any    // parameters and AWS's own, "AWS::Region"
	made     map[string]*thing // resources by logical name
	exports  map[string]string // of other stacks
}

// noValue is what AWS::NoValue stands for: the property is left out.
type noValue struct{}

// resolve carries out the functions in a value.
func (s *scope) resolve(v any) (any, error) {
	switch v := v.(type) {
	case []any:
		out := []any{}
		for _, item := range v {
			one, err := s.resolve(item)
			if err != nil {
				return nil, err
			}
			if _, left := one.(noValue); !left {
				out = append(out, one)
			}
		}
		return out, nil
	case map[string]any:
		if len(v) == 1 {
			for name, argument := range v {
				if carry := functions[name]; carry != nil {
					return carry(s, argument)
				}
				if strings.HasPrefix(name, "Fn::") {
					return nil, invalid("Template error: the function %s is not simulated.", name)
				}
			}
		}
		out := map[string]any{}
		for name, item := range v {
			one, err := s.resolve(item)
			if err != nil {
				return nil, err
			}
			if _, left := one.(noValue); !left {
				out[name] = one
			}
		}
		return out, nil
	}
	return v, nil
}

// functions are those that are simulated; filled below, since they call resolve.
var functions map[string]func(*scope, any) (any, error)

func init() {
	functions = map[string]func(*scope, any) (any, error){
		"Ref":             func(s *scope, v any) (any, error) { return s.ref(fmt.Sprint(v)) },
		"Fn::GetAtt":      (*scope).getAtt,
		"Fn::Sub":         (*scope).sub,
		"Fn::Join":        (*scope).join,
		"Fn::Select":      (*scope).pick,
		"Fn::Split":       (*scope).split,
		"Fn::If":          (*scope).choose,
		"Fn::FindInMap":   (*scope).lookUp,
		"Fn::ImportValue": (*scope).importValue,
		"Fn::Base64":      (*scope).base64,
	}
}

func (s *scope) ref(name string) (any, error) {
	if name == "AWS::NoValue" {
		return noValue{}, nil
	}
	if value, known := s.values[name]; known {
		return value, nil
	}
	if one := s.made[name]; one != nil {
		return one.ref, nil
	}
	return nil, invalid(
		"Template format error: Unresolved resource dependencies [%s] in the Resources block of the template",
		name,
	)
}

func (s *scope) getAtt(v any) (any, error) {
	var resource, attribute string
	switch v := v.(type) {
	case string:
		resource, attribute, _ = strings.Cut(v, ".")
	case []any:
		if len(v) == 2 {
			resource, attribute = fmt.Sprint(v[0]), fmt.Sprint(v[1])
		}
	}
	one := s.made[resource]
	if one == nil {
		return nil, invalid("Template error: instance of Fn::GetAtt references undefined resource %s", resource)
	}
	value, has := one.attributes[attribute]
	if !has {
		return nil, invalid("Template error: the attribute %s of %s is not simulated: know %s.", attribute, one.kind,
			strings.Join(slices.Sorted(maps.Keys(one.attributes)), ", "))
	}
	return value, nil
}

var placeholder = regexp.MustCompile(`\$\{(!?)([^}]+)\}`)

func (s *scope) sub(v any) (any, error) {
	text, own := fmt.Sprint(v), map[string]any{}
	if list, ok := v.([]any); ok {
		if len(list) != 2 {
			return nil, invalid("Template error: Fn::Sub takes a string, or a list of a string and a map.")
		}
		text = fmt.Sprint(list[0])
		resolved, err := s.resolve(list[1])
		if err != nil {
			return nil, err
		}
		own, _ = resolved.(map[string]any)
	}
	var failed error
	out := placeholder.ReplaceAllStringFunc(text, func(found string) string {
		m := placeholder.FindStringSubmatch(found)
		name := strings.TrimSpace(m[2])
		if m[1] == "!" {
			return "${" + m[2] + "}"
		}
		value, known := own[name]
		var err error
		switch {
		case known:
		case strings.Contains(name, "."):
			value, err = s.getAtt(name)
		default:
			value, err = s.ref(name)
		}
		if err != nil && failed == nil {
			failed = err
		}
		return fmt.Sprint(value)
	})
	return out, failed
}

// listOf resolves a function's arguments, of which there must be n.
func (s *scope) listOf(name string, v any, n int) ([]any, error) {
	list, ok := v.([]any)
	if !ok || len(list) != n {
		return nil, invalid("Template error: every %s object requires a list of %d parameters.", name, n)
	}
	resolved, err := s.resolve(list)
	if err != nil {
		return nil, err
	}
	return resolved.([]any), nil
}

func (s *scope) join(v any) (any, error) {
	list, err := s.listOf("Fn::Join", v, 2)
	if err != nil {
		return nil, err
	}
	items, ok := list[1].([]any)
	if !ok {
		return nil, invalid("Template error: Fn::Join takes a list to join.")
	}
	var texts []string
	for _, item := range items {
		texts = append(texts, fmt.Sprint(item))
	}
	return strings.Join(texts, fmt.Sprint(list[0])), nil
}

func (s *scope) pick(v any) (any, error) {
	list, err := s.listOf("Fn::Select", v, 2)
	if err != nil {
		return nil, err
	}
	items, ok := list[1].([]any)
	var n int
	if _, scanErr := fmt.Sscan(fmt.Sprint(list[0]), &n); !ok || scanErr != nil || n < 0 || n >= len(items) {
		return nil, invalid("Template error: Fn::Select cannot select nonexistent value at index %v", list[0])
	}
	return items[n], nil
}

func (s *scope) split(v any) (any, error) {
	list, err := s.listOf("Fn::Split", v, 2)
	if err != nil {
		return nil, err
	}
	out := []any{}
	for part := range strings.SplitSeq(fmt.Sprint(list[1]), fmt.Sprint(list[0])) {
		out = append(out, part)
	}
	return out, nil
}

func (s *scope) choose(v any) (any, error) {
	list, ok := v.([]any)
	if !ok || len(list) != 3 {
		return nil, invalid("Template error: Fn::If requires a list argument with three elements")
	}
	yes, err := s.condition(fmt.Sprint(list[0]))
	if err != nil {
		return nil, err
	}
	if yes {
		return s.resolve(list[1])
	}
	return s.resolve(list[2])
}

func (s *scope) lookUp(v any) (any, error) {
	list, err := s.listOf("Fn::FindInMap", v, 3)
	if err != nil {
		return nil, err
	}
	at := any(s.template.Mappings)
	for _, key := range list {
		level, ok := at.(map[string]any)
		if !ok {
			return nil, invalid("Template error: Unable to get mapping for %v", list)
		}
		if at, ok = level[fmt.Sprint(key)]; !ok {
			return nil, invalid("Template error: Unable to get mapping for %v::%v::%v", list...)
		}
	}
	return at, nil
}

func (s *scope) importValue(v any) (any, error) {
	name, err := s.resolve(v)
	if err != nil {
		return nil, err
	}
	value, known := s.exports[fmt.Sprint(name)]
	if !known {
		return nil, invalid("No export named %v found.", name)
	}
	return value, nil
}

func (s *scope) base64(v any) (any, error) {
	text, err := s.resolve(v)
	return base64.StdEncoding.EncodeToString([]byte(fmt.Sprint(text))), err
}

// condition says whether a named condition holds; no name always does.
func (s *scope) condition(name string) (bool, error) {
	if name == "" {
		return true, nil
	}
	rule, known := s.template.Conditions[name]
	if !known {
		return false, invalid("Template error: unresolved condition dependency %s in the template", name)
	}
	return s.holds(rule)
}

// holds evaluates a condition.
func (s *scope) holds(rule any) (bool, error) {
	one, ok := rule.(map[string]any)
	if !ok || len(one) != 1 {
		return false, invalid(
			"Template format error: Conditions can only be boolean operations on parameters and other conditions",
		)
	}
	for name, argument := range one {
		if name == "Condition" {
			return s.condition(fmt.Sprint(argument))
		}
		list, _ := argument.([]any)
		switch name {
		case "Fn::Equals":
			both, err := s.listOf(name, argument, 2)
			return err == nil && fmt.Sprint(both[0]) == fmt.Sprint(both[1]), err
		case "Fn::Not":
			if len(list) != 1 {
				break
			}
			inner, err := s.holds(list[0])
			return !inner, err
		case "Fn::And", "Fn::Or":
			return s.all(list, name == "Fn::And")
		}
	}
	return false, invalid(
		"Template format error: Conditions can only be boolean operations on parameters and other conditions",
	)
}

// all says whether all of the conditions hold or, unless every, any of them.
func (s *scope) all(list []any, every bool) (bool, error) {
	for _, item := range list {
		yes, err := s.holds(item)
		if err != nil {
			return false, err
		}
		if yes != every {
			return yes, nil
		}
	}
	return every, nil
}

// order lists the resources so that each comes after those that it names.
func (s *scope) order() ([]string, error) {
	var out []string
	state := map[string]int{} // 1 while its needs are visited, 2 when it is listed
	var visit func(name string) error
	visit = func(name string) error {
		r, isResource := s.template.Resources[name]
		if !isResource || state[name] == 2 {
			return nil
		}
		if state[name] == 1 {
			return invalid("Circular dependency between resources: [%s]", name)
		}
		state[name] = 1
		needed := map[string]bool{}
		names(r.Properties, needed)
		switch on := r.DependsOn.(type) {
		case string:
			needed[on] = true
		case []any:
			for _, one := range on {
				needed[fmt.Sprint(one)] = true
			}
		}
		for _, other := range slices.Sorted(maps.Keys(needed)) {
			if err := visit(other); err != nil {
				return err
			}
		}
		state[name] = 2
		out = append(out, name)
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(s.template.Resources)) {
		if err := visit(name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// names collects what the functions in a value name.
func names(v any, into map[string]bool) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			names(item, into)
		}
	case map[string]any:
		for key, item := range v {
			switch list, _ := item.([]any); {
			case key == "Ref":
				into[fmt.Sprint(item)] = true
			case key == "Fn::GetAtt" && len(list) > 0:
				into[fmt.Sprint(list[0])] = true
			case key == "Fn::GetAtt":
				name, _, _ := strings.Cut(fmt.Sprint(item), ".")
				into[name] = true
			case key == "Fn::Sub":
				text := fmt.Sprint(item)
				if len(list) > 0 {
					text = fmt.Sprint(list[0])
				}
				for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
					name, _, _ := strings.Cut(strings.TrimSpace(m[2]), ".")
					into[name] = true
				}
			}
			names(item, into)
		}
	}
}
