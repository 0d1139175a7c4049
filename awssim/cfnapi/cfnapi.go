package cfnapi

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

// api has CloudFormation's actions on an account's stacks.
type api struct{ *Account }

// New makes CloudFormation.
func New(a *Account) wire.API {
	h := api{a}
	return wire.API{
		Name:      wire.CloudFormation,
		Version:   "2010-05-15",
		Namespace: "http://cloudformation.amazonaws.com/doc/2010-05-15/",
		Actions: wire.Service{
			"CreateStack":                 wire.Handle(h.create),
			"UpdateStack":                 wire.Handle(h.update),
			"DeleteStack":                 wire.Handle(h.delete),
			"DescribeStacks":              wire.Handle(h.describe),
			"ListStacks":                  wire.Handle(h.list),
			"DescribeStackEvents":         wire.Handle(h.describeEvents),
			"DescribeStackResources":      wire.Handle(h.describeResources),
			"DescribeStackResource":       wire.Handle(h.describeResource),
			"ListStackResources":          wire.Handle(h.listResources),
			"ListExports":                 wire.Handle(h.listExports),
			"GetTemplate":                 wire.Handle(h.getTemplate),
			"GetTemplateSummary":          wire.Handle(h.summary),
			"ValidateTemplate":            wire.Handle(h.summary),
			"UpdateTerminationProtection": wire.Handle(h.protect),

			"CreateChangeSet":   wire.Handle(h.createChangeSet),
			"DescribeChangeSet": wire.Handle(h.describeChangeSet),
			"ExecuteChangeSet":  wire.Handle(h.executeChangeSet),
			"DeleteChangeSet":   wire.Handle(h.deleteChangeSet),
			"ListChangeSets":    wire.Handle(h.listChangeSets),
		},
	}
}

type tag struct{ Key, Value string }

type stackParameter struct {
	Key         string `query:"ParameterKey" xml:"ParameterKey"`
	Value       string `query:"ParameterValue" xml:"ParameterValue"`
	UsePrevious bool   `query:"UsePreviousValue" xml:"-"`
	Resolved    string `query:"ResolvedValue" xml:"-"`
}

// content is what calls that make a stack say of it.
type content struct {
	StackName            string
	TemplateBody         string
	TemplateURL          string
	UsePreviousTemplate  bool
	Parameters           []stackParameter
	Capabilities         []string
	Tags                 []tag
	ResourceTypes        []string
	RoleARN              string
	NotificationARNs     []string
	ClientToken          string
	ClientRequestToken   string
	DisableRollback      bool
	OnFailure            string
	TimeoutInMinutes     int
	Protected            bool `query:"EnableTerminationProtection"`
	RetainExceptOnCreate bool
}

// wish reads what a call asks for; old is the stack as it is, nil for none.
func (in *content) wish(old *stack) (wish, error) {
	if in.TemplateURL != "" {
		return wish{}, invalid("Templates in S3 are not simulated: give TemplateBody.")
	}
	w := wish{body: in.TemplateBody, given: map[string]string{}, capabilities: in.Capabilities, tags: in.Tags}
	if in.UsePreviousTemplate {
		if old == nil || old.template == nil {
			return wish{}, invalid("There is no template to use again.")
		}
		w.body = old.body
	}
	var err error
	if w.template, err = parse(w.body); err != nil {
		return wish{}, err
	}
	for _, p := range in.Parameters {
		if p.UsePrevious {
			if old == nil {
				return wish{}, invalid(
					"Invalid input for parameter key %s. Cannot specify usePreviousValue as true for a parameter key "+
						"not in the previous template",
					p.Key,
				)
			}
			if value, had := old.given[p.Key]; had {
				w.given[p.Key] = value
			}
			continue
		}
		w.given[p.Key] = p.Value
	}
	if _, err := w.template.values(w.given); err != nil {
		return wish{}, err
	}
	return w, w.checkCapabilities()
}

type stackID struct {
	ID string `xml:"StackId"`
}

func (a api) create(_ context.Context, c *wire.Call, in *content) (*stackID, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if old, err := a.live(in.StackName); err == nil {
		return nil, apierror.New("AlreadyExistsException", "Stack [%s] already exists", old.name)
	}
	w, err := in.wish(nil)
	if err != nil {
		return nil, err
	}
	s := a.place(in.StackName, "CREATE_IN_PROGRESS")
	s.protected = in.Protected
	_ = a.apply(s, w, c.Host) // what fails shows in the stack's status
	return &stackID{s.id}, nil
}

func (a api) update(_ context.Context, c *wire.Call, in *content) (*stackID, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, err := a.live(in.StackName)
	if err != nil {
		return nil, err
	}
	w, err := in.wish(s)
	if err != nil {
		return nil, err
	}
	if !s.wouldChange(w) {
		return nil, invalid("No updates are to be performed.")
	}
	_ = a.apply(s, w, c.Host) // what fails shows in the stack's status
	return &stackID{s.id}, nil
}

