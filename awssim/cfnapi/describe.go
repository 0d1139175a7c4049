package cfnapi

import (
	"context"
	"maps"
	"slices"

	"github.com/dovetail-sh/dovetail/awssim/wire"
)

type outputXML struct {
	Key         string `xml:"OutputKey"`
	Value       string `xml:"OutputValue"`
	Description string `xml:",omitempty"`
	Export      string `xml:"ExportName,omitempty"`
}

type stackXML struct {
	ID              string           `xml:"StackId"`
	Name            string           `xml:"StackName"`
	Description     string           `xml:",omitempty"`
	Parameters      []stackParameter `xml:"Parameters>member,omitempty"`
	CreationTime    string
	LastUpdatedTime string `xml:",omitempty"`
	DeletionTime    string `xml:",omitempty"`
	Status          string `xml:"StackStatus"`
	Reason          string `xml:"StackStatusReason,omitempty"`
	DisableRollback bool
	Capabilities    []string    `xml:"Capabilities>member,omitempty"`
	Outputs         []outputXML `xml:"Outputs>member,omitempty"`
	Tags            []tag       `xml:"Tags>member,omitempty"`
	Protected       bool        `xml:"EnableTerminationProtection"`
	Drift           string      `xml:"DriftInformation>StackDriftStatus"`
}

func (s *stack) xml() stackXML {
	out := stackXML{
		ID:           s.id,
		Name:         s.name,
		CreationTime: stamp(s.created),
		Status:       s.status,
		Reason:       s.reason,
		Capabilities: s.capabilities,
		Outputs:      s.outputs,
		Tags:         s.tags,
		Protected:    s.protected,
		Drift:        "NOT_CHECKED",
	}
	if s.template != nil {
		out.Description, out.Parameters = s.template.Description, parametersXML(s.template, s.given)
	}
	if !s.updated.IsZero() {
		out.LastUpdatedTime = stamp(s.updated)
	}
	if !s.deleted.IsZero() {
		out.DeletionTime = stamp(s.deleted)
	}
	return out
}

// parametersXML lists the values of all parameters, hidden ones as stars.
func parametersXML(t *template, given map[string]string) []stackParameter {
	var out []stackParameter
	for _, name := range slices.Sorted(maps.Keys(t.Parameters)) {
		value, has := given[name]
		if !has && t.Parameters[name].Default != nil {
			value = textOf(t.Parameters[name].Default)
		}
		if t.Parameters[name].NoEcho {
			value = "****"
		}
		out = append(out, stackParameter{Key: name, Value: value})
	}
	return out
}

type named struct {
	StackName string
	NextToken string
}

type describeOut struct {
	Stacks []stackXML `xml:"Stacks>member"`
}

func (a api) describe(_ context.Context, _ *wire.Call, in *named) (*describeOut, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := &describeOut{}
	if in.StackName != "" {
		s, err := a.find(in.StackName)
		if err != nil {
			return nil, err
		}
		out.Stacks = []stackXML{s.xml()}
		return out, nil
	}
	for _, s := range a.stacks {
		if s.deleted.IsZero() {
			out.Stacks = append(out.Stacks, s.xml())
		}
	}
	return out, nil
}

type listIn struct {
	Statuses  []string `query:"StackStatusFilter"`
	NextToken string
}

type listOut struct {
	Stacks []stackXML `xml:"StackSummaries>member"`
}

func (a api) list(_ context.Context, _ *wire.Call, in *listIn) (*listOut, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := &listOut{}
	for _, s := range a.stacks {
		if len(in.Statuses) == 0 || slices.Contains(in.Statuses, s.status) {
			one := s.xml()
			one.Parameters, one.Outputs, one.Tags, one.Capabilities = nil, nil, nil, nil
			out.Stacks = append(out.Stacks, one)
		}
	}
	return out, nil
}

type event struct {
	ID        string `xml:"EventId"`
	StackID   string `xml:"StackId"`
	StackName string
	Logical   string `xml:"LogicalResourceId"`
	Physical  string `xml:"PhysicalResourceId"`
	Kind      string `xml:"ResourceType"`
	Time      string `xml:"Timestamp"`
	Status    string `xml:"ResourceStatus"`
	Reason    string `xml:"ResourceStatusReason,omitempty"`
}

type eventsOut struct {
	Events []event `xml:"StackEvents>member"`
}

// describeEvents tells the newest first.
func (a api) describeEvents(_ context.Context, _ *wire.Call, in *named) (*eventsOut, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, err := a.find(in.StackName)
	if err != nil {
		return nil, err
	}
	out := &eventsOut{slices.Clone(s.events)}
	slices.Reverse(out.Events)
	return out, nil
}

type resourceXML struct {
	StackID   string `xml:"StackId,omitempty"`
	StackName string `xml:",omitempty"`
	Logical   string `xml:"LogicalResourceId"`
	Physical  string `xml:"PhysicalResourceId"`
	Kind      string `xml:"ResourceType"`
	Time      string `xml:"Timestamp"`
	Updated   string `xml:"LastUpdatedTimestamp"`
	Status    string `xml:"ResourceStatus"`
}

func (s *stack) resources() []resourceXML {
	var out []resourceXML
	for _, t := range s.things {
		out = append(
			out,
			resourceXML{s.id, s.name, t.logical, t.physical, t.kind, stamp(t.at), stamp(t.at), "CREATE_COMPLETE"},
		)
	}
	return out
}

type resourcesIn struct {
	StackName string
	Logical   string `query:"LogicalResourceId"`
	Physical  string `query:"PhysicalResourceId"`
	NextToken string
}

type resourcesOut struct {
	Resources []resourceXML `xml:"StackResources>member"`
}

// chosen are the resources of a stack that a call names, or all.
func (a api) chosen(in *resourcesIn) ([]resourceXML, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, err := a.find(in.StackName)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(
		s.resources(),
		func(r resourceXML) bool { return in.Logical != "" && r.Logical != in.Logical },
	), nil
}

func (a api) describeResources(_ context.Context, _ *wire.Call, in *resourcesIn) (*resourcesOut, error) {
	found, err := a.chosen(in)
	return &resourcesOut{found}, err
}

type resourceOut struct {
	Resource resourceXML `xml:"StackResourceDetail"`
}

func (a api) describeResource(_ context.Context, _ *wire.Call, in *resourcesIn) (*resourceOut, error) {
	found, err := a.chosen(in)
	if err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, invalid("Resource %s does not exist for stack %s", in.Logical, in.StackName)
	}
	return &resourceOut{found[0]}, nil
}

type listResourcesOut struct {
	Resources []resourceXML `xml:"StackResourceSummaries>member"`
}

func (a api) listResources(_ context.Context, _ *wire.Call, in *resourcesIn) (*listResourcesOut, error) {
	found, err := a.chosen(in)
	return &listResourcesOut{found}, err
}

type exportXML struct {
	Stack string `xml:"ExportingStackId"`
	Name  string
	Value string
}

type exportsOut struct {
	Exports []exportXML `xml:"Exports>member"`
}

func (a api) listExports(context.Context, *wire.Call, *struct{ NextToken string }) (*exportsOut, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := &exportsOut{}
	for _, s := range a.stacks {
		for _, o := range s.outputs {
			if o.Export != "" && s.deleted.IsZero() {
				out.Exports = append(out.Exports, exportXML{s.id, o.Export, o.Value})
			}
		}
	}
	return out, nil
}
