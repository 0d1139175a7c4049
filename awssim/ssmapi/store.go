package ssmapi

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

// paged is what every list of the parameter store takes.
type paged struct {
	MaxResults *int
	NextToken  string

	half bool
}

// Halve has the answer hold half a page.
func (in *paged) Halve() { in.half = true }

// page cuts one page out of names, which it sorts. The token is the last name
// that was given out.
func (in *paged) page(names []string, most int) ([]string, string, error) {
	if in.MaxResults != nil {
		if *in.MaxResults < 1 || *in.MaxResults > most {
			return nil, "", apierror.New(
				"ValidationException",
				"1 validation error detected: maxResults must be from 1 to %d, got %d",
				most,
				*in.MaxResults,
			)
		}
		most = *in.MaxResults
	}
	after, err := base64.RawURLEncoding.DecodeString(in.NextToken)
	if err != nil {
		return nil, "", apierror.New("InvalidNextToken", "The specified token isn't valid.")
	}
	slices.Sort(names)
	start, found := slices.BinarySearch(names, string(after))
	if found {
		start++
	}
	names = names[start:]
	if in.half {
		most = min(most, (len(names)+1)/2)
	}
	if len(names) <= most {
		return names, "", nil
	}
	return names[:most], base64.RawURLEncoding.EncodeToString([]byte(names[most-1])), nil
}

// condition is a filter of a list.
type condition struct {
	Key    string
	Option string
	Values []string
}

func (f condition) matches(p world.Parameter) (bool, error) {
	var have string
	switch f.Key {
	case "Name":
		have = p.Name
	case "Type":
		have = p.Kind
	case "Path":
		return slices.ContainsFunc(
			f.Values,
			func(path string) bool { return strings.HasPrefix(p.Name, strings.TrimSuffix(path, "/")+"/") },
		), nil
	case "Tier":
		have = "Standard"
	case "DataType":
		have = "text"
	default:
		return false, apierror.New("InvalidFilterKey", "The filter key %s is not simulated.", f.Key)
	}
	return slices.ContainsFunc(f.Values, func(want string) bool {
		switch f.Option {
		case "BeginsWith":
			return strings.HasPrefix(have, want)
		case "Contains":
			return strings.Contains(have, want)
		}
		return have == want
	}), nil
}

type byPathIn struct {
	Path             string
	Recursive        bool
	ParameterFilters []condition
	paged
}

type byPathOut struct {
	Parameters []parameter
	NextToken  string `json:",omitempty"`
}

func (a *api) byPath(_ context.Context, _ *wire.Call, in *byPathIn) (*byPathOut, error) {
	if !strings.HasPrefix(in.Path, "/") {
		return nil, apierror.New(
			"ValidationException",
			"The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward "+
				"slash \"/\".",
		)
	}
	prefix := strings.TrimSuffix(in.Path, "/") + "/"
	out := &byPathOut{Parameters: []parameter{}}
	return out, a.world.Do(func(s *world.State) error {
		names, err := named(s, in.ParameterFilters, func(p world.Parameter) bool {
			rest, under := strings.CutPrefix(p.Name, prefix)
			return under && (in.Recursive || !strings.Contains(rest, "/"))
		})
		if err != nil {
			return err
		}
		if names, out.NextToken, err = in.page(names, 10); err != nil {
			return err
		}
		for _, name := range names {
			out.Parameters = append(out.Parameters, describe(s, s.Parameters[name]))
		}
		return nil
	})
}

// named lists the parameters that pass.
func named(s *world.State, filters []condition, keep func(world.Parameter) bool) ([]string, error) {
	var names []string
	for name, p := range s.Parameters {
		ok := keep(p)
		for _, f := range filters {
			matches, err := f.matches(p)
			if err != nil {
				return nil, err
			}
			ok = ok && matches
		}
		if ok {
			names = append(names, name)
		}
	}
	return names, nil
}

type describeIn struct {
	Filters          []condition
	ParameterFilters []condition
	paged
}

type metadata struct {
	ARN              string
	Name             string
	Type             string
	Description      string `json:",omitempty"`
	LastModifiedDate float64
	LastModifiedUser string
	Version          int64
	Tier             string
	DataType         string
	Policies         []struct{}
}