// wouldChange says whether a wish is another than the stack is.
func (s *stack) wouldChange(w wish) bool {
	if s.template == nil || s.body != w.body {
		return true
	}
	before, errBefore := s.template.values(s.given)
	after, errAfter := w.template.values(w.given)
	same := func(a, b any) bool { return digestOf(a) == digestOf(b) }
	return errBefore != nil || errAfter != nil || !maps.EqualFunc(before, after, same) ||
		!slices.Equal(s.tags, w.tags)
}

type deleteIn struct {
	StackName          string
	RetainResources    []string
	RoleARN            string
	ClientRequestToken string
	DeletionMode       string
}

// delete succeeds too when there is no such stack, as CloudFormation does.
func (a api) delete(_ context.Context, c *wire.Call, in *deleteIn) (any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, err := a.live(in.StackName)
	if err != nil {
		return nil, nil // nothing to delete is no error
	}
	if s.protected {
		return nil, invalid("Stack [%s] cannot be deleted while TerminationProtection is enabled", s.name)
	}
	s.things = slices.DeleteFunc(
		s.things,
		func(t *thing) bool { return slices.Contains(in.RetainResources, t.logical) },
	)
	m := &maker{a.world, a.queues, a.rules, a.experiments, s.name, c.Host}
	if err := a.clear(s, m); err != nil {
		a.finish(s, "DELETE_FAILED", err.Error())
		return nil, nil
	}
	a.finish(s, "DELETE_COMPLETE", "")
	return nil, nil
}

type templateIn struct {
	StackName     string
	ChangeSetName string
	TemplateStage string
}

type templateOut struct {
	Body   string   `xml:"TemplateBody"`
	Stages []string `xml:"StagesAvailable>member"`
}

func (a api) getTemplate(_ context.Context, _ *wire.Call, in *templateIn) (*templateOut, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, err := a.find(in.StackName)
	if err != nil {
		return nil, err
	}
	return &templateOut{s.body, []string{"Original", "Processed"}}, nil
}

type summaryIn struct {
	StackName    string
	TemplateBody string
	TemplateURL  string
}

type parameterXML struct {
	Key         string `xml:"ParameterKey"`
	Default     string `xml:"DefaultValue,omitempty"`
	Type        string `xml:"ParameterType"`
	NoEcho      bool
	Description string `xml:",omitempty"`
}

type summaryOut struct {
	Parameters   []parameterXML `xml:"Parameters>member"`
	Description  string         `xml:",omitempty"`
	Capabilities []string       `xml:"Capabilities>member,omitempty"`
	Reason       string         `xml:"CapabilitiesReason,omitempty"`
	Types        []string       `xml:"ResourceTypes>member,omitempty"`
}

func (a api) summary(_ context.Context, _ *wire.Call, in *summaryIn) (*summaryOut, error) {
	body := in.TemplateBody
	if in.TemplateURL != "" {
		return nil, invalid("Templates in S3 are not simulated: give TemplateBody.")
	}
	if in.StackName != "" {
		a.mu.Lock()
		s, err := a.live(in.StackName)
		a.mu.Unlock()
		if err != nil {
			return nil, err
		}
		body = s.body
	}
	t, err := parse(body)
	if err != nil {
		return nil, err
	}
	out := &summaryOut{Description: t.Description, Capabilities: t.capabilities()}
	for _, name := range slices.Sorted(maps.Keys(t.Parameters)) {
		p := t.Parameters[name]
		one := parameterXML{Key: name, Type: p.Type, NoEcho: p.NoEcho, Description: p.Description}
		if p.Default != nil {
			one.Default = textOf(p.Default)
		}
		out.Parameters = append(out.Parameters, one)
	}
	types := map[string]bool{}
	for _, r := range t.Resources {
		types[r.Type] = true
	}
	out.Types = slices.Sorted(maps.Keys(types))
	if len(out.Capabilities) > 0 {
		out.Reason = "The following resource(s) require capabilities: [AWS::IAM]"
	}
	return out, nil
}

type protectIn struct {
	StackName string
	Enabled   bool `query:"EnableTerminationProtection"`
}

func (a api) protect(_ context.Context, _ *wire.Call, in *protectIn) (*stackID, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, err := a.live(in.StackName)
	if err != nil {
		return nil, err
	}
	s.protected = in.Enabled
	return &stackID{s.id}, nil
}

// absent is CloudFormation's answer about a change set that does not exist.
func absent(name string) error {
	return apierror.WithStatus(http.StatusNotFound, "ChangeSetNotFound", "ChangeSet [%s] does not exist", name)
}

// now is the account's time.
func (a api) now() (at string, id string) {
	_ = a.world.Do(func(s *world.State) error {
		at, id = stamp(s.Now), s.UUID()
		return nil
	})
	return at, id
}
