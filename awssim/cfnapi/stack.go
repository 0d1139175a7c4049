// Package cfnapi answers CloudFormation: stacks that make roles, policies,
// queues, rules, access entries and experiments of this account out of a
// template, at once. Types of resources that are not simulated fail the stack.
package cfnapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/eventsapi"
	"github.com/dovetail-sh/dovetail/awssim/fisapi"
	"github.com/dovetail-sh/dovetail/awssim/sqsapi"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

// Account holds the stacks of one account.
type Account struct {
	world       *world.World
	queues      *sqsapi.Account
	rules       *eventsapi.Account
	experiments *fisapi.Account

	mu     sync.Mutex // guards the fields below, and keeps stacks apart
	stacks []*stack   // in the order they were made, deleted ones too
}

// NewAccount makes an account without stacks.
func NewAccount(
	w *world.World,
	queues *sqsapi.Account,
	rules *eventsapi.Account,
	experiments *fisapi.Account,
) *Account {
	return &Account{world: w, queues: queues, rules: rules, experiments: experiments}
}

// stack is one stack.
type stack struct {
	id, name     string
	status       string
	reason       string
	body         string // of the template
	template     *template
	given        map[string]string
	capabilities []string
	tags         []tag
	created      time.Time
	updated      time.Time // zero until it is
	deleted      time.Time // zero until it is
	protected    bool      // from deletion
	things       []*thing  // in the order they were made
	outputs      []outputXML
	events       []event      // oldest first
	changes      []*changeSet // in the order they were made
}

// live finds a stack that is not deleted, by name or id.
func (a *Account) live(name string) (*stack, error) {
	for _, s := range a.stacks {
		if (s.name == name || s.id == name) && s.deleted.IsZero() {
			return s, nil
		}
	}
	return nil, invalid("Stack with id %s does not exist", name)
}

// find finds a stack by name or, also when it is deleted, by id.
func (a *Account) find(name string) (*stack, error) {
	for _, s := range a.stacks {
		if s.id == name {
			return s, nil
		}
	}
	return a.live(name)
}

// wish is what a stack is to become.
type wish struct {
	body         string
	template     *template
	given        map[string]string
	capabilities []string
	tags         []tag
}

// checkCapabilities refuses a template that makes IAM resources unasked.
func (w wish) checkCapabilities() error {
	for _, needed := range w.template.capabilities() {
		if !slices.Contains(w.capabilities, "CAPABILITY_NAMED_IAM") && !slices.Contains(w.capabilities, needed) {
			return apierror.New("InsufficientCapabilitiesException", "Requires capabilities : [%s]", needed)
		}
	}
	return nil
}

// place adds a stack in a status, without resources.
func (a *Account) place(name, status string) *stack {
	s := &stack{name: name, status: status}
	_ = a.world.Do(func(st *world.State) error {
		s.id, s.created = st.ARN("cloudformation", "stack/"+name+"/"+st.UUID()), st.Now
		return nil
	})
	a.stacks = append(a.stacks, s)
	return s
}

// scope is what the functions of a wish can see.
func (a *Account) scope(s *stack, w wish) (*scope, error) {
	values, err := w.template.values(w.given)
	if err != nil {
		return nil, err
	}
	_ = a.world.Do(func(st *world.State) error {
		maps.Copy(values, map[string]any{
			"AWS::AccountId":        st.Account,
			"AWS::Region":           st.Region.Name,
			"AWS::Partition":        st.Partition(),
			"AWS::URLSuffix":        "amazonaws.com",
			"AWS::StackName":        s.name,
			"AWS::StackId":          s.id,
			"AWS::NotificationARNs": []any{},
		})
		return nil
	})
	exports := map[string]string{}
	for _, other := range a.stacks {
		for _, o := range other.outputs {
			if other.deleted.IsZero() && o.Export != "" {
				exports[o.Export] = o.Value
			}
		}
	}
	return &scope{template: w.template, values: values, made: map[string]*thing{}, exports: exports}, nil
}

// apply makes a stack what a wish says. What fails is undone: a new stack is
// removed again, an old one made what it was.
func (a *Account) apply(s *stack, w wish, host string) error {
	doing := "CREATE"
	if len(s.things) > 0 {
		doing = "UPDATE"
	}
	m := &maker{a.world, a.queues, a.rules, a.experiments, s.name, host}
	before := wish{s.body, s.template, s.given, s.capabilities, s.tags}
	a.tell(
		s,
		&thing{logical: s.name, kind: "AWS::CloudFormation::Stack", physical: s.id},
		doing+"_IN_PROGRESS",
		"User Initiated",
	)
	err := a.shape(s, w, m, doing)
	if err == nil {
		s.body, s.template, s.given, s.capabilities, s.tags = w.body, w.template, w.given, w.capabilities, w.tags
		a.finish(s, doing+"_COMPLETE", "")
		return nil
	}
	if doing == "CREATE" {
		s.body, s.template, s.given = w.body, w.template, w.given
		if undo := a.clear(s, m); undo != nil {
			a.finish(s, "ROLLBACK_FAILED", undo.Error())
			return err
		}
		a.finish(s, "ROLLBACK_COMPLETE", err.Error())
		return err
	}
	if undo := a.shape(s, before, m, doing); undo != nil {
		a.finish(s, "UPDATE_ROLLBACK_FAILED", undo.Error())
		return err
	}
	a.finish(s, "UPDATE_ROLLBACK_COMPLETE", err.Error())
	return err
}