type describeOut struct {
	Parameters []metadata
	NextToken  string `json:",omitempty"`
}

// describeMany lists the account's own parameters, as SSM does: public ones
// are found by path.
func (a *api) describeMany(_ context.Context, _ *wire.Call, in *describeIn) (*describeOut, error) {
	out := &describeOut{Parameters: []metadata{}}
	return out, a.world.Do(func(s *world.State) error {
		names, err := named(
			s,
			append(in.Filters, in.ParameterFilters...),
			func(p world.Parameter) bool { return p.Own },
		)
		if err != nil {
			return err
		}
		if names, out.NextToken, err = in.page(names, 50); err != nil {
			return err
		}
		for _, name := range names {
			p := describe(s, s.Parameters[name])
			out.Parameters = append(out.Parameters, metadata{
				p.ARN,
				p.Name,
				p.Type,
				s.Parameters[name].Description,
				p.LastModifiedDate,
				s.Caller(),
				p.Version,
				"Standard",
				p.DataType,
				[]struct{}{},
			})
		}
		return nil
	})
}

type putIn struct {
	Name, Value, Type, Description string
	Overwrite                      bool
	DataType, Tier                 string
	Tags                           []struct{ Key, Value string }
}

type putOut struct {
	Version int64
	Tier    string
}

// maxValue is the longest value of a standard parameter, in bytes.
const maxValue = 4096

func (a *api) put(_ context.Context, _ *wire.Call, in *putIn) (*putOut, error) {
	lower := strings.ToLower(strings.TrimPrefix(in.Name, "/"))
	switch {
	case in.Name == "" || strings.Contains(in.Name, "/") && !strings.HasPrefix(in.Name, "/"):
		return nil, apierror.New("ValidationException", "Parameter name must be a fully qualified name.")
	case strings.HasPrefix(lower, "aws") || strings.HasPrefix(lower, "ssm"):
		return nil, apierror.New("AccessDeniedException", "No access to reserved parameter name: %s.", in.Name)
	case in.Value == "" || len(in.Value) > maxValue:
		return nil, apierror.New(
			"ValidationException",
			"Standard tier parameters support a maximum parameter value of %d characters, and one at least.",
			maxValue,
		)
	case in.Type != "" && !slices.Contains([]string{"String", "StringList", "SecureString"}, in.Type):
		return nil, apierror.New("UnsupportedParameterType", "The parameter type %s is not supported.", in.Type)
	}
	out := &putOut{Tier: "Standard"}
	return out, a.world.Do(func(s *world.State) error {
		old, exists := s.Parameters[in.Name]
		if exists && !in.Overwrite {
			return apierror.New(
				"ParameterAlreadyExists",
				"The parameter already exists. To overwrite this value, set the overwrite option in the request to "+
					"true.",
			)
		}
		if in.Type == "" {
			in.Type = old.Kind
		}
		if in.Type == "" {
			return apierror.New("ValidationException", "A parameter type is required when you create a parameter.")
		}
		out.Version = old.Version + 1
		s.Parameters[in.Name] = world.Parameter{
			Name:        in.Name,
			Value:       in.Value,
			Version:     out.Version,
			Modified:    s.Now,
			Kind:        in.Type,
			Description: in.Description,
			Own:         true,
		}
		return nil
	})
}

func (a *api) delete(_ context.Context, _ *wire.Call, in *getIn) (any, error) {
	return nil, a.world.Do(func(s *world.State) error {
		if p, ok := s.Parameters[in.Name]; !ok || !p.Own {
			return apierror.New("ParameterNotFound", "Parameter %s not found.", in.Name)
		}
		delete(s.Parameters, in.Name)
		return nil
	})
}

type deleteManyOut struct {
	DeletedParameters []string
	InvalidParameters []string
}

func (a *api) deleteMany(_ context.Context, _ *wire.Call, in *getManyIn) (*deleteManyOut, error) {
	out := &deleteManyOut{[]string{}, []string{}}
	return out, a.world.Do(func(s *world.State) error {
		for _, name := range in.Names {
			if p, ok := s.Parameters[name]; ok && p.Own {
				delete(s.Parameters, name)
				out.DeletedParameters = append(out.DeletedParameters, name)
			} else {
				out.InvalidParameters = append(out.InvalidParameters, name)
			}
		}
		return nil
	})
}
