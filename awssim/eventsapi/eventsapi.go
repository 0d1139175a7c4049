// Package eventsapi answers EventBridge: rules with their targets, on the
// default bus. Rules whose targets are queues deliver; others are only kept.
package eventsapi

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/wire"
)

// Account holds the rules of one account.
type Account struct {
	arn func(resource string) string

	mu    sync.Mutex // guards rules
	rules map[string]*rule
}

type rule struct {
	Name        string   `json:"Name"`
	Arn         string   `json:"Arn"`
	Pattern     string   `json:"EventPattern,omitempty"`
	State       string   `json:"State"`
	Description string   `json:"Description,omitempty"`
	Schedule    string   `json:"ScheduleExpression,omitempty"`
	Bus         string   `json:"EventBusName"`
	targets     []Target // in the order they were put
}

// Target is where a rule sends its events.
type Target struct {
	ID  string `json:"Id"`
	Arn string
}

// NewAccount makes an account without rules. arn names a resource of EventBridge.
func NewAccount(arn func(resource string) string) *Account {
	return &Account{arn: arn, rules: map[string]*rule{}}
}

// Put makes a rule, or changes one, and returns its ARN.
func (a *Account) Put(name, pattern, state, description string) (string, error) {
	var parsed map[string]any
	if pattern != "" && json.Unmarshal([]byte(pattern), &parsed) != nil {
		return "", apierror.New(
			"InvalidEventPatternException",
			"Event pattern is not valid. Reason: it is no JSON object",
		)
	}
	if state == "" {
		state = "ENABLED"
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.rules[name]
	if old == nil {
		old = &rule{Name: name, Arn: a.arn("rule/" + name), Bus: "default"}
		a.rules[name] = old
	}
	old.Pattern, old.State, old.Description = pattern, state, description
	return old.Arn, nil
}

// SetTargets adds targets to a rule; one of the same id is replaced.
func (a *Account) SetTargets(name string, targets []Target) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, err := a.ruleLocked(name)
	if err != nil {
		return err
	}
	for _, t := range targets {
		i := slices.IndexFunc(r.targets, func(old Target) bool { return old.ID == t.ID })
		if i < 0 {
			r.targets = append(r.targets, t)
		} else {
			r.targets[i] = t
		}
	}
	return nil
}

// Delete removes a rule with its targets, if it is there.
func (a *Account) Delete(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.rules, name)
}

// ruleLocked finds a rule. a.mu is held.
func (a *Account) ruleLocked(name string) (*rule, error) {
	if r := a.rules[name]; r != nil {
		return r, nil
	}
	return nil, apierror.New("ResourceNotFoundException", "Rule %s does not exist on EventBus default.", name)
}

