// Package fisapi answers the Fault Injection Service: templates of experiments
// on instances, and experiments that interrupt, stop, reboot or end them.
// Other actions are refused when a template is made.
package fisapi

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

// Account holds the templates and experiments of one account.
type Account struct {
	world *world.World

	mu          sync.Mutex // guards the fields below
	templates   map[string]*Template
	experiments map[string]*experiment
}

// NewAccount makes an account without templates.
func NewAccount(w *world.World) *Account {
	return &Account{world: w, templates: map[string]*Template{}, experiments: map[string]*experiment{}}
}

// Template says what an experiment does to which instances. Its JSON is FIS's.
type Template struct {
	ID             string            `json:"id"`
	ARN            string            `json:"arn"`
	Description    string            `json:"description"`
	Targets        map[string]target `json:"targets"`
	Actions        map[string]action `json:"actions"`
	StopConditions []stopCondition   `json:"stopConditions"`
	Created        float64           `json:"creationTime"`
	Updated        float64           `json:"lastUpdateTime"`
	Role           string            `json:"roleArn"`
	Tags           map[string]string `json:"tags"`
}

type stopCondition struct {
	Source string `json:"source"`
	Value  string `json:"value,omitempty"`
}

// target selects instances.
type target struct {
	Kind    string            `json:"resourceType"`
	ARNs    []string          `json:"resourceArns,omitempty"`
	Tags    map[string]string `json:"resourceTags,omitempty"`
	Filters []filter          `json:"filters,omitempty"`
	Mode    string            `json:"selectionMode"`
}

// filter compares a field of an instance, as DescribeInstances spells it.
type filter struct {
	Path   string   `json:"path"`
	Values []string `json:"values"`
}

// action is one thing that an experiment does.
type action struct {
	ID          string            `json:"actionId"`
	Description string            `json:"description,omitempty"`
	Parameters  map[string]string `json:"parameters,omitempty"`
	Targets     map[string]string `json:"targets"`
	StartAfter  []string          `json:"startAfter,omitempty"`
	State       *state            `json:"state,omitempty"`
}

type state struct {
	Status string `json:"status"`
	Reason string `json:"reason"`
}

type experiment struct {
	Template
	TemplateID string  `json:"experimentTemplateId"`
	State      state   `json:"state"`
	Start      float64 `json:"startTime"`
	End        float64 `json:"endTime,omitempty"`
}

// New makes FIS.
func New(a *Account) wire.API {
	return wire.API{Name: wire.FIS, Routes: map[string]string{
		"POST /experimentTemplates":        "CreateExperimentTemplate",
		"GET /experimentTemplates":         "ListExperimentTemplates",
		"GET /experimentTemplates/{id}":    "GetExperimentTemplate",
		"DELETE /experimentTemplates/{id}": "DeleteExperimentTemplate",
		"POST /experiments":                "StartExperiment",
		"GET /experiments":                 "ListExperiments",
		"GET /experiments/{id}":            "GetExperiment",
		"DELETE /experiments/{id}":         "StopExperiment",
		"GET /actions":                     "ListActions",
	}, Actions: wire.Service{
		"CreateExperimentTemplate": wire.Handle(a.create),
		"ListExperimentTemplates":  wire.Handle(a.list),
		"GetExperimentTemplate":    wire.Handle(a.get),
		"DeleteExperimentTemplate": wire.Handle(a.delete),
		"StartExperiment":          wire.Handle(a.start),
		"ListExperiments":          wire.Handle(a.listExperiments),
		"GetExperiment":            wire.Handle(a.getExperiment),
		"StopExperiment":           wire.Handle(a.stop),
		"ListActions":              wire.Handle(a.actions),
	}}
}

