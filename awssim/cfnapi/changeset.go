package cfnapi

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

func textOf(v any) string { return fmt.Sprint(v) }

// digestOf is equal for equal values.
func digestOf(v any) string {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(body)
}

// changeSet is what a stack would become.
type changeSet struct {
	id, name, description string
	kind                  string // "CREATE" or "UPDATE"
	created               string
	status, reason        string
	execution             string // ExecutionStatus
	wish                  wish
	changes               []changeXML
}

type changeSetIn struct {
	content
	ChangeSetName           string
	ChangeSetType           string
	Description             string
	IncludeNestedStacks     bool
	OnStackFailure          string
	ImportExistingResources bool
	DeploymentMode          string
}

type changeSetID struct {
	ID      string `xml:"Id"`
	StackID string `xml:"StackId"`
}

func (a api) createChangeSet(_ context.Context, _ *wire.Call, in *changeSetIn) (*changeSetID, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	kind := in.ChangeSetType
	if kind == "" {
		kind = "UPDATE"
	}
	s, err := a.live(in.StackName)
	switch {
	case kind == "CREATE" && err != nil:
		s = nil
	case kind == "CREATE" && s.status != "REVIEW_IN_PROGRESS":
		return nil, apierror.New(
			"AlreadyExistsException",
			"Stack [%s] already exists and cannot be created again with the changeSet [%s].",
			in.StackName,
			in.ChangeSetName,
		)
	case kind != "CREATE" && kind != "UPDATE":
		return nil, invalid("Change sets of the type %s are not simulated.", kind)
	case err != nil:
		return nil, err
	case kind == "UPDATE" && strings.HasPrefix(s.status, "ROLLBACK"):
		return nil, invalid("Stack:%s is in %s state and can not be updated.", s.id, s.status)
	}
	w, err := in.wish(s)
	if err != nil {
		return nil, err
	}
	if s == nil {
		s = a.place(in.StackName, "REVIEW_IN_PROGRESS")
	}
	set := &changeSet{
		name:        in.ChangeSetName,
		description: in.Description,
		kind:        kind,
		wish:        w,
		status:      "CREATE_COMPLETE",
		execution:   "AVAILABLE",
	}
	var unique string
	set.created, unique = a.now()
	_ = a.world.Do(func(st *world.State) error {
		set.id = st.ARN("cloudformation", "changeSet/"+in.ChangeSetName+"/"+unique)
		return nil
	})
	if kind == "UPDATE" && !s.wouldChange(w) {
		set.status, set.execution = "FAILED", "UNAVAILABLE"
		set.reason = "The submitted information didn't contain changes. Submit different information to create a " +
			"change set."
	}
	set.changes = s.changesFor(w)
	s.changes = append(s.changes, set)
	return &changeSetID{set.id, s.id}, nil
}

type changeXML struct {
	Type     string        `xml:"Type"`
	Resource resourceShift `xml:"ResourceChange"`
}

type resourceShift struct {
	Action      string
	Logical     string `xml:"LogicalResourceId"`
	Physical    string `xml:"PhysicalResourceId,omitempty"`
	Kind        string `xml:"ResourceType"`
	Replacement string `xml:",omitempty"`
}

// changesFor lists what a wish adds, modifies and removes. What changes only
// by what a function gives counts as modified too.
func (s *stack) changesFor(w wish) []changeXML {
	var out []changeXML
	have := map[string]*thing{}
	for _, t := range s.things {
		have[t.logical] = t
	}
	for _, name := range slices.Sorted(maps.Keys(w.template.Resources)) {
		r, old := w.template.Resources[name], have[name]
		switch {
		case old == nil:
			out = append(out, changeXML{"Resource", resourceShift{Action: "Add", Logical: name, Kind: r.Type}})
		case s.template == nil || digestOf(s.template.Resources[name]) != digestOf(r) || !maps.Equal(s.given, w.given):
			out = append(out, changeXML{"Resource", resourceShift{"Modify", name, old.physical, r.Type, "False"}})
		}
		delete(have, name)
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		out = append(
			out,
			changeXML{
				"Resource",
				resourceShift{Action: "Remove", Logical: name, Physical: have[name].physical, Kind: have[name].kind},
			},
		)
	}
	return out
}

type changeSetNamed struct {
	ChangeSetName         string
	StackName             string
	NextToken             string
	ClientRequestToken    string
	IncludePropertyValues bool
	DisableRollback       bool
	RetainExceptOnCreate  bool
}

// set finds a change set by id, or by name with its stack's.
func (a api) set(in *changeSetNamed) (*stack, *changeSet, error) {
	for _, s := range a.stacks {
		if in.StackName != "" && s.name != in.StackName && s.id != in.StackName || !s.deleted.IsZero() {
			continue
		}
		for _, set := range s.changes {
			if set.id == in.ChangeSetName || in.StackName != "" && set.name == in.ChangeSetName {
				return s, set, nil
			}
		}
	}
	return nil, nil, absent(in.ChangeSetName)
}

type changeSetXML struct {
	Name         string `xml:"ChangeSetName"`
	ID           string `xml:"ChangeSetId"`
	StackID      string `xml:"StackId"`
	StackName    string
	Description  string `xml:",omitempty"`
	CreationTime string
	Execution    string           `xml:"ExecutionStatus"`
	Status       string           `xml:"Status"`
	Reason       string           `xml:"StatusReason,omitempty"`
	Parameters   []stackParameter `xml:"Parameters>member,omitempty"`
	Capabilities []string         `xml:"Capabilities>member,omitempty"`
	Tags         []tag            `xml:"Tags>member,omitempty"`
	Changes      []changeXML      `xml:"Changes>member,omitempty"`
}

func setXML(s *stack, set *changeSet) changeSetXML {
	return changeSetXML{
		set.name, set.id, s.id, s.name, set.description, set.created, set.execution, set.status, set.reason,
		parametersXML(set.wish.template, set.wish.given), set.wish.capabilities, set.wish.tags, set.changes,
	}
}

func (a api) describeChangeSet(_ context.Context, _ *wire.Call, in *changeSetNamed) (*changeSetXML, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, set, err := a.set(in)
	if err != nil {
		return nil, err
	}
	out := setXML(s, set)
	return &out, nil
}

func (a api) executeChangeSet(_ context.Context, c *wire.Call, in *changeSetNamed) (any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, set, err := a.set(in)
	if err != nil {
		return nil, err
	}
	if set.execution != "AVAILABLE" {
		return nil, apierror.New(
			"InvalidChangeSetStatus",
			"ChangeSet [%s] cannot be executed in its current status of [%s]",
			set.id,
			set.status,
		)
	}
	s.changes = nil
	_ = a.apply(s, set.wish, c.Host) // what fails shows in the stack's status
	return nil, nil
}

func (a api) deleteChangeSet(_ context.Context, _ *wire.Call, in *changeSetNamed) (any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, set, err := a.set(in)
	if err != nil {
		return nil, err
	}
	s.changes = slices.DeleteFunc(s.changes, func(other *changeSet) bool { return other == set })
	return nil, nil
}

type changeSetsOut struct {
	Sets []changeSetXML `xml:"Summaries>member"`
}

func (a api) listChangeSets(_ context.Context, _ *wire.Call, in *named) (*changeSetsOut, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, err := a.live(in.StackName)
	if err != nil {
		return nil, err
	}
	out := &changeSetsOut{}
	for _, set := range s.changes {
		one := setXML(s, set)
		one.Changes, one.Parameters, one.Capabilities, one.Tags = nil, nil, nil, nil
		out.Sets = append(out.Sets, one)
	}
	return out, nil
}