// shape makes, changes and removes resources as a wish says.
func (a *Account) shape(s *stack, w wish, m *maker, doing string) error {
	scope, err := a.scope(s, w)
	if err != nil {
		return err
	}
	order, err := scope.order()
	if err != nil {
		return err
	}
	for _, name := range order {
		wanted, err := scope.condition(w.template.Resources[name].Condition)
		if err != nil {
			return err
		}
		if !wanted {
			continue
		}
		if err := a.put(s, scope, m, name, doing); err != nil {
			return fmt.Errorf("resource %s: %w", name, err)
		}
	}
	for i := len(s.things) - 1; i >= 0; i-- {
		if t := s.things[i]; scope.made[t.logical] == nil {
			if err := a.remove(s, m, t); err != nil {
				return err
			}
		}
	}
	return s.tell(scope)
}

// put makes one resource, or changes it if its properties did.
func (a *Account) put(s *stack, scope *scope, m *maker, name, doing string) error {
	wanted := scope.template.Resources[name]
	how, known := kinds[wanted.Type]
	if !known {
		return invalid(
			"The resource type %s is not simulated: know %s.",
			wanted.Type,
			strings.Join(slices.Sorted(maps.Keys(kinds)), ", "),
		)
	}
	resolved, err := scope.resolve(wanted.Properties)
	if err != nil {
		return err
	}
	properties, _ := resolved.(map[string]any)
	digest, err := json.Marshal(properties)
	if err != nil {
		return fmt.Errorf("encoding its properties: %w", err)
	}
	i := slices.IndexFunc(s.things, func(t *thing) bool { return t.logical == name })
	if i >= 0 && s.things[i].digest == string(digest) && s.things[i].kind == wanted.Type {
		scope.made[name] = s.things[i]
		return nil
	}
	if i >= 0 && s.things[i].kind != wanted.Type {
		return invalid("Update of resource type is not permitted: %s", name)
	}
	t := &thing{logical: name, kind: wanted.Type}
	if i >= 0 {
		t = s.things[i]
	}
	if err := how.put(m, t, properties); err != nil {
		a.tell(s, t, doing+"_FAILED", err.Error())
		return err
	}
	t.digest = string(digest)
	if i < 0 {
		s.things = append(s.things, t)
	}
	scope.made[name] = t
	a.tell(s, t, doing+"_COMPLETE", "")
	return nil
}

func (a *Account) remove(s *stack, m *maker, t *thing) error {
	if how := kinds[t.kind]; how.remove != nil {
		if err := how.remove(m, t); err != nil {
			a.tell(s, t, "DELETE_FAILED", err.Error())
			return err
		}
	}
	a.tell(s, t, "DELETE_COMPLETE", "")
	s.things = slices.DeleteFunc(s.things, func(other *thing) bool { return other == t })
	return nil
}

// clear removes all resources, last first, as far as they can be.
func (a *Account) clear(s *stack, m *maker) error {
	var failed error
	for _, t := range slices.Backward(slices.Clone(s.things)) {
		if err := a.remove(s, m, t); err != nil && failed == nil {
			failed = fmt.Errorf("resource %s: %w", t.logical, err)
		}
	}
	return failed
}

// tell works out the stack's outputs.
func (s *stack) tell(scope *scope) error {
	s.outputs = nil
	for _, name := range slices.Sorted(maps.Keys(scope.template.Outputs)) {
		o := scope.template.Outputs[name]
		wanted, err := scope.condition(o.Condition)
		if err != nil {
			return err
		}
		if !wanted {
			continue
		}
		value, err := scope.resolve(o.Value)
		if err != nil {
			return err
		}
		export, err := scope.resolve(o.Export["Name"])
		if err != nil {
			return err
		}
		told := outputXML{Key: name, Value: fmt.Sprint(value), Description: o.Description}
		if export != nil {
			told.Export = fmt.Sprint(export)
		}
		s.outputs = append(s.outputs, told)
	}
	return nil
}

// tell adds to the stack's events.
func (a *Account) tell(s *stack, t *thing, status, reason string) {
	_ = a.world.Do(func(st *world.State) error {
		t.at = st.Now
		s.events = append(s.events, event{
			ID: st.UUID(), StackID: s.id, StackName: s.name, Logical: t.logical, Physical: t.physical, Kind: t.kind,
			Time: stamp(st.Now), Status: status, Reason: reason,
		})
		return nil
	})
}

// finish ends an operation in a status.
func (a *Account) finish(s *stack, status, reason string) {
	s.status, s.reason = status, reason
	_ = a.world.Do(func(st *world.State) error {
		if !strings.HasPrefix(status, "CREATE") && status != "ROLLBACK_COMPLETE" {
			s.updated = st.Now
		}
		if status == "DELETE_COMPLETE" {
			s.deleted = st.Now
		}
		return nil
	})
	a.tell(s, &thing{logical: s.name, kind: "AWS::CloudFormation::Stack", physical: s.id}, status, reason)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