// Create makes a template.
func (a *Account) Create(t Template) (*Template, error) {
	if len(t.Actions) == 0 {
		return nil, invalid("The experiment template must have an action.")
	}
	for name, one := range t.Actions {
		if deeds[one.ID].do == nil {
			return nil, invalid(
				"Action %s: %s is not simulated: know %s.",
				name,
				one.ID,
				strings.Join(slices.Sorted(maps.Keys(deeds)), ", "),
			)
		}
		if _, err := one.notice(); err != nil {
			return nil, err
		}
		for _, to := range one.Targets {
			aim, known := t.Targets[to]
			if !known {
				return nil, invalid("Action %s aims at %s, which is no target of the template.", name, to)
			}
			if aim.Kind != deeds[one.ID].kind {
				return nil, invalid(
					"Action %s takes targets of the type %s, got %s.",
					name,
					deeds[one.ID].kind,
					aim.Kind,
				)
			}
			if _, err := aim.count(1); err != nil {
				return nil, err
			}
		}
	}
	_ = a.world.Do(func(s *world.State) error {
		t.ID = "EXT" + strings.ReplaceAll(s.UUID(), "-", "")[:15]
		t.ARN = s.ARN("fis", "experiment-template/"+t.ID)
		t.Created = float64(s.Now.UnixMilli()) / 1000
		return nil
	})
	t.Updated = t.Created
	if t.Tags == nil {
		t.Tags = map[string]string{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.templates[t.ID] = &t
	return &t, nil
}

// Delete removes a template, if it is there.
func (a *Account) Delete(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.templates, id)
}

func invalid(format string, args ...any) error {
	return apierror.New("ValidationException", format, args...)
}

func absent(what, id string) error {
	return apierror.WithStatus(http.StatusNotFound, "ResourceNotFoundException", "%s %s does not exist.", what, id)
}

type templateOut struct {
	Template *Template `json:"experimentTemplate"`
}

func (a *Account) create(_ context.Context, _ *wire.Call, in *Template) (*templateOut, error) {
	t, err := a.Create(*in)
	return &templateOut{t}, err
}

func (a *Account) template(id string) (*Template, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t := a.templates[id]; t != nil {
		return t, nil
	}
	return nil, absent("Experiment template", id)
}

func (a *Account) get(_ context.Context, c *wire.Call, _ *struct{}) (*templateOut, error) {
	t, err := a.template(c.Path["id"])
	return &templateOut{t}, err
}

func (a *Account) delete(_ context.Context, c *wire.Call, _ *struct{}) (*templateOut, error) {
	t, err := a.template(c.Path["id"])
	if err == nil {
		a.Delete(t.ID)
	}
	return &templateOut{t}, err
}

type templatesOut struct {
	Templates []*Template `json:"experimentTemplates"`
}

func (a *Account) list(context.Context, *wire.Call, *struct{}) (*templatesOut, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := &templatesOut{[]*Template{}}
	for _, id := range slices.Sorted(maps.Keys(a.templates)) {
		out.Templates = append(out.Templates, a.templates[id])
	}
	return out, nil
}

type startIn struct {
	Template string            `json:"experimentTemplateId"`
	Tags     map[string]string `json:"tags"`
}

type experimentOut struct {
	Experiment *experiment `json:"experiment"`
}

// start does at once all that a template says.
func (a *Account) start(_ context.Context, _ *wire.Call, in *startIn) (*experimentOut, error) {
	t, err := a.template(in.Template)
	if err != nil {
		return nil, err
	}
	e := &experiment{Template: *t, TemplateID: t.ID, State: state{"completed", "Experiment completed."}}
	e.Tags = maps.Clone(in.Tags)
	e.Actions = map[string]action{}
	err = a.world.Do(func(s *world.State) error {
		e.ID = "EXP" + strings.ReplaceAll(s.UUID(), "-", "")[:15]
		e.ARN, e.Start = s.ARN("fis", "experiment/"+e.ID), float64(s.Now.UnixMilli())/1000
		e.Created, e.End = e.Start, e.Start
		for _, name := range slices.Sorted(maps.Keys(t.Actions)) {
			one := t.Actions[name]
			if err := one.run(s, t.Targets); err != nil {
				one.State = &state{"failed", err.Error()}
				e.State = state{"failed", fmt.Sprintf("Action %s failed: %v", name, err)}
			} else {
				one.State = &state{"completed", "Action was completed."}
			}
			e.Actions[name] = one
		}
		return nil
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	a.experiments[e.ID] = e
	begun := *e
	begun.State = state{"initiating", "Experiment is initiating."} // as FIS answers; GetExperiment tells the end
	return &experimentOut{&begun}, err
}

func (a *Account) experiment(id string) (*experimentOut, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.experiments[id]; e != nil {
		return &experimentOut{e}, nil
	}
	return nil, absent("Experiment", id)
}

func (a *Account) getExperiment(_ context.Context, c *wire.Call, _ *struct{}) (*experimentOut, error) {
	return a.experiment(c.Path["id"])
}

// stop finds an experiment over: what it does it does at once.
func (a *Account) stop(_ context.Context, c *wire.Call, _ *struct{}) (*experimentOut, error) {
	if _, err := a.experiment(c.Path["id"]); err != nil {
		return nil, err
	}
	return nil, invalid("Experiment %s has completed: it cannot be stopped.", c.Path["id"])
}

type experimentsOut struct {
	Experiments []*experiment `json:"experiments"`
}

func (a *Account) listExperiments(context.Context, *wire.Call, *struct{}) (*experimentsOut, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := &experimentsOut{[]*experiment{}}
	for _, id := range slices.Sorted(maps.Keys(a.experiments)) {
		out.Experiments = append(out.Experiments, a.experiments[id])
	}
	return out, nil
}

type actionInfo struct {
	ID          string            `json:"id"`
	Description string            `json:"description"`
	Tags        map[string]string `json:"tags"`
}

type actionsOut struct {
	Actions []actionInfo `json:"actions"`
}

func (a *Account) actions(context.Context, *wire.Call, *struct{}) (*actionsOut, error) {
	out := &actionsOut{}
	for _, id := range slices.Sorted(maps.Keys(deeds)) {
		out.Actions = append(out.Actions, actionInfo{id, deeds[id].text, map[string]string{}})
	}
	return out, nil
}
