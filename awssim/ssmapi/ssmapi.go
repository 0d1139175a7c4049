// Package ssmapi answers SSM's parameter store: the public parameters that
// name EKS-optimized images, and those that the account puts itself.
package ssmapi

import (
	"context"
	"strconv"
	"strings"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

type api struct{ world *world.World }

// New makes SSM.
func New(w *world.World) wire.API {
	a := &api{w}
	return wire.API{Name: wire.SSM, Target: "AmazonSSM", Actions: wire.Service{
		"GetParameter":  wire.Handle(a.get),
		"GetParameters": wire.Handle(a.getMany),

		"GetParametersByPath": wire.Handle(a.byPath),
		"DescribeParameters":  wire.Handle(a.describeMany),
		"PutParameter":        wire.Handle(a.put),
		"DeleteParameter":     wire.Handle(a.delete),
		"DeleteParameters":    wire.Handle(a.deleteMany),
	}}
}

type parameter struct {
	ARN              string
	DataType         string
	LastModifiedDate float64 // seconds since 1970
	Name             string
	Selector         string `json:",omitempty"`
	Type             string
	Value            string
	Version          int64
}

func describe(s *world.State, p world.Parameter) parameter {
	dataType := "text"
	if len(p.Value) > 4 && p.Value[:4] == "ami-" {
		dataType = "aws:ec2:image"
	}
	out := parameter{
		ARN:      "arn:" + s.Partition() + ":ssm:" + s.Region.Name + "::parameter" + p.Name,
		DataType: dataType,
		LastModifiedDate: float64(
			p.Modified.UnixMilli(),
		) / 1000,
		Name:    p.Name,
		Type:    "String",
		Value:   p.Value,
		Version: p.Version,
	}
	if p.Own {
		out.ARN, out.Type, out.DataType = s.ARN("ssm", "parameter/"+strings.TrimPrefix(p.Name, "/")), p.Kind, "text"
	}
	return out
}

// find looks a parameter up by its name or ARN, with a version after a colon
// if one is asked for. Only the newest version is kept.
func find(s *world.State, name string) (parameter, bool) {
	if _, rest, isARN := strings.Cut(name, ":parameter/"); isARN && strings.HasPrefix(name, "arn:") {
		name = "/" + rest
		if _, slashed := s.Parameters[name]; !slashed {
			name = rest
		}
	}
	bare, selector, selected := strings.Cut(name, ":")
	p, ok := s.Parameters[bare]
	if !ok || selected && selector != strconv.FormatInt(p.Version, 10) {
		return parameter{}, false
	}
	out := describe(s, p)
	if selected {
		out.Selector = ":" + selector
	}
	return out, true
}

type getIn struct{ Name string }

type getOut struct{ Parameter parameter }

func (a *api) get(_ context.Context, _ *wire.Call, in *getIn) (*getOut, error) {
	out := &getOut{}
	return out, a.world.Do(func(s *world.State) error {
		found, ok := find(s, in.Name)
		if !ok {
			return apierror.New("ParameterNotFound", "Parameter %s not found.", in.Name)
		}
		out.Parameter = found
		return nil
	})
}

type getManyIn struct{ Names []string }

type getManyOut struct {
	InvalidParameters []string
	Parameters        []parameter
}

func (a *api) getMany(_ context.Context, _ *wire.Call, in *getManyIn) (*getManyOut, error) {
	if len(in.Names) < 1 || len(in.Names) > 10 {
		return nil, apierror.New(
			"ValidationException",
			"1 validation error detected: names must have 1 to 10 members, got %d",
			len(in.Names),
		)
	}
	out := &getManyOut{InvalidParameters: []string{}, Parameters: []parameter{}}
	return out, a.world.Do(func(s *world.State) error {
		for _, name := range in.Names {
			if found, ok := find(s, name); ok {
				out.Parameters = append(out.Parameters, found)
			} else {
				out.InvalidParameters = append(out.InvalidParameters, name)
			}
		}
		return nil
	})
}