// QueuesFor names the queues that an event (JSON) goes to by the rules,
// ascending, each once.
func (a *Account) QueuesFor(event string) []string {
	var parsed map[string]any
	if json.Unmarshal([]byte(event), &parsed) != nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	found := map[string]bool{}
	for _, r := range a.rules {
		if r.State != "ENABLED" || !r.matches(parsed) {
			continue
		}
		for _, t := range r.targets {
			if strings.Contains(t.Arn, ":sqs:") {
				found[t.Arn[strings.LastIndex(t.Arn, ":")+1:]] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func (r *rule) matches(event map[string]any) bool {
	var pattern map[string]any
	if r.Pattern == "" || json.Unmarshal([]byte(r.Pattern), &pattern) != nil {
		return false
	}
	return covers(pattern, event)
}

// covers says whether an event has all that a pattern names: nested fields, and
// for each one of the listed values, or a prefix of it.
func covers(pattern, event map[string]any) bool {
	for name, wanted := range pattern {
		have, has := event[name]
		switch wanted := wanted.(type) {
		case map[string]any:
			inner, ok := have.(map[string]any)
			if !ok || !covers(wanted, inner) {
				return false
			}
		case []any:
			if !has || !slices.ContainsFunc(wanted, func(w any) bool { return allows(w, have) }) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// allows says whether a value, or one of a list, is what a pattern lists.
func allows(wanted, have any) bool {
	if list, ok := have.([]any); ok {
		return slices.ContainsFunc(list, func(one any) bool { return allows(wanted, one) })
	}
	if rule, ok := wanted.(map[string]any); ok {
		prefix, isPrefix := rule["prefix"].(string)
		text, isText := have.(string)
		return isPrefix && isText && strings.HasPrefix(text, prefix)
	}
	return fmt.Sprint(wanted) == fmt.Sprint(have)
}

// New makes EventBridge.
func New(a *Account) wire.API {
	return wire.API{Name: wire.Events, Target: "AWSEvents", Actions: wire.Service{
		"PutRule":           wire.Handle(a.putRule),
		"DescribeRule":      wire.Handle(a.describeRule),
		"ListRules":         wire.Handle(a.listRules),
		"DeleteRule":        wire.Handle(a.deleteRule),
		"PutTargets":        wire.Handle(a.putTargets),
		"ListTargetsByRule": wire.Handle(a.listTargets),
		"RemoveTargets":     wire.Handle(a.removeTargets),
	}}
}

type putRuleIn struct{ Name, EventPattern, State, Description, ScheduleExpression string }

type putRuleOut struct{ RuleArn string }

func (a *Account) putRule(_ context.Context, _ *wire.Call, in *putRuleIn) (*putRuleOut, error) {
	if in.ScheduleExpression != "" {
		return nil, apierror.New("ValidationException", "Rules on a schedule are not simulated.")
	}
	arn, err := a.Put(in.Name, in.EventPattern, in.State, in.Description)
	return &putRuleOut{arn}, err
}

type ruleIn struct {
	Name  string
	Force bool
}

func (a *Account) describeRule(_ context.Context, _ *wire.Call, in *ruleIn) (*rule, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, err := a.ruleLocked(in.Name)
	if err != nil {
		return nil, err
	}
	copied := *r
	return &copied, nil
}

type listRulesIn struct{ NamePrefix string }

type listRulesOut struct{ Rules []rule }

func (a *Account) listRules(_ context.Context, _ *wire.Call, in *listRulesIn) (*listRulesOut, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := &listRulesOut{[]rule{}}
	for _, name := range slices.Sorted(maps.Keys(a.rules)) {
		if strings.HasPrefix(name, in.NamePrefix) {
			out.Rules = append(out.Rules, *a.rules[name])
		}
	}
	return out, nil
}

func (a *Account) deleteRule(_ context.Context, _ *wire.Call, in *ruleIn) (any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r := a.rules[in.Name]; r != nil && len(r.targets) > 0 {
		return nil, apierror.New("ValidationException", "Rule can't be deleted since it has targets.")
	}
	delete(a.rules, in.Name)
	return nil, nil
}

type targetsIn struct {
	Rule    string
	Targets []Target
	Ids     []string
}

type targetsDone struct {
	FailedEntryCount int
	FailedEntries    []struct{}
}

func (a *Account) putTargets(_ context.Context, _ *wire.Call, in *targetsIn) (*targetsDone, error) {
	return &targetsDone{FailedEntries: []struct{}{}}, a.SetTargets(in.Rule, in.Targets)
}

func (a *Account) removeTargets(_ context.Context, _ *wire.Call, in *targetsIn) (*targetsDone, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, err := a.ruleLocked(in.Rule)
	if err == nil {
		r.targets = slices.DeleteFunc(r.targets, func(t Target) bool { return slices.Contains(in.Ids, t.ID) })
	}
	return &targetsDone{FailedEntries: []struct{}{}}, err
}

type listTargetsOut struct{ Targets []Target }

func (a *Account) listTargets(_ context.Context, _ *wire.Call, in *targetsIn) (*listTargetsOut, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, err := a.ruleLocked(in.Rule)
	if err != nil {
		return nil, err
	}
	return &listTargetsOut{append([]Target{}, r.targets...)}, nil
}
